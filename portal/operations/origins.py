"""Settles how each cluster came to be known: asked for here, or found. A job of the sweep."""

from typing import Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal.audit.record import record
from portal.inventory.models import Cluster, Origin, Sync
from portal.operations.models import PORTAL, Operation
from portal.operations.slowing import Round
from portal.operations.states import UNFINISHED, State

A_PASS: Final = 200
_ROUND: Final = Round("Cluster")


def settle_origins() -> int:
    """Settle the clusters that appeared after the first reading of the list; answers how many.

    An operation is there before its cluster is: one without an operation was not asked for here.
    """
    if not Sync.objects.filter(name="resources", read_at__isnull=False).exists():
        return 0
    return _ROUND.go(Cluster.objects.filter(origin="").order_by("first_seen_at"), _settle, A_PASS)


def _settle(cluster: Cluster) -> None:
    origin = Origin.ASKED if _asked_here(cluster) else Origin.FOUND
    with transaction.atomic():
        rows = Cluster.objects.filter(pk=cluster.pk, origin="")
        settled = rows.update(origin=origin, changed_at=Now())
        if settled and origin == Origin.FOUND:
            record(
                "cluster.found",
                actor=PORTAL,
                subject_type="cluster",
                subject_id=cluster.pk,
                subject=cluster.name,
                service_id=cluster.service_id,
                detail={"upstream_id": cluster.upstream_id},
            )


def _asked_here(cluster: Cluster) -> bool:
    """Whether an operation made it, or one that may have made it does not know its cluster yet."""
    perhaps = Q(cluster=None, name=cluster.name.lower(), state__in=[*UNFINISHED, State.SUCCEEDED])
    return Operation.objects.filter(perhaps | Q(cluster=cluster), kind="create").exists()
