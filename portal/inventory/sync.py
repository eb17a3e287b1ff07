"""Reads ITCare into the inventory: fetched with no transaction open, written in short ones."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from portal import itcare
from portal.audit.record import record
from portal.inventory import fallback
from portal.inventory.models import (
    Area,
    Cluster,
    Network,
    Origin,
    Region,
    Service,
    Sync,
    Zone,
)
from portal.inventory.parts import read_parts

logger = logging.getLogger(__name__)

LISTS: Final = ("services", "networks", "regions", "resources")
# Clusters whose own page is read in one pass; FILL_PER_MINUTE bounds all passes of a minute.
READ_A_PASS: Final = 20
MINUTE: Final = timedelta(minutes=1)
# What was read is read again in the background after this long, when there is nothing more urgent.
STALE_AFTER: Final = timedelta(hours=1)
# "Last seen in the list" is exact to this much: else each reading of the list would write every row.
LISTED_AGAIN: Final = timedelta(hours=1)
# Rows of the list of resources that are compared at a time.
CHUNK: Final = 1000
# Number of the lock under which the next clusters are chosen: any that nothing else uses.
_CHOOSING: Final = 7_042_001
# A cluster that could not be read is not tried again at once, so that one bad row does not hold up the others.
RETRY_AFTER: Final = timedelta(minutes=1)
# A cluster is gone after two answers that it does not exist, this long apart (SAFETY 3).
GONE_AFTER: Final = timedelta(minutes=2)
# Places change rarely: they are read this many times less often than the list of resources.
PLACES_FACTOR: Final = 10
# Addresses that are guesses (API.md A3, A4): without them choices come from what clusters tell and from the settings.
# Services need none: each cluster names its own.
_FALLBACKS: Final[dict[str, Callable[[], None]]] = {"networks": fallback.networks, "regions": fallback.places}


def sync_lists(client: itcare.Client) -> None:
    """Read the lists that are due: services, networks, regions, resources (API.md 8 to 11).

    A list that cannot be read keeps its rows and notes why; the others go on.
    """
    readers: dict[str, Callable[[itcare.Client], None]] = {
        "services": read_services,
        "networks": read_networks,
        "regions": read_regions,
        "resources": read_resources,
    }
    for name in LISTS:
        seconds = settings.SYNC_SECONDS * (1 if name == "resources" else PLACES_FACTOR)
        if not _claim(name, seconds):
            continue
        try:
            readers[name](client)
        except itcare.ItcareError as error:
            logger.warning("The list of %s was not read: %s", name, error.sentence)
            Sync.objects.filter(name=name).update(failed=error.sentence[:300])
            if isinstance(error, itcare.NotFound) and name in _FALLBACKS:
                _FALLBACKS[name]()
                # Clusters are read meanwhile, and tell more.
                Sync.objects.filter(name=name).update(look_at=Now() + timedelta(seconds=settings.SYNC_SECONDS))
        except DatabaseError:
            # One list that cannot be written down must not keep the others from being read.
            logger.exception("The list of %s was not kept.", name)
            Sync.objects.filter(name=name).update(failed="The portal could not keep what ITCare told.")
        else:
            first = Sync.objects.filter(name=name, read_at=None)
            if name == "resources" and first.exists():
                Cluster.objects.filter(origin="").update(origin=Origin.KNOWN)
            Sync.objects.filter(name=name).update(failed="", read_at=Now())


def lists_due(*, late: float = 0) -> bool:
    """Whether any list waits to be read, for at least so many seconds; one never read waits since it was asked for."""
    if Sync.objects.count() < len(LISTS):
        Sync.objects.bulk_create([Sync(name=name) for name in LISTS], ignore_conflicts=True)
    return Sync.objects.filter(look_at__lte=Now() - timedelta(seconds=late)).exists()


def _claim(name: str, seconds: float) -> bool:
    Sync.objects.get_or_create(name=name)
    due = Sync.objects.filter(name=name, look_at__lte=Now())
    return due.update(look_at=Now() + timedelta(seconds=seconds)) == 1


def read_services(client: itcare.Client) -> None:
    """Read the services one may create in (API.md A2)."""
    for service in client.services().items:
        values = {
            "name": (service.name or "")[:200],
            "environment": (service.environment or "")[:40],
            "cloud_name": (service.cloud_name or "")[:200],
            "listed_at": Now(),
        }
        Service.objects.update_or_create(upstream_id=service.id, defaults=values)


def read_networks(client: itcare.Client) -> None:
    """Read the networks one may place a cluster in (API.md A3)."""
    for network in client.networks().items:
        values = {
            "name": (network.technical_id or network.network_short_description or "")[:200],
            "description": (network.short_description or network.description or "")[:500],
            "cidr": (network.cidr or "")[:64],
            "region": (network.region or "")[:40],
            "area": (network.area or "")[:40],
            "environment": (network.environment or "")[:40],
            "scope": (network.scope or "")[:40],
            "free_addresses": network.ip_free_number,
            "listed_at": Now(),
        }
        Network.objects.update_or_create(upstream_id=network.id, defaults=values)


def read_regions(client: itcare.Client) -> None:
    """Read regions with their areas and zones (API.md A4)."""
    regions = client.regions()
    if not regions:
        fallback.places()
    with transaction.atomic():
        for region in regions:
            row, _ = Region.objects.update_or_create(
                name=region.name[:40], defaults={"label": (region.label or "")[:200]}
            )
            for area in region.areas:
                place, _ = Area.objects.update_or_create(
                    name=area.name[:40], defaults={"region": row, "is_default": bool(area.default)}
                )
                names = [zone.name[:40] for zone in area.availability_zones]
                place.zones.exclude(name__in=names).delete()
                for name in names:
                    Zone.objects.get_or_create(area=place, name=name)


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
        _write(cluster, told, listed_at=Now(), missed_at=None, gone_at=None)
    return cluster


def _service_of(summary: itcare.ResourceSummary, known: dict[object, int | None]) -> int | None:
    told = (summary.service_id, summary.service_name, summary.environment, summary.cloud_name)
    if told not in known:
        known[told] = _service(*told)
    return known[told]


def wanted() -> models.QuerySet[Cluster]:
    """Clusters that somebody waits for, the longest waiting first."""
    untried = _untried() | Q(tried_at__lt=F("wanted_at"))
    return Cluster.objects.filter(untried, wanted_at__isnull=False, gone_at=None).order_by("wanted_at", "pk")


def unread() -> models.QuerySet[Cluster]:
    """Clusters that were never read, the longest untried first."""
    rows = Cluster.objects.filter(_untried(), read_at=None, gone_at=None)
    return rows.order_by(F("tried_at").asc(nulls_first=True), "pk")


def stale() -> models.QuerySet[Cluster]:
    """Clusters that were read long ago, the longest untried first."""
    return Cluster.objects.filter(read_at__isnull=False, tried_at__lte=Now() - STALE_AFTER, gone_at=None).order_by(
        "tried_at"
    )


def waiting() -> bool:
    """Whether any cluster is to be read. Each of the three looks at the beginning of an index."""
    return wanted().exists() or (_room() > 0 and (unread().exists() or stale().exists()))


def _untried() -> Q:
    return Q(tried_at=None) | Q(tried_at__lte=Now() - RETRY_AFTER)


def _room() -> int:
    """How many clusters the background may still read in this minute."""
    lately = Cluster.objects.filter(tried_at__gt=Now() - MINUTE).order_by()
    return int(settings.FILL_PER_MINUTE) - len(lately.values_list("pk")[: 2 * settings.FILL_PER_MINUTE])


def read_waiting(client: itcare.Client, *, limit: int = READ_A_PASS) -> int:
    """Read the clusters that wait for it, parts only where somebody waits; answers how many were tried."""
    clusters = _take_next(limit)
    for cluster in clusters:
        try:
            read_cluster(client, cluster, parts=cluster.wanted_at is not None)
        except DatabaseError:
            # It waits for its next turn, and must not be in the way of the others each time.
            logger.exception("Cluster %s could not be read.", cluster.pk)
    return len(clusters)


@transaction.atomic
def _take_next(limit: int) -> list[Cluster]:
    """Claim the next to read: those that somebody waits for, then those never read, then those read longest ago.

    FILL_PER_MINUTE bounds the last two together with whatever else was tried in this minute; what somebody waits for
    may take as much again, so that it never stands behind the background.
    """
    with connection.cursor() as cursor:
        # Two that count at once would both find the same room.
        cursor.execute("SELECT pg_advisory_xact_lock(%s::bigint)", [_CHOOSING])
    room = _room()
    chosen = list(wanted().select_related("service")[: max(0, min(limit, room + settings.FILL_PER_MINUTE))])
    for rows in (unread(), stale()):
        free = min(limit, room) - len(chosen)
        if free > 0:
            others = rows.exclude(pk__in=[cluster.pk for cluster in chosen]).select_related("service")
            chosen += others[:free]
    return [cluster for cluster in chosen if take(cluster)]


def take(cluster: Cluster) -> bool:
    """Claim the reading of a cluster: two that try at once read it once."""
    return Cluster.objects.filter(pk=cluster.pk, tried_at=cluster.tried_at).update(tried_at=Now()) == 1


def read_cluster(client: itcare.Client, cluster: Cluster, *, parts: bool = True, removed: bool = False) -> None:
    """Read one cluster from its own address, and its parts (API.md 7.4, 7.5).

    A second answer "no such resource", some time after the first, marks it gone; the first one does after an operation
    that removed it. Any other failure leaves what is known and says why on the row; its parts are still read, unless
    ITCare did not answer at all.
    """
    try:
        told = read_now(client, cluster, removed=removed)
    except itcare.ItcareError as error:
        told = error.status is not None and not isinstance(error, itcare.NotFound)
    if told and parts:
        read_parts(client, cluster)


def read_now(client: itcare.Client, cluster: Cluster, *, removed: bool = False) -> bool:
    """Read one cluster from its own address for somebody who must not go on without; answers False if it is gone.

    Raises:
        ItcareError: it was not read; the row says why.
    """
    try:
        told = _told_by(client, cluster)
    except itcare.NotFound:
        _missed(cluster, at_once=removed)
        if Cluster.objects.filter(pk=cluster.pk, gone_at=None).exists():
            raise
        return False
    except itcare.ItcareError as error:
        Cluster.objects.filter(pk=cluster.pk).update(
            read_failed=error.sentence[:300], wanted_at=None, tried_at=Now(), changed_at=Now()
        )
        raise
    marks: dict[str, object] = {"read_at": Now(), "tried_at": Now(), "wanted_at": None, "read_failed": ""}
    _write(cluster, _facts(told), **marks, missed_at=None, gone_at=None)
    return True


def _told_by(client: itcare.Client, cluster: Cluster) -> itcare.Cluster:
    """Read a cluster's own page; one that was never read may answer to its other number, which is then kept (A5)."""
    try:
        return client.cluster(cluster.upstream_id)
    except itcare.NotFound:
        number = cluster.other_id
        if cluster.read_at is not None or number is None:
            raise
        told = client.cluster(number)
        # The numbers are of two sorts: this one may be the address of quite another cluster.
        another = Cluster.objects.filter(upstream_id=number).exists()
        if another or (told.name or "").lower() != cluster.name.lower():
            raise
    logger.info("Cluster %s answers to %s, not to %s.", cluster.pk, number, cluster.upstream_id)
    Cluster.objects.filter(pk=cluster.pk).update(upstream_id=number, other_id=cluster.upstream_id)
    cluster.upstream_id, cluster.other_id = number, cluster.upstream_id
    return told


