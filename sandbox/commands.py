"""The portal's processes, as command lines: the demo runs them, and docker-compose.yml the same ones."""

import sys
from pathlib import Path

MIGRATE = (
    ("python", "manage.py", "migrate", "--settings", "portal.owner"),
    ("python", "manage.py", "createcachetable", "--settings", "portal.owner"),
    ("python", "manage.py", "check", "--database", "default"),
)
COLLECT = ("python", "manage.py", "collectstatic", "--no-input", "--verbosity", "0")
DEMO_DATA = ("python", "manage.py", "demo_data")
WORKER = (
    "celery",
    *("-A", "portal.worker", "worker"),
    *("--concurrency", "2", "--loglevel", "info"),
    # The database says what is to be done and who does it: workers need not know each other.
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)
SWEEP = ("python", "manage.py", "sweep")


def web(address: str) -> tuple[str, ...]:
    """Return the web server's command.

    Args:
        address: where it listens, host:port.
    """
    threads = ("--worker-class", "gthread", "--workers", "2", "--threads", "4")
    # The portal is loaded once, before its workers are forked. The control socket would have one path for all
    # instances of a person.
    return ("gunicorn", "portal.wsgi", "--bind", address, *threads, "--preload", "--no-control-socket")


def of_this_python(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command with its program taken from the virtual environment that we run in."""
    return (str(Path(sys.executable).parent / command[0]), *command[1:])
