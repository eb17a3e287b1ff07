"""Fixtures for all tests: the database under the portal's role, Redis, the environment of child processes."""

import os
import re
import secrets
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import redis
from django.core.management.commands import flush
from django.db import connection
from kombu import pools
from psycopg import sql
from pytest_django import DjangoDbBlocker

from portal.celery import app
from sandbox import commands, processes, servers
from tests.cast import cast, upstream  # noqa: F401 - fixtures
from tests.faults.asked import pytest_runtest_call  # noqa: F401 - a hook
from tests.journeys.deployment import deployment, prepared  # noqa: F401 - fixtures
from tests.running_portal import portal, running_cast, static_root  # noqa: F401 - fixtures
from tests.settings import OWNER_DATABASE, PORTAL_DATABASE
from tests.shared import made_once

ROOT = Path(__file__).parent.parent
# The same for all tests, and costly to make for each.
MADE_BY_MIGRATING = {"django_content_type", "auth_permission"}


# Folders whose tests take longest, most of it waiting.
SLOW = (("browser",), ("faults",), ("ground", "journeys"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each of several processes begin with other slow tests, so that none is left with one of them at the end.

    Each process is given a stretch of the list to begin with; whoever is done takes from the end of another's.
    """
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if count < 2:
        return
    tests = Path(__file__).parent
    heads: list[list[pytest.Item]] = [[] for _ in range(count)]
    rest: list[pytest.Item] = []
    places = {folder: number % count for number, group in enumerate(SLOW) for folder in group}
    for item in items:
        place = places.get(item.path.relative_to(tests).parts[0])
        (rest if place is None else heads[place]).append(item)
    stretch, items[:] = len(items) // count, []
    for head in heads:
        missing = max(0, stretch - len(head))
        items += [*head, *rest[:missing]]
        rest = rest[missing:]
    items += rest


def as_owner() -> psycopg.Connection:
    """Connect to the test database as the role that owns the tables."""
    database = connection.settings_dict
    return psycopg.connect(
        host=database["HOST"],
        port=database["PORT"],
        dbname=database["NAME"],
        user=OWNER_DATABASE["USER"],
        password=OWNER_DATABASE["PASSWORD"],
    )


class _KeptOwner:
    """A connection as the owner that is kept between tests: making one takes longer than emptying the tables."""

    def __init__(self) -> None:
        self._kept: psycopg.Connection | None = None

    def connected(self) -> psycopg.Connection:
        """The connection; another one where a test has cut it."""
        try:
            if self._kept is not None:
                self._kept.execute("SELECT 1")
        except psycopg.OperationalError:
            self._kept = None
        if self._kept is None:
            self._kept = as_owner()
            self._kept.autocommit = True
        return self._kept

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()

    def flush(self, statements: Iterable[str]) -> None:
        """Empty tables: the portal's role may not, and the audit table's triggers let nobody.

        Only what holds rows is emptied, row by row: truncating makes new files for every table and index each time,
        which took longer than most tests. The foreign keys are checked at the end of the transaction. What migrating
        made stays.
        """
        owner = self.connected()
        with owner.transaction():
            triggers = [
                row[0]
                for row in owner.execute(
                    "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass('audit_entry') AND NOT tgisinternal"
                )
            ]
            if triggers:
                owner.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
            # Decisions refer to their requests by a key that is not deferred: they go before them.
            named = re.findall(r'"([^"]+)"', "".join(statements))
            found = _holding_rows(owner, set(named) - MADE_BY_MIGRATING)
            for name in sorted(found, key=lambda name: name != "changes_decision"):
                owner.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
            for trigger in triggers:
                # Beside checks that are still due, a table cannot be altered.
                owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
                enable = sql.SQL("ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER {}").format(sql.Identifier(trigger))
                owner.execute(enable)


def _holding_rows(owner: psycopg.Connection, tables: Iterable[str]) -> list[str]:
    """Those of the tables that are not empty."""
    asked = [
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
        for name in sorted(tables)
    ]
    return [row[0] for row in owner.execute(sql.SQL(" UNION ALL ").join(asked))] if asked else []


def _migrate(_folder: Path) -> dict[str, str]:
    """Make a database with all tables."""
    name = "portal_migrated"
    owner = {part: str(OWNER_DATABASE[part]) for part in ("USER", "PASSWORD", "HOST", "PORT")}
    with psycopg.connect(
        host=owner["HOST"], port=owner["PORT"], dbname="postgres", user=owner["USER"], password=owner["PASSWORD"]
    ) as server:
        server.autocommit = True
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = f"postgresql://{owner['USER']}:{quote(owner['PASSWORD'], safe='')}@{owner['HOST']}:{owner['PORT']}/{name}"
    environment = {**os.environ, "MIGRATION_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    migrate, *_ = commands.MIGRATE
    subprocess.run(commands.of_this_python((*migrate, "--verbosity", "0")), cwd=ROOT, env=environment, check=True)
    return {"name": name}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Let each process copy a database that was migrated once, which takes as long as a hundred tests."""
    connection.settings_dict["TEST"]["TEMPLATE"] = made_once("migrated", _migrate)["name"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let the owner make the test database, then be the portal's role in every thread until the session ends."""
    with as_owner() as owner:
        name = sql.Identifier(connection.settings_dict["NAME"])
        owner.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(name))

    def become(role: dict[str, Any]) -> None:
        with django_db_blocker.unblock():
            connection.close()
        connection.settings_dict.update({name: role[name] for name in ("USER", "PASSWORD")})

    kept = _KeptOwner()
    owner_role = {name: connection.settings_dict[name] for name in ("USER", "PASSWORD")}
    with pytest.MonkeyPatch.context() as patch:
        # On the class: while an event loop runs in the thread, Django hands out another connection object.
        patch.setattr(type(connection.ops), "execute_sql_flush", kept.flush)
        # It would make again, after each test, what was not emptied.
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: None)
        become(PORTAL_DATABASE)
        yield
        kept.close()
        become(owner_role)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Redis]:
    """Start one Redis for the tests of this process. A test that kills or freezes Redis starts its own."""
    folder, password = tmp_path_factory.mktemp("redis"), secrets.token_urlsafe()
    server = servers.Redis(folder, processes.free_port(), password, durable=False)
    process = server.start(subprocess.DEVNULL)
    yield server
    processes.stop(process)


@pytest.fixture
def redis_url(redis_server: servers.Redis) -> str:
    """Return the address of an empty Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@contextmanager
def published_to(url: str) -> Iterator[None]:
    """Let the portal in this process publish to that Redis; otherwise publishing meets a closed port."""

    def publish_to(url: str) -> None:
        app.conf["broker_url"] = url
        # Connections are pooled for the whole process.
        pools.reset()
        app._after_fork()  # type: ignore[attr-defined]

    before = app.conf.broker_url
    publish_to(url)
    try:
        yield
    finally:
        publish_to(before)


@pytest.fixture
def broker(redis_url: str) -> Iterator[str]:
    """Let the portal in this process publish to the Redis of all tests, emptied."""
    with published_to(redis_url):
        yield redis_url


@pytest.fixture
def portal_environment(transactional_db: None) -> dict[str, str]:
    """Return the environment for a child process that is the real portal on this test's database."""
    database = connection.settings_dict
    role, password = quote(database["USER"]), quote(database["PASSWORD"], safe="")
    url = f"postgresql://{role}:{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
