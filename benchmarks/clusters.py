"""`make bench`: the list of clusters with 1,000 and with 100,000 of them, in one run, on a PostgreSQL of its own.

It ends with 1 when a page takes more than twice as long with 100,000, or another number of queries, or when the export
holds more memory the more rows it sends.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import django
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import setup_test_environment

from sandbox import processes, servers

if TYPE_CHECKING:
    from django.http import StreamingHttpResponse

SIZES = (1_000, 100_000)
MOST = 2.0
ROUNDS = 10
# What the export may add to the process while it sends everything, in MB.
MOST_MEMORY = 16.0
SERVICES = """
INSERT INTO inventory_service (upstream_id, name, environment, cloud_name)
SELECT n, 'SERVICE ' || n, (ARRAY['DEVELOPMENT', 'QA', 'PRODUCTION'])[1 + n % 3], '' FROM generate_series(1, 200) AS n
"""
CLUSTERS = """
INSERT INTO inventory_cluster ({columns})
SELECT {values} FROM generate_series({first}, {last}) AS n
"""
# Names in no order; every value of a facet is there at both sizes.
VALUES = {
    "upstream_id": "n",
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


@dataclass(frozen=True)
class Measured:
    """What one page took: milliseconds of the quickest load, its queries, its rows."""

    milliseconds: float
    queries: int
    rows: int


def start(folder: Path) -> Callable[[], None]:
    """Start PostgreSQL, point the settings at it, migrate; answers how to stop it."""
    folder.chmod(0o711)
    postgres = servers.Postgres(folder / "data", processes.free_port(), secrets.token_urlsafe(), durable=False)
    process = postgres.start(subprocess.DEVNULL)
    owner, portal = secrets.token_urlsafe(), secrets.token_urlsafe()
    postgres.add_role("portal_owner", owner)
    postgres.add_role("portal_app", portal)
    postgres.add_database("portal", "portal_owner")
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "HTTPS": "false",
            "DATABASE_URL": postgres.url("portal_app", portal, "portal"),
            "MIGRATION_DATABASE_URL": postgres.url("portal_owner", owner, "portal"),
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "ITCARE_BASE_URL": "http://127.0.0.1:1/itcare",
            "ITCARE_TOKEN_URL": "http://127.0.0.1:1/token",
            "ITCARE_CLIENT_ID": "bench",
            "ITCARE_CLIENT_SECRET": secrets.token_urlsafe(),
        }
    )
    return lambda: processes.stop(process, postgres.ends_with)


def grow(first: int, last: int) -> None:
    """Make the clusters of these numbers, as the database likes them after a while."""
    optional = {
        field.column: "''"
        for field in _model("inventory", "Cluster")._meta.concrete_fields
        if not field.generated and not field.null and field.column not in {*VALUES, "id", "first_seen_at", "changed_at"}
    }
    values = {**optional, **VALUES}
    statement = CLUSTERS.format(columns=", ".join(values), values=", ".join(values.values()), first=first, last=last)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE inventory_cluster")


def _model(app: str, name: str) -> Any:  # noqa: ANN401 - models cannot be imported before the settings stand
    return apps.get_model(app, name)


def people() -> dict[str, Client]:
    """One who sees everything, and one of a team with five services."""
    users = _model("accounts", "User").objects
    support = users.create_user("support@example.com", "bench-Portal-1", is_support=True)
    developer = users.create_user("developer@example.com", "bench-Portal-1")
    team = _model("accounts", "Team").objects.create(slug="alpha", name="Team Alpha")
    _model("accounts", "Membership").objects.create(user=developer, team=team, role="developer")
    for service in _model("inventory", "Service").objects.all()[:5]:
        _model("inventory", "Grant").objects.create(team=team, service=service)
    browsers = {"support": Client(), "developer": Client()}
    browsers["support"].force_login(support)
    browsers["developer"].force_login(developer)
    return browsers


def far(query: str) -> str:
    """The address of a page nine tenths into a view: its cursor, made from the row that stands there."""
    paging, queries = import_module("portal.web.paging"), import_module("portal.inventory.queries")
    view = queries.ListView.of(QueryDict(query))
    scope = queries.Scope.of(_model("accounts", "User").objects.get(email="support@example.com"), view)
    rows = queries.clusters(view, scope)
    there = rows.order_by(*view.order)[rows.count() * 9 // 10]
    keys = [paging._key(rows, name) for name in view.order]
    cursor = paging._write(there, ["inventory.Cluster", *view.order], keys)
    return f"/clusters/?{view.query(after=cursor)}"


def addresses() -> dict[str, tuple[str, str]]:
    """What is measured: who asks for what."""
    return {
        "list": ("support", "/clusters/"),
        "list of a team": ("developer", "/clusters/"),
        "list, newest version first": ("support", "/clusters/?sort=-version"),
        "filter by status": ("support", "/clusters/?status=INACTIVE"),
        "filter by three, by size": ("support", "/clusters/?environment=QA&topology=HA&version=15&sort=-size"),
        "filter by two values": ("support", "/clusters/?version=13&version=14&sort=support"),
        "search, many": ("support", "/clusters/?q=a"),
        "search, none": ("support", "/clusters/?q=nosuchname"),
        "deep page": ("support", far("")),
        "deep page, filtered": ("support", far("status=ACTIVE")),
        "deep page, by version": ("support", far("sort=-version")),
    }


def measure(browser: Client, address: str) -> Measured:
    """Load a page some times."""
    for _ in range(3):
        answer = browser.get(address)
    asked: list[str] = []

    def count(execute: Callable[..., object], sql: str, *rest: object) -> object:
        asked.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(count):
        answer = browser.get(address)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = browser.get(address)
        times.append(time.perf_counter() - began)
    if answer.status_code != 200:  # noqa: PLR2004 - HTTP's word for fine
        sys.exit(f"{address} answered {answer.status_code}")
    return Measured(min(times) * 1000, len(asked), answer.content.count(b"data-upstream-id"))


def memory() -> float:
    """What the process holds now, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def exported(browser: Client) -> tuple[int, float]:
    """Send the whole export; answers its rows and what it added to the process at most, in MB."""
    before = most = memory()
    rows = 0
    answer = cast("StreamingHttpResponse", browser.get("/clusters.csv"))
    for rows, _ in enumerate(answer):
        if rows % 500 == 0:
            most = max(most, memory())
    return rows, max(most, memory()) - before


