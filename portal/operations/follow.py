"""Follows running operations to their end, in one pass over ITCare's list of actions (ARCHITECTURE 3)."""

import logging
from datetime import timedelta
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal import itcare
from portal.catalog.kinds import KINDS
from portal.inventory import reading, resources
from portal.inventory.models import Cluster
from portal.operations.actions import note
from portal.operations.leases import claim, look_again
from portal.operations.models import Operation
from portal.operations.states import LostRaceError, Reason, State
from portal.upstream.client import client as upstream_client

logger = logging.getLogger(__name__)

PASS_SIZE: Final = 500
IN_PROGRESS: Final = "IN_PROGRESS"


def follow() -> int:
    """Look at the running operations that are due; answers how many were looked at.

    What the list of actions in progress does not show is asked for by its id: it has ended, or the list is late.
    """
    held = claim(State.RUNNING, where=Q(upstream_action_id__isnull=False), limit=PASS_SIZE)
    if not held:
        return 0
    client = upstream_client()
    try:
        listed = {action.id: action for action in client.actions(statuses=[IN_PROGRESS]).items}
    except itcare.ItcareError as error:
        logger.warning("The list of actions was not read: %s", error.sentence)
        for operation in held:
            look_again(operation, error.retry_after or 0, failed=True)
        return len(held)
    for operation in held:
        try:
            _follow_one(client, operation, listed.get(operation.upstream_action_id or 0))
        except SoftTimeLimitExceeded:
            # Going on would end in the hard limit; the leases of the rest end by themselves.
            raise
        except Exception:
            # One row that cannot be followed slows down by itself and must not stop the others.
            logger.exception("Operation %s could not be followed.", operation.pk)
            look_again(operation, 0, failed=True)
    return len(held)


def link() -> int:
    """Give succeeded creates the cluster that was not readable when they ended; answers how many."""
    linked = 0
    lately = Operation.objects.filter(ended_at__gte=Now() - timedelta(days=1))
    for operation in lately.filter(state=State.SUCCEEDED, kind="create", cluster=None).order_by("pk"):
        made = Cluster.objects.present().named(operation.name).filter(service=operation.service_id)
        cluster = made.filter(first_seen_at__gte=operation.queued_at).first()
        if cluster is not None:
            rows = Operation.objects.filter(pk=operation.pk, cluster=None)
            linked += rows.update(cluster=cluster, changed_at=Now())
    return linked


def _follow_one(client: itcare.Client, operation: Operation, action: itcare.Action | None) -> None:
    number = operation.upstream_action_id
    assert number is not None  # noqa: S101 - the claim asked for it; this is for the type checker
    try:
        action = action or client.action(number)
    except itcare.ItcareError as error:
        logger.warning("Action %s was not read: %s", number, error.sentence)
        look_again(operation, error.retry_after or 0, failed=True)
        return
    news = note(action, operation)
    removed = action.succeeded and KINDS[operation.kind].removes
    cluster = _cluster(client, operation, removed=removed) if news or not action.running else None
    if action.succeeded:
        _finish(operation, State.SUCCEEDED, cluster, message="")
    elif action.failed:
        words = f"ITCare could not finish it: {action.message}" if action.message else "ITCare could not finish it."
        _finish(operation, State.FAILED, cluster, message=words[:500], reason=Reason.FAILED_UPSTREAM)
    else:
        _go_on(operation, cluster, news=news)


def _cluster(client: itcare.Client, operation: Operation, *, removed: bool) -> Cluster | None:
    """Read the cluster as it is now; a failure is left to the next reading of the inventory."""
    try:
        if operation.cluster is None:
            return resources.find(client, name=operation.name, service=operation.service)
        reading.read_cluster(client, operation.cluster, removed=removed)
    except itcare.ItcareError as error:
        logger.warning("The cluster of operation %s was not read: %s", operation.pk, error.sentence)
    return operation.cluster


def _finish(operation: Operation, to: State, cluster: Cluster | None, *, message: str, reason: str = "") -> None:
    detail = {"why": message}
    try:
        with transaction.atomic():
            operation.move(
                to,
                fence=operation.fence,
                detail=detail,
                message=message,
                reason=reason,
                cluster=operation.cluster or cluster,
            )
    except LostRaceError:
        logger.info("Operation %s was moved by another.", operation.pk)


def _go_on(operation: Operation, cluster: Cluster | None, *, news: bool) -> None:
    rows = Operation.objects.filter(pk=operation.pk, fence=operation.fence, state=State.RUNNING)
    if cluster and not operation.cluster_id:
        rows.update(cluster=cluster)
    if news:
        rows.update(changed_at=Now())
    look_again(operation, settings.FOLLOW_SECONDS)
