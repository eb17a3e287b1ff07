"""Reads what ITCare tells of a cluster's past, so that what the portal did not start is seen too (API.md 6)."""

import time
from datetime import timedelta
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from portal import itcare
from portal.inventory.models import Cluster, Part, PartName
from portal.inventory.parts import note_part
from portal.operations import relapses
from portal.operations.actions import note
from portal.operations.late import heard
from portal.operations.models import Action, Operation
from portal.operations.slowing import NotNow, Round, went_away
from portal.upstream.client import client as upstream_client

READ_A_PASS: Final = 10
# Seconds of a pass: what is left waits for the next one.
PASS_SECONDS: Final = 30.0
# After a try: one that a process did not survive is repeated then.
AGAIN: Final = timedelta(minutes=1)
INCOMPLETE: Final = "ITCare's list of actions could not be read whole."
NOT_KEPT: Final = "The portal could not keep what ITCare told."
_ROUND: Final = Round("Part")


def waiting(*, late: bool = False) -> QuerySet[Part]:
    """Histories that somebody waits for; only those that no worker has read in time, if ``late``."""
    patience = timedelta(seconds=settings.SWEEP_PATIENCE_SECONDS if late else 0)
    rows = Part.objects.filter(name=PartName.HISTORY, wanted_at__lte=Now() - patience)
    return rows.select_related("cluster").order_by("wanted_at")


def read_late() -> None:
    """Read the histories that no worker has read in time."""
    if waiting(late=True).exists():
        read_waiting()


def read_waiting(*, seconds: float = PASS_SECONDS) -> None:
    """Read some of the histories that somebody waits for; two that try at once read each once.

    Args:
        seconds: When so many are over, no other is read: it waits for the next pass.
    """
    client: itcare.Client | None = None
    end = time.monotonic() + seconds

    def read_in_time(part: Part) -> None:
        nonlocal client
        if client is not None and time.monotonic() > end:
            raise NotNow
        _claim(part)
        client = client or upstream_client()
        _read_or_say(client, part.cluster)
        # Not what was asked for meanwhile: that waits for another reading.
        Part.objects.filter(pk=part.pk, wanted_at=part.wanted_at).update(wanted_at=None)

    _ROUND.go(waiting(), read_in_time, READ_A_PASS)


def _read_or_say(client: itcare.Client, cluster: Cluster) -> None:
    """Read a history; where something in it cannot be handled, the cluster's page says so."""
    try:
        read(client, cluster)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        if not went_away(error):
            note_part(cluster, PartName.HISTORY, failed=NOT_KEPT)
        raise


def _claim(part: Part) -> None:
    """Move the time of the next try on.

    Who waits is not forgotten with a process that dies while it reads, nor where something cannot be handled: what the
    history tells may be an alarm.

    Raises:
        NotNow: another was faster.
    """
    with transaction.atomic():
        if not Part.objects.filter(pk=part.pk, wanted_at=part.wanted_at).update(wanted_at=Now() + AGAIN):
            raise NotNow
        part.refresh_from_db(fields=["wanted_at"])


def read(client: itcare.Client, cluster: Cluster) -> None:
    """Write down the actions on a cluster that the portal did not start; a failure leaves what is known."""
    try:
        listed = client.actions(resource_name=cluster.name)
    except itcare.ItcareError as error:
        note_part(cluster, PartName.HISTORY, failed=error.sentence)
        return
    fitting = [action for action in listed if _of(cluster, action)]
    known = {row.upstream_id: row for row in Action.objects.filter(upstream_id__in=[action.id for action in fitting])}
    ours = set(
        Operation.objects.filter(upstream_action_id__in=[action.id for action in fitting]).values_list(
            "upstream_action_id", flat=True
        )
    )
    for action in fitting:
        row = known.get(action.id)
        # Those of our operations are followed elsewhere: a message noted here would be no news there.
        if action.id in ours or (row is not None and (row.operation_id or _same(row, action))):
            continue
        note(action, None)
        Action.objects.filter(upstream_id=action.id, cluster=None).update(cluster=cluster)
    relapses.tell(fitting)
    heard(cluster.name, fitting)
    note_part(cluster, PartName.HISTORY, failed="" if listed.complete else INCOMPLETE)


def foreign(cluster: Cluster) -> QuerySet[Action]:
    """Actions on a cluster that the portal did not start.

    While an operation of ours has no action yet, what appeared since it began may well be its own.
    """
    unsettled = Operation.objects.unfinished().filter(
        cluster=cluster, upstream_action_id=None, queued_at__lte=OuterRef("seen_at")
    )
    return Action.objects.filter(~Exists(unsettled), cluster=cluster, operation=None)


def _of(cluster: Cluster, action: itcare.Action) -> bool:
    """Whether it is about this cluster: ITCare may leave its filter out, and names are given again after a deletion."""
    if (action.resource_name or "").lower() != cluster.name.lower():
        return False
    ended = action.completed_at
    return not (ended and cluster.creation_time and ended < cluster.creation_time)


def _same(row: Action, action: itcare.Action) -> bool:
    return row.cluster_id is not None and (row.status, row.last_updated_at) == (
        action.status[:40],
        action.last_updated_at,
    )