def _other_number(summary: itcare.ResourceSummary, cluster: Cluster | None) -> int | None:
    """The number that may address the cluster too."""
    used = cluster.upstream_id if cluster else summary.path_ids[0]
    return next((number for number in summary.path_ids if number != used), None)


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


def want(clusters: Sequence[int]) -> int:
    """Note that somebody waits for a fresh reading of these clusters (our numbers)."""
    return Cluster.objects.filter(pk__in=clusters, wanted_at=None, gone_at=None).update(wanted_at=Now())


def _service(number: int | None, name: str | None, environment: str | None, cloud: str | None) -> int | None:
    if number is None:
        return None
    service, _ = Service.objects.get_or_create(upstream_id=number)
    told = {"name": (name or "")[:200], "environment": (environment or "")[:40], "cloud_name": (cloud or "")[:200]}
    missing = {key: value for key, value in told.items() if value and not getattr(service, key)}
    if missing:
        Service.objects.filter(pk=service.pk).update(**missing)
    return service.pk


def _write(cluster: Cluster, told: dict[str, object], **marks: object) -> None:
    """Update what differs, and the marks; what is known counts as changed only when something differs."""
    differing = {name: value for name, value in told.items() if getattr(cluster, name) != value}
    came_back = cluster.gone_at is not None
    if {name for name in differing if name != "wanted_at"} or came_back:
        marks["changed_at"] = Now()
    Cluster.objects.filter(pk=cluster.pk).update(**differing, **marks)
    for name, value in differing.items():
        if name != "wanted_at":
            setattr(cluster, name, value)


