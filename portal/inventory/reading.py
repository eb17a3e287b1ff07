"""Reads one cluster from its own address: fetched with no transaction open, written in short ones."""

import logging
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from portal import itcare
from portal.audit.record import record
from portal.inventory.keep import keep_cluster, keep_service, known_of, text
from portal.inventory.models import Cluster
from portal.inventory.parts import read_parts

logger = logging.getLogger(__name__)

# A cluster is gone after two answers that it does not exist, this long apart (SAFETY 3).
GONE_AFTER: Final = timedelta(minutes=2)


def read_cluster(client: itcare.Client, cluster: Cluster, *, parts: bool = True, removed: bool = False) -> None:
    """Read one cluster from its own address, and its parts (API.md 7.4, 7.5).

    A second answer "no such resource", some time after the first, marks it gone; the first one does after an operation
    that removed it. Any other failure leaves what is known and says why on the row; its parts are still read, unless
    ITCare did not answer at all. Each of the two steps has the time of one call, so that both end long before the time
    limits of whoever reads.
    """
    try:
        told = read_now(client.within(settings.ITCARE_TOTAL_SECONDS), cluster, removed=removed)
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
    keep_cluster(cluster, _facts(told), **marks, missed_at=None, gone_at=None)
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
        "name": text(told.name, 200),
        "service_id": keep_service(told.service_id, told.service_name, told.environment, told.cloud_name),
        "status": text(told.status, 40),
        "environment": text(told.environment, 40),
        "version": text(told.version or told.product_version, 40),
        "product_code": text(told.product_code, 100),
        "product_name": text(told.product_name, 200),
        "topology": text(told.topology, 40),
        "sizing": text(told.sizing or told.node_sizing, 40),
        "cpu": told.cpu,
        "ram": told.ram,
        "storage": told.storage,
        "node_count": told.node_count if told.node_count is not None else told.instance_count,
        "network_id": told.network_id,
        "ip_address": text(told.ip_address, 64),
        "url": text(told.url, 300),
        "region": text(told.label_region, 100),
        "area": text(told.area or told.label_area, 100),
        "zone": text(told.label_availability_zone, 100),
        "data_center": text(told.label_data_center, 100),
        "tls_enabled": told.tls_enabled,
        "trigram": text(told.trigram, 40),
        "allowed_replication_lag": told.allowed_replication_lag,
        "backup_status": told.backup_status,
        "replication_status": told.replication_status,
        "monitoring_requested": told.monitoring_requested,
        "metrology_url": text(told.metrology_url, 500),
        "support_level": text(told.support_level, 100),
        "support_phase": text(told.support_phase, 100),
        "released_at": told.released_at,
        "end_of_sales_at": told.end_of_sales_at,
        "extended_support_at": told.extended_support_at,
        "end_of_support_at": told.end_of_support_at,
        "creation_time": told.creation_time,
        "creation_user": text(told.creation_user, 200),
        "comment": told.comment or "",
    }
    return known_of(**facts) | _backup(told) | _patching(told)


def _backup(told: itcare.Cluster) -> dict[str, object]:
    last, policies = told.backup, told.backup_policies
    facts: dict[str, object] = {"backup_policies": text(", ".join(policies), 300)} if policies else {}
    if last:
        facts |= {"backup_system": text(last.backup_system, 100), "backup_type": text(last.type, 100)}
        facts["backup_at"] = last.last_date
    return known_of(**facts)


def _patching(told: itcare.Cluster) -> dict[str, object]:
    party = told.patch_party
    if party is None:
        return {}
    facts = known_of(
        patch_excluded=party.excluded,
        patch_group=text(party.patch_group, 40),
        exclusion_reason=text(party.exclusion_reason, 500),
        patched_at=party.patch_date,
        patch_tag=text(party.patch_tag, 100),
    )
    # Why it was left out once is no reason any more where it takes part.
    return facts | ({"exclusion_reason": ""} if party.excluded is False else {})
