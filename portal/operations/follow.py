"""Follows running operations to their end, in one pass over ITCare's list of actions (ARCHITECTURE 3)."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Now

from portal import itcare
from portal.catalog.kinds import KINDS
from portal.inventory import lists, reading, resources, waiting
from portal.inventory.models import Cluster
from portal.operations import listed, relapses, vanished
from portal.operations.actions import note
from portal.operations.leases import claim, give_back, look_again
from portal.operations.locks import lock_own
from portal.operations.models import Operation
from portal.operations.slowing import Round, slow_down
from portal.operations.states import LostRaceError, Reason, State
from portal.upstream.client import client as upstream_client
from portal.web.words import cut

logger = logging.getLogger(__name__)

# Actions that are looked at together, so that neither small pages nor a long list mean many statements: to plan one and
# to build its hash tables takes as long as a thousand rows do.
BATCH: Final = 2_500
# Rows that one pass holds at a time while it asks for single actions.
AT_ONCE: Final = 10
# Seconds of a pass for single actions: the next pass looks at those of the list first again.
ASKING_SECONDS: Final = 30.0
# Actions that a page said to have ended, kept until all pages are read; those beyond are asked for.
MOST_ENDED: Final = 1_000
# How many single actions are asked for where the list could not be read whole: it may hold most of them.
MOST_MISSING: Final = 50
LINKS_A_PASS: Final = 200
# ITCare lists a cluster soon after its creation began; one that it does not is left to the usual readings.
SHOWN_WITHIN: Final = timedelta(minutes=2)
_LINKING: Final = Round("The cluster of operation")


def follow(*, seconds: float = ASKING_SECONDS, at_work: Callable[[], None] | None = None) -> int:
    """Look at the running operations that are due; answers how many were looked at.

    What the list of actions in progress does not show is asked for by its id: it has ended, or the list is late.

    Args:
        seconds: How long to go on with single actions, which come after the list; the rest stays due.
        at_work: Called before each request: the list can have hundreds of pages.
    """
    began = _began()
    if began is None:
        return 0
    client = upstream_client(before=at_work)
    pages = client.actions_by_page(statuses=[itcare.IN_PROGRESS])
    ended: dict[int, itcare.Action] = {}
    looked, batch = 0, list[itcare.Action]()
    try:
        for actions in pages:
            batch += actions
            over = [action for action in actions if not action.running]
            ended |= {action.id: action for action in over[: MOST_ENDED - len(ended)]}
            if len(batch) >= BATCH:
                looked, batch = looked + listed.look(batch), []
    except itcare.ItcareError as error:
        logger.warning("The list of actions was not read: %s", error.sentence)
        return looked + listed.look(batch) + listed.put_off(error)
    looked += listed.look(batch)
    relapses.tell(ended.values())
    return looked + _ask(client, began, ended, seconds=seconds, most=None if pages.complete else MOST_MISSING)


def link() -> int:
    """Give creates the cluster that the inventory knows by now; answers how many.

    A running one gets it as soon as the list of clusters shows it, a succeeded one if it could not be read at its end.
    """
    made = Cluster.objects.present().filter(
        name__iexact=OuterRef("name"), service=OuterRef("service"), first_seen_at__gte=OuterRef("queued_at")
    )
    lately = Q(state=State.SUCCEEDED, ended_at__gte=Now() - timedelta(days=1))
    creates = Operation.objects.filter(lately | Q(state=State.RUNNING), kind="create", cluster=None)
    found = creates.annotate(made=Subquery(made.order_by("pk").values("pk")[:1])).filter(made__isnull=False)
    linked: list[int] = []
    _LINKING.go(found.order_by("pk"), lambda row: linked.append(_link(row)), LINKS_A_PASS)
    young = creates.filter(state=State.RUNNING, sent_at__gte=Now() - SHOWN_WITHIN)
    if young.exists():
        # Somebody watches it come up, and wants to see the cluster itself.
        lists.hurry(settings.FOLLOW_SECONDS)
    return sum(linked)


def _link(operation: Operation) -> int:
    """Answers how many got their cluster: none where it has one by now, or waits because something runs on it."""
    rows = Operation.objects.filter(pk=operation.pk, cluster=None, state__in=[State.RUNNING, State.SUCCEEDED])
    try:
        return rows.update(cluster=operation.made, changed_at=Now())  # type: ignore[attr-defined]  # annotated in `link`
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        if getattr(diagnosis, "constraint_name", None) != "one_unfinished_operation_a_cluster":
            raise
        logger.warning("Operation %s waits for its cluster: another operation runs on it.", operation.pk)
        return 0


def _began() -> datetime | None:
    """The database's time, if anything is due."""
    due = Operation.objects.due(State.RUNNING).filter(upstream_action_id__isnull=False)
    return due.annotate(now=Now()).values_list("now", flat=True).first()


