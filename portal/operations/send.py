"""Sends an operation: says so, does it at most once, says what came of it (SAFETY 3)."""

import logging
import time
from datetime import timedelta
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.views.decorators.debug import sensitive_variables

from portal import itcare
from portal.catalog import copying
from portal.catalog.base import Kind
from portal.catalog.kinds import KINDS
from portal.inventory import reading, resources
from portal.inventory.models import Cluster
from portal.operations import continuity, holds, outcome, relapses, released, unknown
from portal.operations.leases import claim, hand_back, look_again
from portal.operations.models import Attempt, Operation, bound
from portal.operations.slowing import slow_down
from portal.operations.states import LostRaceError, Proof, Reason, State
from portal.sealing import SealBroken, SecretText
from portal.upstream import circuit, pace
from portal.upstream.circuit import Way
from portal.upstream.client import client as upstream_client
from portal.web.words import cut

logger = logging.getLogger(__name__)

# What must be left of a lease beyond the longest call, for writing down its outcome.
MARGIN_SECONDS: Final = 5.0
# After ITCare was not reached.
UNREACHED_SECONDS: Final = 2.0


def send(operation_id: int) -> None:
    """Send the operation if it is queued, due, and held by nobody, and anything may be sent.

    Nothing is open in the database while ITCare is asked. Whatever happens after "sending" was committed, the write is
    not made a second time on a guess.
    """
    _send(operation_id)


def send_oldest() -> None:
    """Send the operation that was approved first of those that are due; otherwise as `send`.

    As many hints as there are operations send all of them, in order, whatever the order in which hints arrive.
    """
    _send(None)


def _send(only: int | None) -> None:
    due = Operation.objects.due(State.QUEUED)
    if only is not None:
        due = due.filter(pk=only)
    if not (may_send() and due.exists() and pace.turn()):
        return
    claimed = claim(State.QUEUED, only=only, by="queued_at")
    if not claimed:
        return
    (operation,) = claimed
    try:
        _carry(operation)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        # A defect must stop neither a worker's task nor the sweep's round. What was said to be sending is not touched:
        # what came of it is for the sender, or for settling, to say.
        logger.exception("Operation %s could not be sent.", operation.pk)
        for row in Operation.objects.filter(pk=operation.pk, state=State.QUEUED, fence=operation.fence):
            slow_down(row, f"Something in it cannot be handled ({type(error).__name__}).")


def _carry(operation: Operation) -> None:
    """Send an operation that was claimed just now."""
    started = time.monotonic()
    client = upstream_client()
    watermark = _prepare(client, operation)
    attempt = None if watermark is None else _say(operation, watermark)
    if attempt is None:
        return
    left = settings.LEASE_SECONDS - (time.monotonic() - started)
    if left < settings.ITCARE_TOTAL_SECONDS:
        # Paused here for long: whoever looks after the lease's end would find a write that it does not know of.
        outcome.not_sent(operation, attempt, "The process was held up before it could send.")
        return
    _do(client, KINDS[operation.kind], operation, attempt)


def may_send() -> bool:
    """Whether anything may be sent: not on hold, nor while ITCare is not asked or a look is owed after a break."""
    return holds.held() is None and circuit.way() != Way.SHUT and continuity.unbroken()


def _prepare(client: itcare.Client, operation: Operation) -> itcare.Actions | None:
    """Look whether it may be sent; answers what ITCare has done so far, or None where it waits or has failed."""
    try:
        stopped = _look_first(client, KINDS[operation.kind], operation)
        watermark = client.actions(resource_name=operation.name)
    except itcare.Paused:
        # Not its own failure: it stays due, and goes on with the others.
        hand_back(operation)
        return None
    except itcare.ItcareError as error:
        # Whoever is not reached at all is left alone by the circuit, and all go on together when it ends.
        _wait(operation, error.sentence, error.retry_after or UNREACHED_SECONDS, slower=not error.reason)
        return None
    relapses.tell(watermark.items)
    if released.held_back(operation, watermark):
        return None
    # Before its conditions: what it did itself would break them, and who reads that would not know why.
    doubt = unknown.doubt(operation, watermark)
    if not doubt and stopped is not None:
        outcome.fail_unsent(operation, *stopped)
        return None
    if doubt or not watermark.complete:
        # Without its newest action an older one could later be taken for ours.
        _wait(operation, doubt or "ITCare's list of actions cannot be read in whole.", 0)
        return None
    return watermark


def _wait(operation: Operation, why: str, seconds: float, *, slower: bool = True) -> None:
    """Give it back unsent, and say why to those who watch it."""
    logger.warning("Operation %s waits: %s", operation.pk, why)
    rows = Operation.objects.filter(pk=operation.pk, fence=operation.fence, state=State.QUEUED)
    rows.exclude(message=cut(why, 500)).update(message=cut(why, 500), changed_at=Now())
    look_again(operation, seconds, failed=True, slower=slower)


