"""Clusters whose backup can be restored over a cluster (API.md 7.3)."""

from typing import Final

from django.db.models.functions import Lower

from portal.accounts.models import User
from portal.catalog.base import Parameters
from portal.catalog.on_cluster import major
from portal.inventory.models import ACTIVE, Cluster, ClusterQuerySet, Service

_INITIALS: Final = 3


def fits(source: Cluster, destination: Cluster) -> bool:
    """Whether the backup fits: backed up, active, of the same version; that of the cluster itself too (API.md A25)."""
    usable = source.gone_at is None and source.status == ACTIVE and bool(source.backup_status)
    return usable and major(source) == major(destination) > 0


def fitting(destination: Cluster, asker: User) -> ClusterQuerySet:
    """Clusters whose backup fits, of the services that the person may ask for.

    Data of another team must not be copied out of its service. The index `cluster_source` brings them.
    """
    if not major(destination):
        return Cluster.objects.none()
    rows = Cluster.objects.present().filter(backup_status=True, status=ACTIVE)
    version = destination.version.partition(".")[0]
    return rows.filter(version_major=version, service__in=Service.objects.askable_by(asker))


def called(rows: ClusterQuerySet, name: str) -> ClusterQuerySet:
    """Those of that name, whatever its capitals, found by the index `cluster_lower_name`."""
    return rows.alias(small=Lower("name")).filter(small=name.lower())


def environment_words(cluster: Cluster) -> str:
    """Return the environment whose rules hold for the cluster's data: its service's, in words."""
    code = cluster.service.environment if cluster.service else ""
    # Two or three letters stand for something, as in QA.
    return (code if len(code) <= _INITIALS else code.lower()) or "an environment that is not known"


def differing(source: Cluster, destination: Cluster) -> str:
    """Return words of warning where data would leave its environment; empty where it stays."""
    here, there = environment_words(source), environment_words(destination)
    if here == there:
        return ""
    return (
        f"The environments differ: data goes from {here} to {there}, where whoever may use {destination} can read it."
    )


def source_of(parameters: Parameters) -> Cluster | None:
    """Return the cluster whose backup is asked for; None where it is not known any more."""
    return Cluster.objects.select_related("service").filter(upstream_id=parameters["source_id"]).first()
