"""Reads the list of resources into the inventory: which clusters there are, and what the list tells of them."""

import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import Now

from portal import itcare
from portal.inventory.keep import keep_cluster, keep_service
from portal.inventory.models import Cluster, Service
from portal.inventory.reading import read_cluster
from portal.inventory.waiting import want

logger = logging.getLogger(__name__)

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
    seen: set[int] = set()
    for first in range(0, len(listing.items), CHUNK):
        seen |= _note_all(listing.items[first : first + CHUNK], services)
    if listing.complete:
        rows = Cluster.objects.filter(gone_at=None, wanted_at=None).order_by().values_list("pk", flat=True)
        absent = [pk for pk in rows.iterator(chunk_size=CHUNK) if pk not in seen]
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
            rows = Cluster.objects.select_related("service").filter(_perhaps([summary])).order_by("pk")
            cluster = note_summary(summary, _own(summary, rows))
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
        "other_id": _other_number(summary, cluster.upstream_id) if cluster else None,
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
        return _made(summary, fresh)
    told = {name: value for name, value in fresh.items() if value not in (None, "")}
    if cluster.status != told.get("status", cluster.status):
        told["wanted_at"] = Now()
    differs = any(getattr(cluster, name) != value for name, value in told.items())
    if differs or cluster.missed_at or cluster.gone_at:
        keep_cluster(cluster, told, listed_at=Now(), missed_at=None, gone_at=None)
    return cluster


def _note_all(summaries: Iterable[itcare.ResourceSummary], services: dict[object, int | None]) -> set[int]:
    """Note what some rows of the list tell; answers the numbers of the clusters that they are about."""
    summaries = list(summaries)
    rows = list(Cluster.objects.filter(_perhaps(summaries)).order_by("pk"))
    by_number = {cluster.upstream_id: cluster for cluster in rows}
    by_resource = {cluster.resource_id: cluster for cluster in rows if cluster.resource_id}
    seen = set()
    for summary in summaries:
        numbered = [by_number[number] for number in summary.path_ids if number in by_number]
        listed = by_resource.get(summary.id or 0)
        cluster = note_summary(summary, _own(summary, [*([listed] if listed else []), *numbered]), services)
        if cluster is not None:
            seen.add(cluster.pk)
    seen_long_ago = Q(listed_at=None) | Q(listed_at__lte=Now() - LISTED_AGAIN)
    Cluster.objects.filter(seen_long_ago, pk__in=[row.pk for row in rows if row.pk in seen]).update(listed_at=Now())
    return seen


def _perhaps(summaries: Collection[itcare.ResourceSummary]) -> Q:
    """Clusters that rows of the list can be about, going by their numbers."""
    numbers = {number for summary in summaries for number in summary.path_ids}
    return Q(upstream_id__in=numbers) | Q(resource_id__in={summary.id for summary in summaries if summary.id})


def _own(summary: itcare.ResourceSummary, rows: Iterable[Cluster]) -> Cluster | None:
    """The cluster that a row of the list is about, of those that have one of its numbers.

    The numbers are of two sorts (A5), so that one may be the address of quite another cluster: only the list's own
    number speaks for itself, any other one together with the name.
    """
    named = None
    for row in rows:
        if summary.id and row.resource_id == summary.id:
            return row
        if named is None and row.upstream_id in summary.path_ids and row.name.lower() == (summary.name or "").lower():
            named = row
    return named


def _made(summary: itcare.ResourceSummary, fresh: dict[str, object]) -> Cluster | None:
    """Make the row of a new cluster; answers None where each of its numbers is the address of another one."""
    for number in summary.path_ids:
        values = {**fresh, "other_id": _other_number(summary, number), "listed_at": Now()}
        row, made = Cluster.objects.get_or_create(upstream_id=number, defaults=values)
        if made or row.name.lower() == (summary.name or "").lower():
            return row
    logger.error("Cluster %s is not kept: its numbers are those of others.", summary.name)
    return None


def _service_of(summary: itcare.ResourceSummary, known: dict[object, int | None]) -> int | None:
    told = (summary.service_id, summary.service_name, summary.environment, summary.cloud_name)
    if told not in known:
        known[told] = keep_service(*told)
    return known[told]


def _other_number(summary: itcare.ResourceSummary, used: int) -> int | None:
    """The number that may address the cluster too."""
    return next((number for number in summary.path_ids if number != used), None)
