"""Reads the parts of a cluster, each for itself: one that fails leaves the others fresh (API.md 7.5)."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from django.db import transaction
from django.db.models import Model
from django.db.models.functions import Now

from portal import itcare
from portal.inventory.keep import text
from portal.inventory.models import Attachment, Cluster, Database, Extension, Node, Part, PartName

Reader = Callable[[itcare.Client, Cluster], tuple[type[Model], list[Model]]]


def read_parts(client: itcare.Client, cluster: Cluster) -> None:
    """Read nodes, databases, extensions, networks and versions; a part that fails keeps its rows and says why.

    What failed the last time is read last, so that a part that lets us wait holds up none of the others.
    """
    failed = set(Part.objects.filter(cluster=cluster).exclude(failed="").values_list("name", flat=True))
    for name in sorted([*READERS, PartName.VERSIONS], key=lambda name: name in failed):
        with suppress(itcare.ItcareError):
            read_part(client, cluster, name)
    Cluster.objects.filter(pk=cluster.pk).update(parts_read_at=Now())


def read_part(client: itcare.Client, cluster: Cluster, name: PartName) -> None:
    """Read one part and write it down with its time, for somebody who must not go on without.

    Raises:
        ItcareError: it was not read; the part says why, and keeps what was known.
    """
    try:
        if name == PartName.VERSIONS:
            versions = list(client.versions(cluster.upstream_id))
        else:
            model, rows = READERS[name](client, cluster)
    except itcare.ItcareError as error:
        note_part(cluster, name, failed=error.sentence)
        raise
    with transaction.atomic():
        # The row lock makes two readings of one cluster follow each other instead of doubling its parts.
        Cluster.objects.select_for_update().only("pk").get(pk=cluster.pk)
        if name == PartName.VERSIONS:
            Cluster.objects.filter(pk=cluster.pk).update(offered_versions=versions)
            cluster.offered_versions = versions
        else:
            model._default_manager.filter(cluster=cluster).delete()  # noqa: SLF001 - Django documents the name
            model._default_manager.bulk_create(rows)  # noqa: SLF001
        note_part(cluster, name)


def note_part(cluster: Cluster, name: PartName, *, failed: str = "") -> None:
    """Note that a part was read now, or why it was not: its age is then that of what is still shown."""
    values: dict[str, object] = {"failed": failed[:300]} | ({} if failed else {"read_at": Now()})
    Part.objects.update_or_create(cluster=cluster, name=name, defaults=values)


def _nodes(client: itcare.Client, cluster: Cluster) -> tuple[type[Model], list[Model]]:
    return Node, [
        Node(
            cluster=cluster,
            upstream_id=node.id,
            name=text(node.name, 200),
            status=text(node.status, 40),
            cpu=node.cpu,
            ram=node.ram,
            storage=node.storage,
            ip_address=text(node.ip_address, 64),
            zone=text(node.label_availability_zone, 100),
            data_center=text(node.label_data_center, 100),
            os_name=text(node.os_name, 100),
        )
        for node in client.nodes(cluster.upstream_id)
    ]


def _databases(client: itcare.Client, cluster: Cluster) -> tuple[type[Model], list[Model]]:
    return Database, [
        Database(cluster=cluster, name=text(database.name, 200)) for database in client.databases(cluster.upstream_id)
    ]


def _extensions(client: itcare.Client, cluster: Cluster) -> tuple[type[Model], list[Model]]:
    return Extension, [
        Extension(
            cluster=cluster,
            name=text(extension.name, 200),
            version=text(extension.version, 100),
            comment=text(extension.comment, 500),
            link=text(extension.link, 500),
            requires_restarting=extension.requires_restarting,
        )
        for extension in client.extensions(cluster.upstream_id)
    ]


def _networks(client: itcare.Client, cluster: Cluster) -> tuple[type[Model], list[Model]]:
    return Attachment, [
        Attachment(
            cluster=cluster,
            upstream_id=network.id,
            name=text(network.technical_id or network.network_short_description, 200),
            cidr=text(network.cidr, 64),
            mask=text(network.mask, 64),
            gateway=text(network.gateway, 64),
            ip_address=text(network.ip_address, 64),
            region=text(network.region, 40),
            area=text(network.area, 40),
            scope=text(network.scope, 40),
        )
        for network in client.networks_of(cluster.upstream_id)
    ]


READERS: Final[Mapping[PartName, Reader]] = {
    PartName.NODES: _nodes,
    PartName.DATABASES: _databases,
    PartName.EXTENSIONS: _extensions,
    PartName.NETWORKS: _networks,
}
