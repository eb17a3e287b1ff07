"""A whole deployment of its own: PostgreSQL, Redis, the stand-in and the portal's processes, each stopped at will."""

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sandbox import commands, processes, servers
from tests.plain_browser import PlainBrowser
from tests.running_portal import PACE, RunningPortal
from tests.sandbox_server import Sandbox, start, until


@dataclass
class Deployment:
    """Starts and stops each part, in whatever order; people and teams are those of the demo."""

    portal: RunningPortal
    upstream: Sandbox
    postgres: servers.Postgres
    redis: servers.Redis
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_postgres(self) -> None:
        """Start PostgreSQL."""
        self._running["postgres"] = self.postgres.start(subprocess.DEVNULL)

    def start_redis(self) -> None:
        """Start Redis."""
        self._running["redis"] = self.redis.start(subprocess.DEVNULL)

    def stop_postgres(self) -> None:
        """Stop PostgreSQL, without waiting for its clients."""
        assert processes.stop(self._running.pop("postgres"), self.postgres.ends_with)

    def stop_redis(self) -> None:
        """Stop Redis."""
        assert processes.stop(self._running.pop("redis"), signal.SIGTERM)

    def kill(self, name: str) -> None:
        """End PostgreSQL or Redis as a power cut would."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        """End everything at once."""
        self.portal.stop()
        for process in self._running.values():
            process.kill()
            process.wait()

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers, asked as its superuser; nothing while it is away."""
        try:
            with self.postgres.connect("portal") as connection:
                return connection.execute(statement.encode(), values).fetchall()
        except psycopg.OperationalError:
            return []

    def comes_to(self, title: str, state: str, *, seconds: float = 60.0) -> None:
        """Wait until the operation of that title is in the state."""
        asked = "SELECT state FROM operations_operation WHERE title = %s"
        until(lambda: self.rows(asked, title) == [(state,)], seconds=seconds)

    def sign_in(self, email: str) -> PlainBrowser:
        """Return a browser in which that person is signed in."""
        browser = PlainBrowser(self.portal.address)
        browser.sign_in(email)
        return browser

    def orders(self) -> list[str]:
        """The names of the clusters that ITCare was asked to make, in order."""
        return [write["body"]["name"] for write in self.upstream.writes() if write["method"] == "POST"]


@contextmanager
def deployed(folder: Path, static_root: Path, *, durable: bool = False, **environment: str) -> Iterator[Deployment]:
    """Set a deployment up, with none of its parts running but the stand-in; leaving ends all of them.

    Args:
        folder: Where servers and logs write.
        static_root: The collected static files.
        durable: Whether PostgreSQL keeps what it committed when it is killed.
        environment: Further settings of the portal.
    """
    data = servers.data_folder(folder / "postgres")
    postgres = servers.Postgres(data, processes.free_port(), secrets.token_urlsafe(), durable=False)
    redis = servers.Redis(folder / "redis", processes.free_port(), secrets.token_urlsafe())
    owner, role = secrets.token_urlsafe(), secrets.token_urlsafe()
    logs = folder / "logs"
    logs.mkdir()
    with start(folder / "sandbox", speed=200) as upstream:
        whole = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            **PACE,
            "DATABASE_URL": postgres.url("portal_app", role, "portal"),
            "MIGRATION_DATABASE_URL": postgres.url("portal_owner", owner, "portal"),
            "REDIS_URL": redis.url,
            "ITCARE_BASE_URL": upstream.base_url,
            "ITCARE_TOKEN_URL": upstream.token_url,
            "ITCARE_CLIENT_ID": upstream.client_id,
            "ITCARE_CLIENT_SECRET": upstream.client_secret,
            "STATIC_ROOT": str(static_root),
            **environment,
        }
        running = Deployment(RunningPortal(whole, logs), upstream, postgres, redis)
        try:
            running.start_postgres()
            postgres.add_role("portal_owner", owner)
            postgres.add_role("portal_app", role)
            postgres.add_database("portal", "portal_owner")
            for command in (*commands.MIGRATE, commands.DEMO_DATA):
                done = running.portal.manage(*command[2:])
                assert done.returncode == 0, done.stderr
            running.stop_postgres()
            # Setting it up is not what can be lost.
            running.postgres = replace(postgres, durable=durable)
            yield running
        finally:
            running.stop_all()
            servers.remove(data)


@pytest.fixture
def deployment(tmp_path_factory: pytest.TempPathFactory, static_root: Path) -> Iterator[Deployment]:
    """Give a deployment whose database is set up, with none of its parts running but the stand-in."""
    with deployed(tmp_path_factory.mktemp("deployment"), static_root) as running:
        yield running
