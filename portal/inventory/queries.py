"""The list of clusters as its address describes it: search, filters, order. Each piece has an index that serves it.

Nothing is counted: a count reads every row it counts, and the list must not slow down with their number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self
from urllib.parse import urlencode

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import F, Func, Q, Value
from django.http import QueryDict

from portal.accounts import rights
from portal.accounts.models import User
from portal.inventory.models import MAJOR_DIGITS, MINORS, Cluster, ClusterQuerySet, Service

# Query name to column. Topology and version are known only once a cluster was read itself.
FACETS: Final = {
    "environment": "environment",
    "status": "shown_status",
    "version": "version_major",
    "topology": "topology",
    "support": "support_phase",
}
# Told by each cluster's own page at ITCare, not by the list.
READ_LATER: Final = ("version", "topology")
SORTS: Final = {
    "name": "name",
    "status": "shown_status",
    "version": "version_order",
    "size": "size_order",
    "topology": "topology",
    "support": "support_order",
}
# What one address may hold, and what one filter offers.
MOST_VALUES: Final = 50
_LONGEST: Final = 100
_LONGEST_NUMBER: Final = 18
# Services that a search by name may fit, for those who see all; one that fits more is no search.
_MOST_SERVICES: Final = 1000


@dataclass(frozen=True)
class ListView:
    """One view of the list. Two addresses that mean the same have the same `query()`."""

    q: str = ""
    services: tuple[int, ...] = ()
    """Upstream numbers."""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a facet to its values; without those that have none."""
    sort: str = "name"
    """One of SORTS, with "-" for descending."""

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        """Read an address; what it cannot mean is left out."""
        sort = query.get("sort", "")
        numbers = {int(text) for text in query.getlist("service") if _is_number(text)}
        chosen = {name: _values(query.getlist(name)) for name in FACETS}
        return cls(
            q=_clean(query.get("q", "")),
            services=tuple(sorted(numbers)[:MOST_VALUES]),
            chosen={name: values for name, values in chosen.items() if values},
            sort=sort if sort.removeprefix("-") in SORTS else "name",
        )

    @property
    def filtered(self) -> bool:
        """Whether it narrows the list by a facet."""
        return bool(self.services or self.chosen)

    def query(self, **more: str) -> str:
        """The canonical query string, without "?"; empty for the plain list."""
        pairs = [("q", self.q)] if self.q else []
        pairs += [("service", str(number)) for number in self.services]
        pairs += [(name, value) for name in FACETS for value in self.chosen.get(name, ())]
        pairs += [("sort", self.sort)] if self.sort != "name" else []
        return urlencode([*pairs, *((name, value) for name, value in more.items() if value)])

    def by(self, sort: str) -> Self:
        """The same view in another order."""
        return replace(self, sort=sort)

    @property
    def order(self) -> list[str]:
        """Columns of the order, all one way and never empty, so that an index brings any page of it.

        A column of which one value is left orders nothing: without it, other filters' indexes bring the order too.
        """
        sign = "-" if self.sort.startswith("-") else ""
        column = SORTS[self.sort.removeprefix("-")]
        settled = any(FACETS[name] == column for name, values in self.chosen.items() if len(values) == 1)
        return [sign + name for name in dict.fromkeys(["name" if settled else column, "name", "pk"])]


@dataclass(frozen=True)
class Scope:
    """The services that a view is about, read once for everything that needs them."""

    visible: tuple[Service, ...] | None
    """All that the person may see; None when that is all there are."""
    chosen: tuple[int, ...]
    """Our numbers of those that the view narrows the list to, if it does."""
    named: tuple[int, ...]
    """Our numbers of those whose names fit the search."""

    @classmethod
    def of(cls, user: User, view: ListView) -> Self:
        """Read them: all that the person may see, or for those who see everything, those that the view names."""
        everything = rights.reads_everything(user)
        rows = Service.objects.visible_to(user)
        if everything:
            named = Q(name__icontains=view.q) if view.q else Q(pk__in=())
            rows = rows.filter(named | Q(upstream_id__in=view.services))[:_MOST_SERVICES]
        known = tuple(rows) if view.q or view.services or not everything else ()
        return cls(
            visible=None if everything else known,
            chosen=tuple(service.pk for service in known if service.upstream_id in view.services),
            named=tuple(service.pk for service in known if view.q and view.q.lower() in service.name.lower()),
        )


