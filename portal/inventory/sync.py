"""Reads ITCare into the inventory: fetched with no transaction open, written in short ones."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, models, transaction
from django.db.models import F, Model, Q
from django.db.models.functions import Now

from portal import itcare
from portal.inventory.models import (
    Area,
    Attachment,
    Cluster,
    Database,
    Extension,
    Network,
    Node,
    Region,
    Service,
    Sync,
    Zone,
)

logger = logging.getLogger(__name__)

LISTS: Final = ("services", "networks", "regions", "resources")
# Clusters whose own page is read in one pass of the sweep: bounds what the fill in the background asks of ITCare.
READ_A_PASS: Final = 20
# A cluster that could not be read is not tried again at once, so that one bad row does not hold up the others.
RETRY_AFTER: Final = timedelta(minutes=1)
# A cluster is gone after two answers that it does not exist, this long apart (SAFETY 3).
GONE_AFTER: Final = timedelta(minutes=2)
# Places change rarely: they are read this many times less often than the list of resources.
PLACES_FACTOR: Final = 10


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
        except DatabaseError:
            # One list that cannot be written down must not keep the others from being read.
            logger.exception("The list of %s was not kept.", name)
            Sync.objects.filter(name=name).update(failed="The portal could not keep what ITCare told.")
        else:
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

    A cluster that the list does not show keeps its row: only its own address can tell that it is gone.
    """
    listing = client.resources()
    known = {cluster.upstream_id: cluster for cluster in Cluster.objects.select_related("service")}
    by_resource = {cluster.resource_id: cluster for cluster in known.values() if cluster.resource_id}
    for summary in listing.items:
        cluster = next((known[number] for number in summary.path_ids if number in known), None)
        note_summary(summary, cluster or by_resource.get(summary.id or 0))
    if listing.complete:
        seen = {number for summary in listing.items for number in summary.path_ids}
        absent = [cluster.pk for number, cluster in known.items() if number not in seen and cluster.gone_at is None]
        want([*absent])


