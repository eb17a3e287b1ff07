"""The list of clusters, as a page and as a file for spreadsheets: the address says what is shown."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.accounts.http import Request, signed_in
from portal.changes import policy
from portal.inventory import queries
from portal.inventory.models import GONE, Cluster, ClusterQuerySet, Sync
from portal.inventory.queries import ListView, Scope
from portal.operations.models import Operation
from portal.web.live import stamp, unchanged
from portal.web.looks import words_of
from portal.web.paging import page

PAGE_SIZE: Final = 50
# Rows that the export holds in memory at a time.
CHUNK: Final = 1000
COLUMNS: Final = {
    "name": "Name",
    "status": "Status",
    "version": "Version",
    "size": "Size",
    "topology": "Topology",
    "support": "Supported until",
}
FACETS: Final = {
    "environment": "Environment",
    "status": "Status",
    "version": "Version",
    "topology": "Topology",
    "support": "Support",
}
EXPORTED: Final = {
    "name": "name",
    "number": "upstream_id",
    "service": "service__name",
    "environment": "environment",
    "status": "shown_status",
    "version": "version",
    "topology": "topology",
    "sizing": "sizing",
    "cpu": "cpu",
    "ram_gb": "ram",
    "disk_gb": "storage",
    "nodes": "node_count",
    "region": "region",
    "area": "area",
    "zone": "zone",
    "address": "ip_address",
    "host": "url",
    "support_phase": "support_phase",
    "supported_until": "end_of_support_at",
    "created": "creation_time",
    "read": "read_at",
}
# What makes a spreadsheet take a cell for a formula, also in full width (OWASP, CSV injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - these are meant
UNREAD: Final = "not read yet"


@require_safe
@signed_in
def index(request: Request) -> HttpResponse:
    """List the clusters that the person may see; `q`, the facets, `sort` and `after` say which and how."""
    view = ListView.of(request.GET)
    after = request.GET.get("after", "")
    scope = Scope.of(request.user, view)
    found = page(queries.clusters(view, scope), order=view.order, after=after, size=PAGE_SIZE)
    busy = _busy(found.items)
    marks = [(cluster.pk, cluster.changed_at, busy.get(cluster.pk)) for cluster in found.items]
    mark = stamp(*(part if isinstance(part, int) else str(part) for row in marks for part in row))
    if request.htmx and (nothing := unchanged(request, mark)):
        return nothing
    for cluster in found.items:
        cluster.busy = busy.get(cluster.pk)  # type: ignore[attr-defined]  # read by the template
    context = {
        "clusters": found.items,
        "view": view,
        "columns": _columns(view),
        "next_url": f"?{view.query(after=found.next_after)}" if found.next_after else "",
        "first_url": (f"?{view.query()}" if view.query() else reverse("clusters")) if after else "",
        "poll_url": f"?{view.query(after=after, seen=mark)}",
    }
    if request.htmx:
        return render(request, "inventory/list.html#live", context)
    hides_unread = any(view.chosen.get(name) for name in queries.READ_LATER) and queries.some_unread(scope)
    whole = {
        "orders": _orders(),
        "services": queries.offered_services(view, scope),
        "facets": _facets(view, scope),
        "canonical": request.build_absolute_uri(f"{reverse('clusters')}?{view.query()}".rstrip("?")),
        "export_url": f"{reverse('clusters_csv')}?{view.query()}".rstrip("?"),
        "hides_unread": hides_unread,
        "sync": Sync.objects.filter(name="resources").first(),
        "may_ask": not policy.why_not_ask(request.user),
    }
    return render(request, "inventory/list.html", context | whole)


@require_safe
@signed_in
def export(request: Request) -> HttpResponseBase:
    """Send this view, all pages of it, as comma-separated values; rows go out as the database brings them."""
    view = ListView.of(request.GET)
    answer = StreamingHttpResponse(
        _lines(queries.clusters(view, Scope.of(request.user, view)).order_by(*view.order)),
        content_type="text/csv; charset=utf-8",
    )
    answer["Content-Disposition"] = 'attachment; filename="clusters.csv"'
    return answer


class _Echo:
    """A file that hands each line back."""

    def write(self, text: str) -> str:
        """Return the line."""
        return text


def _lines(clusters: ClusterQuerySet) -> Iterator[str]:
    # Text is quoted always, so that no reader has to guess; numbers are not.
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_NONNUMERIC)
    # Excel takes a file for one of its own language's letters unless this mark says UTF-8.
    yield "\ufeff" + writer.writerow(EXPORTED)
    read = list(EXPORTED).index("read")
    rows = clusters.values_list(*EXPORTED.values())
    # A cursor of the server: neither side holds more than a chunk.
    for row in rows.iterator(chunk_size=CHUNK):
        yield writer.writerow([UNREAD if at == read and value is None else cell(value) for at, value in enumerate(row)])


def cell(value: object) -> object:
    """Write a value so that no spreadsheet runs it: a text that begins like a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, str):
        text = value.replace("\0", "")
        return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text
    return value


def _columns(view: ListView) -> list[dict[str, str]]:
    """The heads of the table: each leads to its order, the one in use to the opposite."""
    heads = []
    for name, label in COLUMNS.items():
        used = view.sort.removeprefix("-") == name
        down = used and view.sort.startswith("-")
        href = view.by(f"-{name}" if used and not down else name).query()
        heads.append(
            {
                "name": name,
                "label": label,
                "href": f"?{href}" if href else reverse("clusters"),
                "sorted": ("descending" if down else "ascending") if used else "",
            }
        )
    return heads


def _orders() -> list[dict[str, str]]:
    """What the heads of the table lead to, for a form."""
    return [
        {"value": f"{sign}{name}", "words": f"{label}, {direction}"}
        for name, label in COLUMNS.items()
        for sign, direction in (("", "ascending"), ("-", "descending"))
    ]


def _facets(view: ListView, scope: Scope) -> list[dict[str, object]]:
    """The filters that have something to choose between, or something chosen."""
    offered = queries.offered(view, scope)
    return [
        {
            "name": name,
            "label": label,
            "choices": [
                {"value": value, "word": _word(name, value), "chosen": value in view.chosen.get(name, ())}
                for value in offered[name]
            ],
        }
        for name, label in FACETS.items()
        if offered[name]
    ]


def _word(facet: str, value: str) -> str:
    """How the table calls a value, so that a filter and what it finds use the same words."""
    if facet == "status":
        return Cluster(status=value).look.word if value != GONE else "Gone"
    if facet == "topology":
        return Cluster(topology=value).topology_words
    return words_of(value) if facet in {"environment", "support"} else value


def _busy(clusters: Sequence[Cluster]) -> dict[int, Operation]:
    """The unfinished operation of each cluster that has one."""
    running = Operation.objects.unfinished().filter(cluster__in=clusters)
    return {operation.cluster_id: operation for operation in running if operation.cluster_id}