def _look_first(client: itcare.Client, kind: Kind, operation: Operation) -> tuple[Reason, str] | None:
    """Read the cluster afresh and check revision and conditions; answers why it must not be sent, if so."""
    if operation.cluster is None:
        resources.find(client, name=operation.name, service=None)
        cluster = None
    else:
        # Not read means not checked: the caller waits.
        reading.read_now(client, operation.cluster)
        cluster = Cluster.objects.select_related("service").get(pk=operation.cluster.pk)
        if cluster.revision != operation.revision:
            return Reason.MOVED, "The cluster moved since the approval: what was approved no longer fits. Ask again."
        if cluster.gone_at is None:
            kind.look(client, operation.parameters, cluster)
    broken = kind.broken(operation.parameters, cluster, operation.service)
    why = " ".join(broken) or copying.why_not_asked(kind, operation.parameters, operation.requester)
    return (Reason.CONDITION, why) if why else None


def _say(operation: Operation, watermark: itcare.Actions) -> Attempt | None:
    """Commit "sending" with a new attempt.

    Answers None if another took over, the approval does not fit the row, or sends were put on hold meanwhile.
    """
    enough = timedelta(seconds=settings.ITCARE_TOTAL_SECONDS + MARGIN_SECONDS)
    approved = Q(digest=operation.computed_digest(), lease_until__gt=Now() + enough)
    try:
        with transaction.atomic():
            holds.share_the_switch()
            attempt = Attempt.objects.create(
                operation=operation,
                number=operation.attempts.count() + 1,
                fence=operation.fence,
                watermark_action_id=max((action.id for action in watermark.items if action.id), default=None),
                watermark_at=watermark.server_time,
            )
            operation.move(
                State.SENDING,
                fence=operation.fence,
                where=approved & holds.nothing_holds() & continuity.goes_on(),
                detail={"attempt": attempt.number},
                sent_at=Now(),
                last_proof=Proof.OPEN,
                released_by=None,
                also_released_by=None,
                message="",
            )
    except (LostRaceError, IntegrityError) as error:
        if isinstance(error, IntegrityError) and not _made_already(error):
            raise
        if not may_send():
            logger.info("Operation %s waits: sends were put on hold.", operation.pk)
            hand_back(operation)
            return None
        logger.warning("Operation %s was not sent: another took over, or it is not what was approved.", operation.pk)
        operation.refresh_from_db(fields=["state", "digest"])
        if operation.state == State.QUEUED and operation.digest != operation.computed_digest():
            outcome.fail_unsent(operation, Reason.MOVED, "The row no longer holds what was approved; it was not sent.")
        else:
            look_again(operation, 0, failed=True)
        return None
    return attempt


def _made_already(error: IntegrityError) -> bool:
    """Whether it was refused because one who took over has made an attempt of this number, or one that is open."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) in {"attempt_number_once", "one_open_attempt"}


@sensitive_variables("secret")
def _do(client: itcare.Client, kind: Kind, operation: Operation, attempt: Attempt) -> None:
    """Make the one call and write down what it proved."""
    try:
        secret = _open(operation)
    except SealBroken:
        outcome.not_sent(
            operation,
            attempt,
            "The sealed password cannot be opened: an encryption key was removed too early. Ask again.",
            reason=Reason.SECRET_LOST,
        )
        return
    try:
        accepted = kind.send(client, operation.parameters, operation.cluster, secret)
    except itcare.ItcareError as error:
        outcome.told(operation, attempt, error)
    except BaseException as error:
        # A time limit, a defect: nobody can tell whether the call had left.
        outcome.unclear(operation, attempt, f"The process was interrupted while it sent ({type(error).__name__}).")
        raise
    else:
        outcome.accepted(operation, attempt, accepted)
    finally:
        del secret


def _open(operation: Operation) -> SecretText | None:
    if operation.password is None:
        if KINDS[operation.kind].makes_password:
            message = "the sealed password is gone"
            raise SealBroken(message)
        return None
    return operation.password.open(bound_to=bound(operation.reference, "send"))


def wake() -> int:
    """Make all queued operations due: what kept them waiting is over. Answers how many were not due."""
    free = Q(lease_until=None) | Q(lease_until__lte=Now())
    return Operation.objects.filter(free, state=State.QUEUED, look_at__gt=Now()).update(look_at=Now())


def lapse() -> int:
    """Turn what is "sending" past its lease into unclear: its sender died, and nobody can tell how far it came.

    Answers how many rows it turned.
    """
    turned = 0
    for operation in Operation.objects.filter(state=State.SENDING, lease_until__lte=Now()).order_by("pk")[:100]:
        attempt = operation.attempts.filter(proof=Proof.OPEN).first()
        words = "The process that sent it ended before ITCare's answer was written down."
        try:
            outcome.unclear(operation, attempt, words)
        except Exception as error:
            # One row that cannot be turned slows down by itself and must not stop the others.
            logger.exception("Operation %s could not be called unclear.", operation.pk)
            slow_down(operation, f"That nobody knows its outcome could not be written down ({type(error).__name__}).")
            continue
        turned += 1
    return turned