def _missed(cluster: Cluster, *, at_once: bool) -> None:
    rows = Cluster.objects.filter(pk=cluster.pk, gone_at=None)
    if at_once:
        _gone(rows, cluster)
        return
    if cluster.missed_at is None:
        words = "ITCare does not find it; it will be asked once more."
        rows.update(missed_at=Now(), wanted_at=None, tried_at=Now(), read_failed=words, changed_at=Now())
        return
    if not _gone(rows.filter(missed_at__lte=Now() - GONE_AFTER), cluster):
        rows.update(wanted_at=None, tried_at=Now())


@transaction.atomic
def _gone(rows: models.QuerySet[Cluster], cluster: Cluster) -> bool:
    """Mark the cluster gone, if it is among the rows; what was last known of it stays."""
    missed = Coalesce(F("missed_at"), Now())
    if not rows.update(missed_at=missed, gone_at=Now(), changed_at=Now(), wanted_at=None, read_failed=""):
        return False
    record(
        "cluster.gone",
        actor="portal",
        subject_type="cluster",
        subject_id=cluster.pk,
        subject=cluster.name,
        service_id=cluster.service_id,
        detail={"upstream_id": cluster.upstream_id, "status": cluster.status},
    )
    return True


def _facts(told: itcare.Cluster) -> dict[str, object]:
    """Columns of a cluster from its own page; what it does not tell is left out, so that nothing known is lost."""
    facts: dict[str, object] = {
        "name": _text(told.name, 200),
        "service_id": _service(told.service_id, told.service_name, told.environment, told.cloud_name),
        "status": _text(told.status, 40),
        "environment": _text(told.environment, 40),
        "version": _text(told.version or told.product_version, 40),
        "product_code": _text(told.product_code, 100),
        "product_name": _text(told.product_name, 200),
        "topology": _text(told.topology, 40),
        "sizing": _text(told.sizing or told.node_sizing, 40),
        "cpu": told.cpu,
        "ram": told.ram,
        "storage": told.storage,
        "node_count": told.node_count if told.node_count is not None else told.instance_count,
        "network_id": told.network_id,
        "ip_address": _text(told.ip_address, 64),
        "url": _text(told.url, 300),
        "region": _text(told.label_region, 100),
        "area": _text(told.area or told.label_area, 100),
        "zone": _text(told.label_availability_zone, 100),
        "data_center": _text(told.label_data_center, 100),
        "tls_enabled": told.tls_enabled,
        "trigram": _text(told.trigram, 40),
        "allowed_replication_lag": told.allowed_replication_lag,
        "backup_status": told.backup_status,
        "replication_status": told.replication_status,
        "monitoring_requested": told.monitoring_requested,
        "metrology_url": _text(told.metrology_url, 500),
        "support_level": _text(told.support_level, 100),
        "support_phase": _text(told.support_phase, 100),
        "released_at": told.released_at,
        "end_of_sales_at": told.end_of_sales_at,
        "extended_support_at": told.extended_support_at,
        "end_of_support_at": told.end_of_support_at,
        "creation_time": told.creation_time,
        "creation_user": _text(told.creation_user, 200),
        "comment": told.comment or "",
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _text(value: str | None, length: int) -> str:
    return (value or "")[:length]
