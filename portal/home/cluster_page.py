"""The page of one cluster: what ITCare tells of it, part by part, and what happens to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, Subquery, prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.accounts.http import Request, signed_in
from portal.accounts.models import User
from portal.catalog.kinds import ON_CLUSTER
from portal.catalog.on_cluster import ClusterKind
from portal.catalog.upgrade import versions_above
from portal.home import facts
from portal.home.connect import connection
from portal.home.past import past
from portal.inventory.models import Cluster, Part, PartName, Service
from portal.inventory.refresh import refresh
from portal.operations import start
from portal.operations.models import Concern, Operation, Situation
from portal.operations.refresh import refresh_history
from portal.web.live import stamp, unchanged

OVERVIEW: Final = "overview"
PARTS: Final = tuple(PartName.values)
LATELY: Final = 5  # operations on the overview


@dataclass(frozen=True)
class Tab:
    """A part of the page with an address of its own."""

    name: str
    label: str
    address: str


@require_safe
@signed_in
def detail(request: Request, cluster_id: int, part: str = OVERVIEW) -> HttpResponse:
    """Show a part of one cluster; opening it asks for a fresh reading of what is older than a minute."""
    askable = Service.objects.askable_by(request.user).filter(pk=OuterRef("service"))
    drifted = Concern.objects.open().filter(cluster=OuterRef("pk"), operation=None, situation=Situation.DRIFT)
    # What was told while the cluster was another service's is for that one's people.
    drifted = drifted.filter(Q(service=OuterRef("service")) | Q(service=None))
    rows = Cluster.objects.visible_to(request.user).select_related("service")
    rows = rows.annotate(askable=Exists(askable), drift=Subquery(drifted.values("words")[:1]))
    cluster = get_object_or_404(rows, pk=cluster_id)
    if refresh(cluster):
        refresh_history(cluster)
    lately = list(
        Operation.objects.visible_to(request.user)
        .filter(cluster=cluster)
        .select_related("requester", "approver")
        .order_by("-pk")[:LATELY]
    )
    # After what was asked for just now, and once for all that look at them.
    prefetch_related_objects([cluster], "parts")
    readings = {reading.name: reading for reading in cluster.parts.all()}
    after = request.GET.get("after", "")
    mark = _stamp(cluster, part, lately, readings)
    if request.htmx and (nothing := unchanged(request, mark)):
        return nothing
    tabs = _tabs(cluster)
    here = next(tab for tab in tabs if tab.name == part)
    context = {
        "cluster": cluster,
        "lately": lately,
        # An unfinished operation keeps others from being started: it is the newest.
        "running": next((operation for operation in lately if not operation.finished), None),
        "tabs": tabs,
        "here": here,
        "template": f"inventory/parts/{part}.html",
        "reading": readings.get(part),
        "may_ask": _may_ask(cluster),
        "poll": f"{here.address}?{urlencode({'after': after, 'seen': mark} if after else {'seen': mark})}",
        **_CONTENTS[part](request, cluster),
    }
    return render(request, "inventory/detail.html#live" if request.htmx else "inventory/detail.html", context)


def _stamp(cluster: Cluster, part: str, lately: list[Operation], readings: Mapping[str, Part]) -> str:
    # What can be asked for hangs on databases, extensions and versions, and is offered on the overview.
    # A part that is only waited for shows nothing yet.
    told = [row for _, row in sorted(readings.items()) if row.read_at or row.failed]
    read = [(row.name, row.read_at, row.failed) for row in told]
    return stamp(
        cluster.pk,
        part,
        cluster.changed_at,
        cluster.read_at,
        cluster.drift,  # type: ignore[attr-defined]  # annotated in `detail`
        *(str(each) for row in read for each in row),
        *(row.changed_at for row in lately),
    )


def _tabs(cluster: Cluster) -> list[Tab]:
    parts = [Tab(name, PartName(name).label, reverse(f"cluster_{name}", args=[cluster.pk])) for name in PARTS]
    return [Tab(OVERVIEW, "Overview", cluster.get_absolute_url()), *parts]


def _may_ask(cluster: Cluster) -> bool:
    """Whether the person may ask for a change of this cluster at all."""
    return cluster.gone_at is None and bool(cluster.askable)  # type: ignore[attr-defined]  # annotated in `detail`


def _asks(asker: User, cluster: Cluster) -> list[tuple[ClusterKind, str]]:
    """What can be asked for on this cluster, each with the reason where the person cannot ask it now."""
    busy = start.busy(name=cluster.name, cluster=cluster)
    return [(kind, busy or kind.not_now(cluster, asker)) for kind in ON_CLUSTER]


def _overview(request: Request, cluster: Cluster) -> dict[str, Any]:
    asks = _asks(request.user, cluster) if _may_ask(cluster) else []
    # Whoever comes from another part has chosen the menu there.
    opened = "asks" in request.GET
    return {"groups": facts.groups(cluster), "connection": connection(cluster), "asks": asks, "asks_open": opened}


def _history(request: Request, cluster: Cluster) -> dict[str, Any]:
    found = past(request.user, cluster, request.GET.get("after"))
    return {
        "events": found.events,
        "next_url": "?" + urlencode({"after": found.next_after}) if found.next_after else "",
        "first_url": reverse("cluster_history", args=[cluster.pk]) if request.GET.get("after") else "",
    }


_CONTENTS: Final[Mapping[str, Callable[[Request, Cluster], dict[str, Any]]]] = {
    OVERVIEW: _overview,
    PartName.NODES: lambda _, cluster: {"nodes": cluster.nodes.all()},
    PartName.DATABASES: lambda _, cluster: {"databases": cluster.databases.all()},
    PartName.EXTENSIONS: lambda _, cluster: {"extensions": cluster.extensions.all()},
    PartName.NETWORKS: lambda _, cluster: {"attachments": cluster.attachments.all()},
    PartName.VERSIONS: lambda _, cluster: {"above": versions_above(cluster)},
    PartName.HISTORY: _history,
}
