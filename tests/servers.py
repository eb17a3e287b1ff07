"""pytest plugin: gives Django's settings a real PostgreSQL before pytest-django reads them.

Loaded early (`-p tests.servers`), since settings are read before any conftest. Workers of xdist inherit the environment
and start no second server. The server is tied to this process: it ends with it, even when pytest is killed.
"""

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from sandbox import processes, servers
from tests.shared import FOLDER

RUNNING = "PORTAL_TEST_SERVERS"
NOBODY_LISTENS = "127.0.0.1:1"


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="portal-test-"))
    # PostgreSQL's account enters it when we are root.
    folder.chmod(0o711)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _start_postgres(folder: Path) -> servers.Postgres:
    data, password = folder / "data", secrets.token_urlsafe()
    postgres = servers.Postgres(data, processes.free_port(), password, durable=False)
    process = postgres.start(subprocess.DEVNULL)
    atexit.register(processes.stop, process, postgres.ends_with)
    return postgres


def _environment(postgres: servers.Postgres) -> dict[str, str]:
    owner, portal = secrets.token_urlsafe(), secrets.token_urlsafe()
    with postgres.connect("postgres") as superuser:
        # Of two that wait for each other, the first one looks after this time whether that is so, and is ended. Tests
        # of deadlocks close the circle within it, on a slow machine too.
        superuser.execute("ALTER SYSTEM SET deadlock_timeout = '3s'")
        # What a password costs who tries many: thousands of connections are made with these.
        superuser.execute("ALTER SYSTEM SET scram_iterations = 1")
        superuser.execute("SELECT pg_reload_conf()")
    postgres.add_role("portal_owner", owner, creates_databases=True)
    postgres.add_role("portal_app", portal)
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DEBUG": "false",
        "HTTPS": "false",
        "DATABASE_URL": postgres.url("portal_app", portal, "portal"),
        "MIGRATION_DATABASE_URL": postgres.url("portal_owner", owner, "portal"),
        # Nothing answers here unless a test starts it.
        "REDIS_URL": f"redis://{NOBODY_LISTENS}/0",
        "ITCARE_BASE_URL": f"http://{NOBODY_LISTENS}/itcare",
        "ITCARE_TOKEN_URL": f"http://{NOBODY_LISTENS}/token",
        "ITCARE_CLIENT_ID": "portal-tests",
        "ITCARE_CLIENT_SECRET": secrets.token_urlsafe(),
        # Playwright's event loop runs in the tests' thread, where Django would refuse every query.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
        RUNNING: "1",
    }


def _forget_the_shell() -> None:
    """Drop what the developer's shell sets for a portal of theirs, so that all machines test the same settings."""
    example = Path(__file__).parent.parent / ".env.example"
    for line in example.read_text(encoding="utf-8").splitlines():
        name = line.removeprefix("#").partition("=")[0].strip()
        for known in (name, f"{name}_FILE"):
            os.environ.pop(known, None)
    os.environ.pop("PORTAL_ENV_FILE", None)


if RUNNING not in os.environ:
    _forget_the_shell()
    _shared = _folder()
    os.environ.update({**_environment(_start_postgres(_shared)), FOLDER: str(_shared)})
