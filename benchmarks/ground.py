"""Two databases alike but for their number of clusters, on a PostgreSQL of their own, side by side in one process."""

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import django
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import call_command
from django.db import connection, connections
from django.test.utils import setup_test_environment
from psycopg import sql

from sandbox import processes, servers

SIZES: Final = (1_000, 100_000)
OWNER: Final = "portal_owner"
SERVICES: Final = """
INSERT INTO inventory_service (upstream_id, name, environment, cloud_name)
SELECT n, 'SERVICE ' || n, (ARRAY['DEVELOPMENT', 'QA', 'PRODUCTION'])[1 + n % 3], '' FROM generate_series(1, 200) AS n
"""
CLUSTERS: Final = """
INSERT INTO inventory_cluster ({columns})
SELECT {values} FROM generate_series(1, {size}) AS n
"""
# Names in no order; every value of a facet is there at both sizes.
VALUES: Final = {
    "upstream_id": "n",
    "resource_id": "900000000 + n",
    "name": "'pg' || substr(md5(n::text), 1, 10)",
    "service_id": "(SELECT min(id) FROM inventory_service) + n % 200",
    "status": "(ARRAY['ACTIVE', 'ACTIVE', 'ACTIVE', 'INACTIVE'])[1 + n / 3 % 4]",
    "environment": "(ARRAY['DEVELOPMENT', 'QA', 'PRODUCTION'])[1 + (n % 200) % 3]",
    "version": "(12 + n / 5 % 6)::text",
    "topology": "(ARRAY['STANDALONE', 'HA'])[1 + n / 7 % 2]",
    "support_phase": "(ARRAY['STANDARD', 'EXTENDED'])[1 + n / 11 % 2]",
    "cpu": "2 + n % 5",
    "ram": "4 + n % 7",
    "storage": "40 + n % 100",
    "ip_address": "'10.' || n / 65536 || '.' || n / 256 % 256 || '.' || n % 256",
    "end_of_support_at": "timestamptz '2026-01-01 00:00Z' + n % 1500 * interval '1 day'",
    "read_at": "now()",
    "tried_at": "now()",
    "offered_versions": "'[]'::jsonb",
    "protected": "false",
}


def model(app: str, name: str) -> Any:  # noqa: ANN401 - models cannot be imported before the settings stand
    """The model of that name."""
    return apps.get_model(app, name)


def database(size: int) -> str:
    """The name of the database with so many clusters."""
    return f"portal_{size}"


def start(folder: Path) -> tuple[servers.Postgres, Callable[[], object]]:
    """Start PostgreSQL and point the settings at it; answers it and how to stop it."""
    folder.chmod(0o711)
    postgres = servers.Postgres(folder / "data", processes.free_port(), secrets.token_urlsafe(), durable=False)
    process = postgres.start(subprocess.DEVNULL)
    owner, portal = secrets.token_urlsafe(), secrets.token_urlsafe()
    postgres.add_role(OWNER, owner)
    postgres.add_role("portal_app", portal)
    first = database(SIZES[0])
    postgres.add_database(first, OWNER)
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "HTTPS": "false",
            "DATABASE_URL": postgres.url("portal_app", portal, first),
            "MIGRATION_DATABASE_URL": postgres.url(OWNER, owner, first),
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "ITCARE_BASE_URL": "http://127.0.0.1:1/itcare",
            "ITCARE_TOKEN_URL": "http://127.0.0.1:1/token",
            "ITCARE_CLIENT_ID": "bench",
            "ITCARE_CLIENT_SECRET": secrets.token_urlsafe(),
        }
    )
    return postgres, lambda: processes.stop(process, postgres.ends_with)


def memory() -> float:
    """What the process holds now, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def settle() -> None:
    """Bring Django up."""
    django.setup()
    setup_test_environment()


def make(postgres: servers.Postgres, people: Callable[[], None]) -> None:
    """Make the databases: tables, services and people once, then copies with as many clusters as each is to have."""
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(SERVICES)
    people()
    connection.close()
    for size in SIZES[1:]:
        with postgres.connect() as superuser:
            names = [sql.Identifier(name) for name in (database(size), OWNER, database(SIZES[0]))]
            superuser.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*names))
    for size in SIZES:
        with on(size):
            _grow(size)


_open: dict[int, Any] = {}


@contextmanager
def on(size: int) -> Iterator[None]:
    """Let everything in this process work on the database with so many clusters; connections stay open."""
    if size not in _open:
        _open[size] = connections.create_connection("default")
        _open[size].settings_dict = {**_open[size].settings_dict, "NAME": database(size)}
    before = connections["default"]
    connections["default"] = _open[size]
    try:
        yield
    finally:
        connections["default"] = before


def close() -> None:
    """Close all connections."""
    for opened in [*_open.values(), connections["default"]]:
        opened.close()


def _grow(size: int) -> None:
    """Make so many clusters, as the database likes them after a while."""
    optional = {
        field.column: "''"
        for field in model("inventory", "Cluster")._meta.concrete_fields
        if not field.generated and not field.null and field.column not in {*VALUES, "id", "first_seen_at", "changed_at"}
    }
    values = {**optional, **VALUES}
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(CLUSTERS.format(columns=", ".join(values), values=", ".join(values.values()), size=size))
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
