"""How long each kind of list takes with few and with many clusters.

What else the machine does must not decide. So each load at one size is followed at once by the same load at the other,
taking turns in who is first: what slows the machine falls on both. The verdict is the median of the ratios of such
pairs. A few disturbed pairs do not move it, as they would an average; and it is not the ratio of the two quickest
loads, which compares two lucky moments and says nothing of the usual one. The quarters beside it tell how far to trust
it: where they are far apart, the machine was too busy.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from django.db import connection
from django.http import QueryDict
from django.test import Client

from benchmarks.ground import SIZES, model, on

WARM: Final = 3
PAIRS: Final = 24
PASSWORD: Final = "bench-Portal-1"  # noqa: S105 - of accounts that live as long as this run
# Services that each person's team has; support sees all of them.
TEAMS: Final = {"developer": 5, "planner": 100}


@dataclass(frozen=True)
class Measured:
    """What one address took at both sizes.

    Attributes:
        milliseconds: the median at each size.
        ratios: large to small, of each pair.
        queries: of one load at each size.
        rows: shown at each size.
    """

    milliseconds: tuple[float, float]
    ratios: tuple[float, ...]
    queries: tuple[int, int]
    rows: tuple[int, int]

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(self.ratios)

    @property
    def quarters(self) -> tuple[float, float]:
        """Between these lies the half of the ratios that is in the middle."""
        low, _, high = statistics.quantiles(self.ratios, n=4)
        return low, high


def people() -> None:
    """Make one who sees everything, one of a team with few services, one of a team with many."""
    users = model("accounts", "User").objects
    users.create_user(email("support"), PASSWORD, is_support=True)
    services = list(model("inventory", "Service").objects.all())
    for name, number in TEAMS.items():
        team = model("accounts", "Team").objects.create(slug=name, name=f"Team {name}")
        person = users.create_user(email(name), PASSWORD)
        model("accounts", "Membership").objects.create(user=person, team=team, role="developer")
        model("inventory", "Grant").objects.bulk_create(
            model("inventory", "Grant")(team=team, service=service) for service in services[:number]
        )


def email(name: str) -> str:
    """The address of that person."""
    return f"{name}@example.com"


def browser(name: str) -> Client:
    """A signed-in browser of that person, in the database in use."""
    made = Client()
    made.force_login(model("accounts", "User").objects.get(email=email(name)))
    return made


def far(query: str, who: str = "support") -> str:
    """The address of a page nine tenths into a view: its cursor, made from the row that stands there."""
    paging, queries = import_module("portal.web.paging"), import_module("portal.inventory.queries")
    view = queries.ListView.of(QueryDict(query))
    scope = queries.Scope.of(model("accounts", "User").objects.get(email=email(who)), view)
    rows = queries.clusters(view, scope)
    there = rows.order_by(*view.order)[rows.count() * 9 // 10]
    keys = [paging._key(rows, name) for name in view.order]
    cursor = paging._write(there, ["inventory.Cluster", *view.order], keys)
    return f"/clusters/?{view.query(after=cursor)}"


def addresses() -> dict[str, tuple[str, str]]:
    """What is measured in the database in use: who asks for what."""
    return {
        "list": ("support", "/clusters/"),
        "list of a team": ("developer", "/clusters/"),
        "list of a team, many services": ("planner", "/clusters/"),
        "list, newest version first": ("support", "/clusters/?sort=-version"),
        "filter by status": ("support", "/clusters/?status=INACTIVE"),
        "filter by status, of a team": ("developer", "/clusters/?status=INACTIVE"),
        "filter by version, by version": ("support", "/clusters/?version=15&sort=version"),
        "filter by three, by size": ("support", "/clusters/?environment=QA&topology=HA&version=15&sort=-size"),
        "filter by two values": ("support", "/clusters/?version=13&version=14&sort=support"),
        "search, many": ("support", "/clusters/?q=a"),
        "search, none": ("support", "/clusters/?q=nosuchname"),
        "deep page": ("support", far("")),
        "deep page of a team": ("planner", far("", "planner")),
        "deep page, filtered": ("support", far("status=ACTIVE")),
        "deep page, by what is filtered": ("support", far("topology=HA&version=15&sort=topology")),
        "deep page, by version": ("support", far("sort=-version")),
        "deep page, by topology": ("support", far("sort=topology")),
    }


def measure_all() -> dict[str, Measured]:
    """Measure each address at both sizes."""
    loads: dict[str, list[Callable[[], int]]] = {}
    for size in SIZES:
        with on(size):
            browsers = {name: browser(name) for name in ("support", *TEAMS)}
            for name, (who, address) in addresses().items():
                loads.setdefault(name, []).append(_load(browsers[who], address))
    return {name: _measure(*both) for name, both in loads.items()}


def _load(client: Client, address: str) -> Callable[[], int]:
    """What loads that page, and answers how many rows it shows."""

    def load() -> int:
        answer = client.get(address)
        if answer.status_code != 200:  # noqa: PLR2004 - HTTP's word for fine
            sys.exit(f"{address} answered {answer.status_code}")
        return answer.content.count(b"data-upstream-id")

    return load


def _measure(small: Callable[[], int], large: Callable[[], int]) -> Measured:
    """Load it in pairs."""
    loads = dict(zip(SIZES, (small, large), strict=True))
    told = [_count(size, load) for size, load in loads.items()]
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for turn in range(PAIRS):
        for size in SIZES if turn % 2 else reversed(SIZES):
            with on(size):
                began = time.perf_counter()
                loads[size]()
                times[size].append(time.perf_counter() - began)
    few, many = (times[size] for size in SIZES)
    return Measured(
        milliseconds=(statistics.median(few) * 1000, statistics.median(many) * 1000),
        ratios=tuple(later / earlier for earlier, later in zip(few, many, strict=True)),
        queries=(told[0][0], told[1][0]),
        rows=(told[0][1], told[1][1]),
    )


def _count(size: int, load: Callable[[], int]) -> tuple[int, int]:
    """Warm it up, and answer how many queries a load takes and how many rows it shows."""
    asked: list[str] = []

    def count(execute: Callable[..., object], sql: str, *rest: object) -> object:
        asked.append(sql)
        return execute(sql, *rest)

    with on(size):
        for _ in range(WARM):
            load()
        with connection.execute_wrapper(count):
            rows = load()
    return len(asked), rows
