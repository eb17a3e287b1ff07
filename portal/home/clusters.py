"""Pages of clusters: the list with its search, and one with what ITCare tells of it and what happens to it."""

from typing import Final
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from portal.accounts.http import Request, signed_in
from portal.changes import policy
from portal.home import facts
from portal.inventory.models import Cluster, Sync
from portal.inventory.refresh import refresh
from portal.operations.models import Operation
from portal.web.live import stamp, unchanged
from portal.web.paging import page

PAGE_SIZE: Final = 50
HISTORY: Final = 10


@require_safe
@signed_in
def index(request: Request) -> HttpResponse:
    """List the clusters that the person may see, by name; ``q`` searches names, services and addresses."""
    query = request.GET.get("q", "").strip()[:100].replace("\0", "")
    rows = Cluster.objects.visible_to(request.user).select_related("service")
    if query:
        rows = rows.filter(
            Q(name__icontains=query) | Q(service__name__icontains=query) | Q(ip_address__startswith=query)
        )
    found = page(rows, order=["name", "pk"], after=request.GET.get("after"), size=PAGE_SIZE)
    busy = _busy(found.items)
    marks = [(cluster.pk, cluster.changed_at, busy.get(cluster.pk)) for cluster in found.items]
    mark = stamp(*(part if isinstance(part, int) else str(part) for row in marks for part in row))
    if request.htmx and (nothing := unchanged(request, mark)):
        return nothing
    for cluster in found.items:
        cluster.busy = busy.get(cluster.pk)  # type: ignore[attr-defined]  # read by the template
    context = {
        "clusters": found.items,
        "query": query,
        "next_url": "?" + urlencode({"q": query, "after": found.next_after}) if found.next_after else "",
        "first_url": "?" + urlencode({"q": query}) if request.GET.get("after") else "",
        "after": request.GET.get("after", ""),
        "stamp": mark,
        "sync": Sync.objects.filter(name="resources").first(),
        "may_ask": not policy.why_not_ask(request.user),
    }
    return render(request, "inventory/list.html#live" if request.htmx else "inventory/list.html", context)


def _busy(clusters: list[Cluster]) -> dict[int, Operation]:
    """The unfinished operation of each cluster that has one."""
    running = Operation.objects.unfinished().filter(cluster__in=clusters)
    return {operation.cluster_id: operation for operation in running if operation.cluster_id}


@require_safe
@signed_in
def detail(request: Request, cluster_id: int) -> HttpResponse:
    """Show one cluster; opening it asks for a fresh reading of what is older than a minute."""
    rows = Cluster.objects.visible_to(request.user).select_related("service")
    cluster = get_object_or_404(rows, pk=cluster_id)
    refresh(cluster)
    history = list(
        Operation.objects.visible_to(request.user)
        .filter(cluster=cluster)
        .select_related("requester", "approver")
        .order_by("-pk")[:HISTORY]
    )
    running = next((operation for operation in history if not operation.finished), None)
    mark = stamp(cluster.pk, cluster.changed_at, cluster.parts_read_at, *(row.changed_at for row in history))
    if request.htmx and (nothing := unchanged(request, mark)):
        return nothing
    context = {
        "cluster": cluster,
        "history": history,
        "running": running,
        "facts": facts.facts(cluster),
        "dates": facts.dates(cluster),
        "connection": facts.connection(cluster),
        "nodes": cluster.nodes.all(),
        "databases": cluster.databases.all(),
        "extensions": cluster.extensions.all(),
        "attachments": cluster.attachments.all(),
        "stamp": mark,
    }
    return render(request, "inventory/detail.html#live" if request.htmx else "inventory/detail.html", context)
