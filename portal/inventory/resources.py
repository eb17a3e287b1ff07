"""Reads the list of resources into the inventory: which clusters there are, and what the list tells of them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import Now

from portal import itcare
from portal.inventory.keep import keep_cluster, keep_service
from portal.inventory.models import Cluster, Service
from portal.inventory.reading import read_cluster
from portal.inventory.waiting import want

# "Last seen in the list" is exact to this much: else each reading of the list would write every row.
LISTED_AGAIN: Final = timedelta(hours=1)
# Rows of the list of resources that are compared at a time.
CHUNK: Final = 1000


def read_resources(client: itcare.Client) -> None:
    """Read the list of resources and note each PostgreSQL cluster in it (API.md 8).

    Rows are compared a thousand at a time, and only what differs is written. A cluster that the list does not show
    keeps its row: only its own address can tell that it is gone.
    """
    listing = client.resources()
    services: dict[object, int | None] = {}
    for first in range(0, len(listing.items), CHUNK):
        _note_all(listing.items[first : first + CHUNK], services)
    if listing.complete:
        seen = {number for summary in listing.items for number in summary.path_ids}
        rows = Cluster.objects.filter(gone_at=None, wanted_at=None).order_by().values_list("pk", "upstream_id")
        absent = [pk for pk, number in rows.iterator(chunk_size=CHUNK) if number not in seen]
        for first in range(0, len(absent), CHUNK):
            want(absent[first : first + CHUNK])


def find(client: itcare.Client, *, name: str, service: Service | None) -> Cluster | None:
    """Find a cluster by its name, in the resource list, and read it; None when ITCare does not show it.

    Raises:
        ItcareError: the list could not be read.
    """
    for summary in client.resources(names=[name]).items:
        same_service = service is None or summary.service_id in (None, service.upstream_id)
        if (summary.name or "").lower() == name.lower() and same_service:
            known = Cluster.objects.select_related("service").filter(upstream_id__in=summary.path_ids).first()
            cluster = note_summary(summary, known)
            if cluster is not None:
                read_cluster(client, cluster)
                return Cluster.objects.select_related("service").get(pk=cluster.pk)
    return None


def note_summary(
    summary: itcare.ResourceSummary, cluster: Cluster | None, services: dict[object, int | None] | None = None
) -> Cluster | None:
    """Write what the resource list tells of one cluster; answers its row, or None when it has no usable identity.

    `services` remembers those of a whole list, so that each is looked up once.
    """
    if not summary.path_ids or not summary.name:
        return None
    fresh: dict[str, object] = {
        "name": summary.name[:200],
        "resource_id": summary.id,
        "other_id": _other_number(summary, cluster),
        "service_id": _service_of(summary, {} if services is None else services),
        "status": (summary.status or "")[:40],
        "environment": (summary.environment or "")[:40],
        "product_name": (summary.product_name or "")[:200],
        "support_level": (summary.support_level or "")[:100],
        "support_phase": (summary.support_phase or "")[:100],
        "creation_time": summary.creation_time,
        "creation_user": (summary.creation_user or "")[:200],
    }
    if cluster is None:
        return Cluster.objects.get_or_create(upstream_id=summary.path_ids[0], defaults={**fresh, "listed_at": Now()})[0]
    told = {name: value for name, value in fresh.items() if value not in (None, "")}
    if cluster.status != told.get("status", cluster.status):
        told["wanted_at"] = Now()
    differs = any(getattr(cluster, name) != value for name, value in told.items())
    if differs or cluster.missed_at or cluster.gone_at:
        keep_cluster(cluster, told, listed_at=Now(), missed_at=None, gone_at=None)
    return cluster


def _note_all(summaries: Iterable[itcare.ResourceSummary], services: dict[object, int | None]) -> None:
    summaries = list(summaries)
    numbers = {number for summary in summaries for number in summary.path_ids}
    ids = {summary.id for summary in summaries if summary.id}
    rows = list(Cluster.objects.filter(Q(upstream_id__in=numbers) | Q(resource_id__in=ids)).order_by())
    known = {cluster.upstream_id: cluster for cluster in rows}
    by_resource = {cluster.resource_id: cluster for cluster in rows if cluster.resource_id}
    for summary in summaries:
        cluster = next((known[number] for number in summary.path_ids if number in known), None)
        note_summary(summary, cluster or by_resource.get(summary.id or 0), services)
    seen_long_ago = Q(listed_at=None) | Q(listed_at__lte=Now() - LISTED_AGAIN)
    Cluster.objects.filter(seen_long_ago, pk__in=[row.pk for row in rows]).update(listed_at=Now())


def _service_of(summary: itcare.ResourceSummary, known: dict[object, int | None]) -> int | None:
    told = (summary.service_id, summary.service_name, summary.environment, summary.cloud_name)
    if told not in known:
        known[told] = keep_service(*told)
    return known[told]


def _other_number(summary: itcare.ResourceSummary, cluster: Cluster | None) -> int | None:
    """The number that may address the cluster too."""
    used = cluster.upstream_id if cluster else summary.path_ids[0]
    return next((number for number in summary.path_ids if number != used), None)