def _ask(
    client: itcare.Client, began: datetime, ended: dict[int, itcare.Action], *, seconds: float, most: int | None
) -> int:
    """Ask for the actions that were due when the pass began, and that the list did not show as running.

    Claimed a few at a time, so that another pass shares the work, and no lease ends while others are worked on.
    """
    missing = Q(upstream_action_id__isnull=False, look_at__lte=began)
    end = time.monotonic() + seconds
    looked = 0
    while time.monotonic() < end and (most is None or looked < most):
        held = claim(State.RUNNING, where=missing, limit=AT_ONCE)
        if not held:
            break
        until = min(end, time.monotonic() + settings.LEASE_SECONDS / 3)
        while held and time.monotonic() < until:
            operation = held.pop(0)
            looked += 1
            pause = _try(client, operation, ended.get(operation.upstream_action_id or 0))
            if pause is not None:
                _wait(operation, held, pause)
                return looked
        give_back(held)
    return looked


def _wait(operation: Operation, others: list[Operation], pause: itcare.ItcareError) -> None:
    """Give them back until ITCare may be asked again, the one that was asked for last: the others come first then.

    A call that ITCare throttled is its row's own failure: perhaps it throttles that one alone, for ever. Where no call
    was made no row is to blame.
    """
    logger.warning("Actions are not read for now: %s", pause.sentence)
    seconds = pause.retry_after or settings.FOLLOW_SECONDS
    give_back(others, seconds)
    if isinstance(pause, itcare.Throttled):
        slow_down(operation, pause.sentence, seconds)
    else:
        give_back([operation], seconds)


def _try(
    client: itcare.Client, operation: Operation, action: itcare.Action | None
) -> itcare.NotSent | itcare.Throttled | None:
    """Look at one, whatever comes of it: it must not stop the others; answers why ITCare cannot be asked at all."""
    try:
        _follow_one(client, operation, action)
    except (itcare.NotSent, itcare.Throttled) as error:
        return error
    except itcare.ItcareError as error:
        logger.warning("Action %s was not read: %s", operation.upstream_action_id, error.sentence)
        slow_down(operation, error.sentence, error.retry_after or 0)
    except SoftTimeLimitExceeded:
        # Going on would end in the hard limit; the leases of the rest end by themselves.
        raise
    except Exception as error:
        # One row that cannot be followed slows down by itself and must not stop the others.
        logger.exception("Operation %s could not be followed.", operation.pk)
        slow_down(operation, f"Something in it cannot be handled ({type(error).__name__}).")
    return None


def _follow_one(client: itcare.Client, operation: Operation, action: itcare.Action | None) -> None:
    number = operation.upstream_action_id
    assert number is not None  # noqa: S101 - the claim asked for it; this is for the type checker
    try:
        action = action or client.action(number)
    except itcare.NotFound:
        vanished.missed(client, operation)
        return
    try:
        news = _noted(action, operation)
    except LostRaceError:
        logger.info("Operation %s was moved by another.", operation.pk)
        return
    if action.running:
        _go_on(operation, news=news)
        return
    removed = action.succeeded and KINDS[operation.kind].removes
    cluster = _cluster(client, operation, removed=removed)
    if action.succeeded:
        _finish(operation, State.SUCCEEDED, cluster, message="")
    else:
        words = f"ITCare could not finish it: {action.message}" if action.message else "ITCare could not finish it."
        _finish(operation, State.FAILED, cluster, message=cut(words, 500), reason=Reason.FAILED_UPSTREAM)


def _noted(action: itcare.Action, operation: Operation) -> bool:
    """Note what the action tells; answers whether that was new.

    Raises:
        LostRaceError: another one has the row by now, and may have noted what is newer than this answer.
    """
    with transaction.atomic():
        lock_own(operation)
        return note(action, operation)


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


def _go_on(operation: Operation, *, news: bool) -> None:
    rows = Operation.objects.filter(pk=operation.pk, fence=operation.fence, state=State.RUNNING)
    rows.update(missed_at=None, changed_at=Now() if news else F("changed_at"))
    if news and operation.cluster_id:
        waiting.want([operation.cluster_id])
    look_again(operation, settings.FOLLOW_SECONDS)