def run() -> bool:
    """Measure, print, and answer whether all bounds hold."""
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(SERVICES)
    browsers = people()
    taken: list[dict[str, Measured]] = []
    exports: list[tuple[int, float]] = []
    before = 0
    for size in SIZES:
        grow(before + 1, size)
        before = size
        taken.append({name: measure(browsers[who], address) for name, (who, address) in addresses().items()})
        if size == SIZES[0]:
            # What any first export loads is not counted; at the larger size, a first one would hide what rows take.
            exported(browsers["support"])
        exports.append(exported(browsers["support"]))
    small, large = taken
    print(f"{'':28}{SIZES[0]:>12,}{SIZES[1]:>12,}{'ratio':>8}{'queries':>10}")
    sound = True
    for name, few in small.items():
        many = large[name]
        ratio = many.milliseconds / few.milliseconds
        # None at all would mean that nothing was counted.
        fine = ratio <= MOST and 0 < few.queries == many.queries
        sound = sound and fine
        print(
            f"{name:28}{few.milliseconds:>9.1f} ms{many.milliseconds:>9.1f} ms{ratio:>8.2f}"
            f"{few.queries:>6}{many.queries:>4}  {'' if fine else 'TOO MUCH'}"
        )
    (few_rows, few_mb), (many_rows, many_mb) = exports
    fine = many_mb <= MOST_MEMORY and (few_rows, many_rows) == SIZES
    sound = sound and fine
    print(f"{'CSV, memory added':28}{few_mb:>9.1f} MB{many_mb:>9.1f} MB{'' if fine else '  TOO MUCH'}")
    return sound


def main() -> int:
    """Run it with servers of its own."""
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    stop = start(folder)
    try:
        django.setup()
        setup_test_environment()
        return 0 if run() else 1
    finally:
        connection.close()
        stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
