"""`make demo`: the whole portal on this machine, with real PostgreSQL and Redis and the stand-in ITCare.

What a process does when it dies: see `Supervisor.watch`.
"""

import argparse
import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sandbox import commands, processes, servers
from sandbox import demo_environment as settings
from sandbox.auth import TOKEN_PATH
from sandbox.httpd import BASE
from sandbox.processes import LOOPBACK, NotReadyError
from sandbox.servers import PROJECT
from sandbox.supervisor import Service, Supervisor, say, set_up_logs

VAR = PROJECT / "var"
CLIENT_ID = "portal-demo"
DATABASE, OWNER, PORTAL = "portal", "portal_owner", "portal_app"
PASSWORD = "demo-Portal-1"  # noqa: S105 - printed for everybody: the demo's accounts
SIGN_INS = (
    ("developer@example.com", "asks for team alpha"),
    ("developer2@example.com", "asks for team beta"),
    ("approver@example.com", "decides for both teams"),
    ("approver2@example.com", "decides for both teams"),
    ("support@example.com", "reads everything"),
    ("admin@example.com", "manages users, teams and services"),
)


@contextmanager
def only_one(var: Path) -> Iterator[None]:
    """Hold the folder's lock, which the kernel lets go when we end, however we end.

    Raises:
        NotReadyError: another demo runs in this folder.
    """
    with (var / "demo.lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            other = lock.read().strip()
            message = f"The demo already runs in this folder (process {other}): stop it first, with Ctrl-C there."
            raise NotReadyError(message) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def start_servers(supervisor: Supervisor, kept: settings.Kept, var: Path) -> dict[str, str]:
    """Start PostgreSQL and Redis; return their addresses as the portal's variables."""
    data = servers.data_folder(var / "postgres")
    if data.parent != var:
        say(f"PostgreSQL does not run as root, and {servers.ACCOUNT} may not enter {var}: its data is in {data}.")
    postgres = servers.Postgres(data, kept.postgres_port, kept.postgres_password)
    redis = servers.Redis(var / "redis", kept.redis_port, kept.redis_password)
    supervisor.add(Service("postgres", lambda: postgres.start(subprocess.PIPE), postgres.ends_with))
    postgres.add_role(OWNER, kept.owner_password)
    postgres.add_role(PORTAL, kept.portal_password)
    postgres.add_database(DATABASE, OWNER)
    supervisor.add(Service("redis", lambda: redis.start(subprocess.PIPE)))
    return {
        "DATABASE_URL": postgres.url(PORTAL, kept.portal_password, DATABASE),
        "MIGRATION_DATABASE_URL": postgres.url(OWNER, kept.owner_password, DATABASE),
        "REDIS_URL": redis.url,
    }


def start_sandbox(supervisor: Supervisor, kept: settings.Kept, port: int, var: Path) -> dict[str, str]:
    """Start the stand-in ITCare; return the portal's variables for it."""
    options = {
        "--port": str(port),
        "--state": str(var / "sandbox.json"),
        "--speed": os.environ.get("SANDBOX_SPEED", "3"),
        "--clusters": os.environ.get("SANDBOX_CLUSTERS", "40"),
    }
    command = (sys.executable, "-m", "sandbox", *(word for option in options.items() for word in option))
    environment = settings.for_children({"SANDBOX_CLIENT_ID": CLIENT_ID, "SANDBOX_CLIENT_SECRET": kept.client_secret})
    start(supervisor, "sandbox", command, environment, ready=lambda: listens(port))
    return {
        "ITCARE_BASE_URL": settings.address(port) + BASE,
        "ITCARE_TOKEN_URL": settings.address(port) + TOKEN_PATH,
        "ITCARE_CLIENT_ID": CLIENT_ID,
        "ITCARE_CLIENT_SECRET": kept.client_secret,
    }


def start(
    supervisor: Supervisor,
    name: str,
    command: tuple[str, ...],
    environment: dict[str, str],
    *,
    ready: Callable[[], bool] = lambda: True,
    patience: float = 20.0,
) -> None:
    """Start one of our own programs as a service, and wait until it is ready."""

    def begin() -> subprocess.Popen[bytes]:
        return processes.start(command, output=subprocess.PIPE, environment=environment, cwd=PROJECT)

    process = supervisor.add(Service(name, begin, patience=patience))
    processes.wait_until(ready, process, name, seconds=60)


def listens(port: int) -> bool:
    """Tell whether something takes connections at a port."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def healthy(port: int) -> bool:
    """Tell whether the portal answers."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def start_portal(supervisor: Supervisor, portal: dict[str, str], port: int) -> None:
    """Prepare the database, files and demo data, then start the portal's processes."""
    environment = settings.for_children(portal)
    for command in (*commands.MIGRATE, commands.COLLECT, commands.DEMO_DATA):
        supervisor.run("setup", commands.of_this_python(command), environment, PROJECT)
    # Stopped last of the three: it lets a call to ITCare end (CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT).
    start(supervisor, "worker", commands.of_this_python(commands.WORKER), environment, patience=75)
    start(supervisor, "sweep", commands.of_this_python(commands.SWEEP), environment, patience=45)
    web = commands.of_this_python(commands.web(f"{LOOPBACK}:{port}"))
    start(supervisor, "web", web, environment, ready=lambda: healthy(port))


def welcome(port: int, upstream: str, var: Path) -> str:
    """Return what a person needs to begin: the address and the sign-ins."""
    people = "\n".join(f"    {mail:<24} {what}" for mail, what in SIGN_INS)
    return f"""
The portal runs at {settings.address(port)}

{people}
    password of all          {PASSWORD}

ITCare is {upstream}. Ctrl-C stops everything; the data stays in {var}.
"""


def run(supervisor: Supervisor, var: Path) -> None:
    """Start everything and watch over it until we are stopped."""
    port = settings.port_from(os.environ, "PORT", 8000)
    upstream = settings.upstream_from(os.environ)
    sandbox_port = 0 if upstream else settings.port_from(os.environ, "SANDBOX_PORT", 8900)
    if port == sandbox_port:
        message = f"PORT and SANDBOX_PORT are both {port}: choose two."
        raise NotReadyError(message)
    kept = settings.Kept.load(var / "demo.json")
    addresses = start_servers(supervisor, kept, var)
    upstream = upstream or start_sandbox(supervisor, kept, sandbox_port, var)
    portal = settings.portal_environment(kept, port=port, addresses=addresses, upstream=upstream, var=var)
    settings.write_private(var / "demo.env", "".join(f"{name}={value}\n" for name, value in sorted(portal.items())))
    start_portal(supervisor, portal, port)
    for line in welcome(port, upstream["ITCARE_BASE_URL"], var).splitlines():
        say(line)
    supervisor.watch()


def stopped(_number: int, _frame: FrameType | None) -> NoReturn:
    """Turn a signal into the exception that ends `run`."""
    raise KeyboardInterrupt


def remove(var: Path) -> None:
    """Remove all data, also what is kept outside of the folder.

    Raises:
        NotReadyError: the demo runs.
    """
    with only_one(var):
        servers.remove(servers.data_folder(var / "postgres"))
        if var == VAR:
            servers.remove_outside()
        shutil.rmtree(var)


def main() -> int:
    """Run the demo until it is stopped; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description="The portal with demo data.")
    parser.add_argument("--var", type=Path, default=VAR, help="where its data is (default: %(default)s)")
    parser.add_argument("--remove", action="store_true", help="remove its data instead of starting it")
    arguments = parser.parse_args()
    var: Path = arguments.var.resolve()
    var.mkdir(exist_ok=True)
    set_up_logs(var / "log")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stopped)
    try:
        if arguments.remove:
            remove(var)
        else:
            start_and_stop(var)
    except NotReadyError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
    return 0


def start_and_stop(var: Path) -> None:
    """Run everything, and stop it in order however that ends."""
    with only_one(var):
        supervisor = Supervisor(var / "run")
        try:
            run(supervisor, var)
        finally:
            # Only a person at the keyboard may be impatient.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            supervisor.stop()


if __name__ == "__main__":
    sys.exit(main())