def clusters(view: ListView, scope: Scope) -> ClusterQuerySet:
    """The clusters of a view that the person of the scope may see, in no order yet.

    Services come as numbers and not as a subquery: PostgreSQL then knows how many clusters to expect, and chooses
    between walking the order and gathering the few.
    """
    rows = Cluster.objects.select_related("service")
    if scope.visible is not None:
        rows = rows.filter(service__in=[service.pk for service in scope.visible])
    if view.services:
        rows = rows.filter(service__in=scope.chosen)
    for name, values in view.chosen.items():
        # One value is an equality, with which the index also brings the order.
        rows = rows.filter(**({FACETS[name]: values[0]} if len(values) == 1 else {f"{FACETS[name]}__in": values}))
    if "version" in view.chosen and view.sort.removeprefix("-") == "version":
        # The walk in the order of versions begins and ends at those chosen; PostgreSQL does not know how they stand.
        orders = [_version_order(value) for value in view.chosen["version"]]
        rows = rows.filter(version_order__gte=min(orders), version_order__lt=max(orders) + MINORS)
    return rows.filter(_found(view.q, scope)) if view.q else rows


def _version_order(major: str) -> int:
    """The first place in the order of versions for this one, whatever its minor version."""
    digits = "".join(letter for letter in major if letter in "0123456789")
    return int(digits[:MAJOR_DIGITS] or 0) * MINORS


def _found(words: str, scope: Scope) -> Q:
    """Clusters with these words in their name or their service's, or at the beginning of their address."""
    name = Q(_has_grams(words), name__icontains=words)
    return name | Q(service__in=scope.named) | Q(ip_address__startswith=words)


def _has_grams(words: str) -> Func:
    """Names with all parts of three characters of these words, or with the words themselves when they are shorter."""
    low = words.lower()
    parts = sorted({low[first : first + 3] for first in range(max(1, len(low) - 2))})
    return Func(
        Func(F("name"), function="inventory_grams"),
        Value(parts, output_field=ArrayField(models.TextField())),
        template="%(expressions)s",
        arg_joiner=" @> ",
        output_field=models.BooleanField(),
    )


def offered(view: ListView, scope: Scope) -> dict[str, list[str]]:
    """The values that each facet offers: of clusters that the person of the scope may see, and those chosen.

    One query for all facets, whatever the number of clusters: the next value is one step into an index, or one for each
    service where a person sees some of them.
    """
    table = connection.ops.quote_name(Cluster._meta.db_table)  # noqa: SLF001 - _meta is Django's documented interface
    parts = []
    for name, column in FACETS.items():
        # Names are constants of this module: nothing from outside comes in.
        first = f"SELECT {column} FROM {table} WHERE {column} > told.value"  # noqa: S608
        if scope.visible is not None:
            # A walk of each service's own part of an index: one over all services would read all their clusters.
            first = (
                f"SELECT {column} FROM unnest(%(services)s::bigint[]) AS service CROSS JOIN LATERAL"  # noqa: S608
                f" ({first} AND service_id = service ORDER BY {column} LIMIT 1) AS firsts"
            )
        parts.append(
            f"(WITH RECURSIVE told(value, number) AS (SELECT ''::text, 0 UNION ALL"  # noqa: S608
            f" SELECT ({first} ORDER BY {column} LIMIT 1)::text, number + 1"
            f" FROM told WHERE value IS NOT NULL AND number < {MOST_VALUES})"
            f" SELECT '{name}', value FROM told WHERE value <> '')"
        )
    found: dict[str, set[str]] = {name: set(view.chosen.get(name, ())) for name in FACETS}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), {"services": [service.pk for service in scope.visible or ()]})
        for name, value in cursor.fetchall():
            found[name].add(value)
    return {name: sorted(values, key=_natural, reverse=name == "version") for name, values in found.items()}


def offered_services(view: ListView, scope: Scope) -> list[Service]:
    """Services to filter by, those chosen first; when there are many, the search finds the others by their names."""
    if scope.visible is not None:
        return sorted(scope.visible, key=lambda service: service.upstream_id not in view.services)[:MOST_VALUES]
    chosen = models.Case(models.When(upstream_id__in=view.services, then=0), default=1) if view.services else Value(1)
    return list(Service.objects.order_by(chosen, "name", "upstream_id")[:MOST_VALUES])


def some_unread(scope: Scope) -> bool:
    """Whether the person may see clusters whose own page was never read: filters by what it tells do not find them."""
    rows = Cluster.objects.filter(read_at=None, gone_at=None)
    if scope.visible is not None:
        rows = rows.filter(service__in=[service.pk for service in scope.visible])
    return rows.exists()


def _values(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({_clean(text) for text in texts} - {""}, key=_natural)[:MOST_VALUES])


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()[:_LONGEST].strip()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def _natural(value: str) -> tuple[int, str]:
    return (int(value), value) if _is_number(value) else (-1, value)
