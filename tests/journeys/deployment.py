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
from tests.shared import made_once


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

    def comes_to(self, title: str, state: str, *, seconds: float = 180.0) -> None:
        """Wait until the operation of that title is in the state; on a busy machine that takes a while."""
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


@dataclass(frozen=True)
class Prepared:
    """A database with everybody of the demo, set up once and copied for each deployment.

    Attributes:
        postgres: Its server, which does not run.
        owner: Password of the role that owns the tables.
        role: Password of the portal's role.
    """

    postgres: servers.Postgres
    owner: str
    role: str

    def copied_to(self, folder: Path) -> servers.Postgres:
        """Copy it for a server of its own."""
        data = servers.data_folder(folder)
        # With its owner, who is not us where we are root.
        subprocess.run(["cp", "-a", self.postgres.data, data], check=True)  # noqa: S607 - the system's own
        return replace(self.postgres, data=data, port=processes.free_port())

    def environment(self, postgres: servers.Postgres) -> dict[str, str]:
        """Tell a process of the portal to use that copy."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": postgres.url("portal_app", self.role, "portal"),
            "MIGRATION_DATABASE_URL": postgres.url("portal_owner", self.owner, "portal"),
        }


def _prepare(folder: Path) -> dict[str, str]:
    """Set a deployment's database up, as an administrator does."""
    data = servers.data_folder(folder / "postgres")
    postgres = servers.Postgres(data, processes.free_port(), secrets.token_urlsafe(), durable=False)
    made = Prepared(postgres, secrets.token_urlsafe(), secrets.token_urlsafe())
    process = postgres.start(subprocess.DEVNULL)
    try:
        postgres.add_role("portal_owner", made.owner)
        postgres.add_role("portal_app", made.role)
        postgres.add_database("portal", "portal_owner")
        portal = RunningPortal(made.environment(postgres), folder)
        for command in (*commands.MIGRATE, commands.DEMO_DATA):
            done = portal.manage(*command[2:])
            assert done.returncode == 0, done.stderr
    finally:
        processes.stop(process, postgres.ends_with)
    return {"data": str(data), "password": postgres.password, "owner": made.owner, "role": made.role}


@pytest.fixture(scope="session")
def prepared() -> Prepared:
    """Give a deployment's database; it is set up once in a run, because that takes ten seconds."""
    made = made_once("prepared", _prepare)
    postgres = servers.Postgres(Path(made["data"]), processes.free_port(), made["password"], durable=False)
    return Prepared(postgres, made["owner"], made["role"])


@contextmanager
def deployed(
    folder: Path, static_root: Path, prepared: Prepared, *, durable: bool = False, **environment: str
) -> Iterator[Deployment]:
    """Give a deployment with none of its parts running but the stand-in; leaving ends all of them.

    Args:
        folder: Where servers and logs write.
        static_root: The collected static files.
        prepared: The database that it begins with.
        durable: Whether PostgreSQL keeps what it committed when it is killed.
        environment: Further settings of the portal.
    """
    postgres = replace(prepared.copied_to(folder / "postgres"), durable=durable)
    redis = servers.Redis(folder / "redis", processes.free_port(), secrets.token_urlsafe())
    logs = folder / "logs"
    logs.mkdir()
    with start(folder / "sandbox", speed=200) as upstream:
        whole = {
            **prepared.environment(postgres),
            **PACE,
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
            yield running
        finally:
            running.stop_all()
            servers.remove(postgres.data)


@pytest.fixture
def deployment(tmp_path_factory: pytest.TempPathFactory, static_root: Path, prepared: Prepared) -> Iterator[Deployment]:
    """Give a deployment whose database is set up, with none of its parts running but the stand-in."""
    with deployed(tmp_path_factory.mktemp("deployment"), static_root, prepared) as running:
        yield running