def note_summary(summary: itcare.ResourceSummary, cluster: Cluster | None) -> Cluster | None:
    """Write what the resource list tells of one cluster; answers its row, or None when it has no usable identity."""
    if not summary.path_ids or not summary.name:
        return None
    fresh: dict[str, object] = {
        "name": summary.name[:200],
        "resource_id": summary.id,
        "service_id": _service(summary.service_id, summary.service_name, summary.environment, summary.cloud_name),
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
    _write(cluster, told, listed_at=Now(), missed_at=None, gone_at=None)
    return cluster


def waiting() -> models.QuerySet[Cluster]:
    """Clusters to read: those somebody waits for, then those never read, the longest untried first."""
    untried = Q(tried_at=None) | Q(tried_at__lte=Now() - RETRY_AFTER)
    wanted = Q(wanted_at__isnull=False) & (untried | Q(tried_at__lt=F("wanted_at")))
    return (
        Cluster.objects.filter(wanted | (Q(read_at=None) & untried), gone_at=None)
        .select_related("service")
        .order_by(F("wanted_at").asc(nulls_last=True), F("tried_at").asc(nulls_first=True), "pk")
    )


def read_waiting(client: itcare.Client, *, limit: int = READ_A_PASS) -> int:
    """Read the clusters that wait for it, parts only where somebody waits; answers how many were tried."""
    clusters = [cluster for cluster in waiting()[:limit] if take(cluster)]
    for cluster in clusters:
        try:
            read_cluster(client, cluster, parts=cluster.wanted_at is not None)
        except DatabaseError:
            # It waits for its next turn, and must not be in the way of the others each time.
            logger.exception("Cluster %s could not be read.", cluster.pk)
    return len(clusters)


def take(cluster: Cluster) -> bool:
    """Claim the reading of a cluster: two that try at once read it once."""
    return Cluster.objects.filter(pk=cluster.pk, tried_at=cluster.tried_at).update(tried_at=Now()) == 1


def read_cluster(client: itcare.Client, cluster: Cluster, *, parts: bool = True) -> None:
    """Read one cluster from its own address, and its parts (API.md 7.4, 7.5).

    A second answer "no such resource", some time after the first, marks it gone. Any other failure leaves what is known
    and says why on the row.
    """
    try:
        told = client.cluster(cluster.upstream_id)
    except itcare.NotFound:
        _missed(cluster)
        return
    except itcare.ItcareError as error:
        Cluster.objects.filter(pk=cluster.pk).update(
            read_failed=error.sentence[:300], wanted_at=None, tried_at=Now(), changed_at=Now()
        )
        return
    marks: dict[str, object] = {"read_at": Now(), "tried_at": Now(), "wanted_at": None, "read_failed": ""}
    _write(cluster, _facts(told), **marks, missed_at=None, gone_at=None)
    if parts:
        read_parts(client, cluster)


def read_parts(client: itcare.Client, cluster: Cluster) -> None:
    """Read nodes, databases, extensions and networks; a part that fails keeps its rows and says so."""
    failed = ""
    number = cluster.upstream_id
    readers: list[Callable[[], tuple[type[Model], list[Model]]]] = [
        lambda: (Node, [_node(cluster, node) for node in client.nodes(number)]),
        lambda: (Database, [Database(cluster=cluster, name=item.name[:200]) for item in client.databases(number)]),
        lambda: (Extension, [_extension(cluster, item) for item in client.extensions(number)]),
        lambda: (Attachment, [_attachment(cluster, item) for item in client.networks_of(number)]),
    ]
    for reader in readers:
        try:
            model, rows = reader()
        except itcare.ItcareError as error:
            failed = error.sentence
        else:
            _replace(model, cluster, rows)
    Cluster.objects.filter(pk=cluster.pk).update(
        read_failed=failed[:300], changed_at=Now(), **({} if failed else {"parts_read_at": Now()})
    )


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


def _missed(cluster: Cluster) -> None:
    rows = Cluster.objects.filter(pk=cluster.pk, gone_at=None)
    if cluster.missed_at is None:
        words = "ITCare does not find it; it will be asked once more."
        rows.update(missed_at=Now(), wanted_at=None, tried_at=Now(), read_failed=words, changed_at=Now())
        return
    gone = rows.filter(missed_at__lte=Now() - GONE_AFTER)
    if not gone.update(gone_at=Now(), changed_at=Now(), wanted_at=None, read_failed=""):
        rows.update(wanted_at=None, tried_at=Now())


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


def _node(cluster: Cluster, node: itcare.Node) -> Node:
    return Node(
        cluster=cluster,
        upstream_id=node.id,
        name=_text(node.name, 200),
        status=_text(node.status, 40),
        cpu=node.cpu,
        ram=node.ram,
        storage=node.storage,
        ip_address=_text(node.ip_address, 64),
        zone=_text(node.label_availability_zone, 100),
        data_center=_text(node.label_data_center, 100),
        os_name=_text(node.os_name, 100),
    )


def _extension(cluster: Cluster, extension: itcare.Extension) -> Extension:
    return Extension(
        cluster=cluster,
        name=_text(extension.name, 200),
        version=_text(extension.version, 100),
        comment=_text(extension.comment, 500),
        link=_text(extension.link, 500),
        requires_restarting=extension.requires_restarting,
    )


def _attachment(cluster: Cluster, network: itcare.Network) -> Attachment:
    return Attachment(
        cluster=cluster,
        upstream_id=network.id,
        name=_text(network.technical_id or network.network_short_description, 200),
        cidr=_text(network.cidr, 64),
        mask=_text(network.mask, 64),
        gateway=_text(network.gateway, 64),
        ip_address=_text(network.ip_address, 64),
        region=_text(network.region, 40),
        area=_text(network.area, 40),
        scope=_text(network.scope, 40),
    )


def _replace(model: type[Model], cluster: Cluster, rows: list[Model]) -> None:
    with transaction.atomic():
        # The row lock makes two readings of one cluster follow each other instead of doubling its parts.
        Cluster.objects.select_for_update().only("pk").get(pk=cluster.pk)
        model._default_manager.filter(cluster=cluster).delete()  # noqa: SLF001 - Django documents the name
        model._default_manager.bulk_create(rows)  # noqa: SLF001
