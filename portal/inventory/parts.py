"""Reads the parts of a cluster, each for itself: one that fails or hangs leaves the others fresh (API.md 7.5)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.db.models import Model
from django.db.models.functions import Now

from portal import itcare
from portal.inventory.keep import text
from portal.inventory.models import Attachment, Cluster, Database, Extension, Node, Part, PartName

logger = logging.getLogger(__name__)

# What ITCare tells of a part: rows that replace those there are, or the major versions that it offers.
Told = tuple[type[Model], Sequence[Model]] | list[int]
Reader = Callable[[itcare.Client, Cluster], Told]


def read_parts(client: itcare.Client, cluster: Cluster) -> None:
    """Read nodes, databases, extensions, networks and versions; a part that fails keeps its rows and says why.

    All are asked for at once, each within the time of one call, and each is written down as it comes.

    Raises:
        RuntimeError: a transaction is open.
    """
    # Durable, because the threads cannot see a transaction of this one, and none is open while ITCare is asked.
    with transaction.atomic(durable=True):
        # From now on whoever opens the page does not ask for them again beside this.
        Cluster.objects.filter(pk=cluster.pk).update(parts_read_at=Now())
    try:
        quick = client.within(settings.ITCARE_TOTAL_SECONDS).at_once(len(READERS))
    except itcare.ItcareError as error:
        for name in READERS:
            note_part(cluster, name, failed=error.sentence)
        return
    pool = ThreadPoolExecutor(len(READERS), thread_name_prefix="part")
    try:
        asked = {pool.submit(_ask, each, cluster, name): name for each, name in zip(quick, READERS, strict=True)}
        for answer in as_completed(asked):
            _take(cluster, asked[answer], answer)
    finally:
        # When a time limit of Celery ends the wait, a call that goes on ends with its own limit and is written nowhere.
        pool.shutdown(wait=False, cancel_futures=True)


def read_part(client: itcare.Client, cluster: Cluster, name: PartName) -> None:
    """Read one part and write it down with its time, for somebody who must not go on without.

    Raises:
        ItcareError: it was not read; the part says why, and keeps what was known.
    """
    try:
        told = READERS[name](client, cluster)
    except itcare.ItcareError as error:
        note_part(cluster, name, failed=error.sentence)
        raise
    _keep(cluster, name, told)


def _ask(client: itcare.Client, cluster: Cluster, name: PartName) -> Told:
    try:
        return READERS[name](client, cluster)
    finally:
        # After a refusal pause and token are looked up in the database: this thread's connection to it ends with it.
        connections.close_all()


def _take(cluster: Cluster, name: PartName, answer: "Future[Told]") -> None:
    """Write down what came of asking for one part."""
    try:
        _keep(cluster, name, answer.result())
    except itcare.ItcareError as error:
        note_part(cluster, name, failed=error.sentence)
    except DatabaseError:
        # One part that cannot be written down must not keep the others from it.
        logger.exception("The %s of cluster %s were not kept.", name, cluster.pk)
        note_part(cluster, name, failed="The portal could not keep what ITCare told.")


@transaction.atomic
def _keep(cluster: Cluster, name: PartName, told: Told) -> None:
    # The row lock makes two readings of one cluster follow each other instead of doubling its parts.
    Cluster.objects.select_for_update(no_key=True).only("pk").get(pk=cluster.pk)
    if isinstance(told, list):
        Cluster.objects.filter(pk=cluster.pk).update(offered_versions=told)
        cluster.offered_versions = told
    else:
        model, rows = told
        model._default_manager.filter(cluster=cluster).delete()  # noqa: SLF001 - Django documents the name
        model._default_manager.bulk_create(rows)  # noqa: SLF001
    note_part(cluster, name)


def note_part(cluster: Cluster, name: PartName, *, failed: str = "") -> None:
    """Note that a part was read now, or why it was not: its age is then that of what is still shown."""
    values: dict[str, object] = {"failed": failed[:300]} | ({} if failed else {"read_at": Now()})
    Part.objects.update_or_create(cluster=cluster, name=name, defaults=values)


def _nodes(client: itcare.Client, cluster: Cluster) -> Told:
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


def _databases(client: itcare.Client, cluster: Cluster) -> Told:
    return Database, [
        Database(cluster=cluster, name=text(database.name, 200)) for database in client.databases(cluster.upstream_id)
    ]


def _extensions(client: itcare.Client, cluster: Cluster) -> Told:
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


def _networks(client: itcare.Client, cluster: Cluster) -> Told:
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
            description=text(network.short_description or network.description, 500),
            free_addresses=network.ip_free_number,
            used_percent=network.used_percent,
            is_default=network.default_network,
            is_public=network.is_ip_range_public,
        )
        for network in client.networks_of(cluster.upstream_id)
    ]


def _versions(client: itcare.Client, cluster: Cluster) -> Told:
    return list(client.versions(cluster.upstream_id))


READERS: Final[Mapping[PartName, Reader]] = {
    PartName.NODES: _nodes,
    PartName.DATABASES: _databases,
    PartName.EXTENSIONS: _extensions,
    PartName.NETWORKS: _networks,
    PartName.VERSIONS: _versions,
}
