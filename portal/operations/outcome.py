"""Writes down what a write upstream proved, and moves the operation accordingly (SAFETY 2)."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal import itcare
from portal.catalog.kinds import KINDS
from portal.operations import concerns
from portal.operations.actions import TakenError, tie
from portal.operations.leases import back_off
from portal.operations.locks import lock_own
from portal.operations.models import Attempt, Operation
from portal.operations.states import NOTHING_EXECUTED, LostRaceError, Proof, Reason, State
from portal.web.words import cut

logger = logging.getLogger(__name__)

# A second refusal of a fresh token is for a person: until then the operation asks again this rarely.
UNAUTHENTICATED_SECONDS = 60.0


def accepted(operation: Operation, attempt: Attempt, answer: itcare.Accepted) -> None:
    """ITCare took it. Without a readable id it is looked for, and never sent again (SAFETY 1 rule 5)."""
    action = answer.action if answer.action and answer.action.id else None
    if action is None and KINDS[operation.kind].empty_answer_ends:
        _finished(operation, attempt, answer)
        return
    try:
        _runs(operation, attempt, answer, action)
    except TakenError as taken:
        # ITCare took it, and named an action that carries out another operation: a fault of ITCare's.
        logger.error("Operation %s: %s.", operation.pk, taken)  # noqa: TRY400 - expected of a faulty upstream
        named = f"ITCare accepted it and named action {taken.number}, which carries out another operation."
        say_so = partial(concerns.same_action, operation, taken.number)
        _runs(operation, attempt, answer, None, named, first=say_so)


def _runs(
    operation: Operation,
    attempt: Attempt,
    answer: itcare.Accepted,
    action: itcare.Action | None,
    without: str = "ITCare accepted it without telling which action carries it out.",
    *,
    first: Callable[[], object] | None = None,
) -> None:
    """Write down that it runs, with its action if ITCare told one.

    Args:
        operation: Which one.
        attempt: Its call.
        answer: What ITCare answered.
        action: The one that carries it out.
        without: Why there is none.
        first: What else is to be written down, if the operation still is the caller's.

    Raises:
        TakenError: that action carries out another operation; nothing was written.
    """
    number = action.id if action else None
    words = action.message or "" if action else without
    with transaction.atomic():
        _prove(
            attempt,
            Proof.ACCEPTED,
            words,
            http_status=answer.status,
            correlation_id=answer.correlation_id,
            upstream_action_id=number,
        )
        _move(
            operation,
            State.RUNNING,
            first=partial(tie, action, operation) if action else first,
            detail={"action": number},
            last_proof=Proof.ACCEPTED,
            upstream_action_id=number,
            message="",
            failures=0,
            look_at=_later(settings.FOLLOW_SECONDS if action else settings.SETTLE_SECONDS),
        )


def _finished(operation: Operation, attempt: Attempt, answer: itcare.Accepted) -> None:
    """ITCare did it at once: there is no action to follow (API.md A10)."""
    words = "ITCare accepted it, and there is nothing to wait for."
    evidence = {"http_status": answer.status, "correlation_id": answer.correlation_id}
    with transaction.atomic():
        _prove(attempt, Proof.ACCEPTED, words, **evidence)
        _move(operation, State.SUCCEEDED, detail={}, last_proof=Proof.ACCEPTED, message="")


def told(operation: Operation, attempt: Attempt, error: itcare.ItcareError) -> None:
    """The client raised: sort by what was proven."""
    if isinstance(error, itcare.NotSent):
        not_sent(operation, attempt, _words(error), error=error)
    elif isinstance(error, itcare.Unauthenticated):
        again = operation.failures > 0
        _queue_again(operation, attempt, Proof.REFUSED, error, UNAUTHENTICATED_SECONDS if again else 0)
    elif isinstance(error, itcare.Throttled):
        _queue_again(operation, attempt, Proof.REFUSED, error, error.retry_after or back_off(operation.failures + 1))
    elif _speaks_for_an_earlier_one(operation, attempt, error):
        _look_for_the_earlier_one(operation, attempt, error)
    elif isinstance(error, itcare.Refused):
        _end(operation, attempt, Proof.REFUSED, Reason.REFUSED, _words(error), error=error)
    else:
        unclear(operation, attempt, _words(error), error=error)


def _speaks_for_an_earlier_one(operation: Operation, attempt: Attempt, error: itcare.ItcareError) -> bool:
    """Whether it was refused because an earlier attempt, of which nobody could tell, did it or is at it (SAFETY 2)."""
    gone = isinstance(error, itcare.NotFound) and KINDS[operation.kind].removes
    return (gone or isinstance(error, itcare.Conflict)) and _may_have_acted(operation, before=attempt)


def _may_have_acted(operation: Operation, *, before: Attempt | None = None) -> bool:
    """Whether an attempt may have been executed, so that the operation must not be called failed."""
    rows = operation.attempts.exclude(proof__in=NOTHING_EXECUTED)
    return (rows.filter(number__lt=before.number) if before else rows).exists()


def _look_for_the_earlier_one(operation: Operation, attempt: Attempt, error: itcare.ItcareError) -> None:
    words = f"{cut(_words(error), 400)} An earlier attempt may have done it: that one is looked for."
    with transaction.atomic():
        _prove(attempt, Proof.REFUSED, _words(error), **_evidence(error))
        _unclear(operation, words)


def not_sent(
    operation: Operation,
    attempt: Attempt,
    words: str,
    *,
    error: itcare.ItcareError | None = None,
    reason: Reason | None = None,
) -> None:
    """No byte of the request left: queued again after a while, or failed for the reason given."""
    if reason is not None:
        _end(operation, attempt, Proof.NOT_SENT, reason, words, error=error)
        return
    seconds = (error.retry_after if error else None) or back_off(operation.failures + 1)
    with transaction.atomic():
        _prove(attempt, Proof.NOT_SENT, words, **_evidence(error))
        _back_to_queue(operation, Proof.NOT_SENT, words, seconds)


def unclear(
    operation: Operation, attempt: Attempt | None, words: str, *, error: itcare.ItcareError | None = None
) -> None:
    """Nobody can tell: a state of its own, settled by looking, never by sending again."""
    with transaction.atomic():
        if attempt is not None:
            _prove(attempt, Proof.UNKNOWN, words, **_evidence(error))
        _unclear(operation, words)


def _unclear(operation: Operation, words: str) -> None:
    _move(
        operation,
        State.UNCLEAR,
        detail={"why": words},
        last_proof=Proof.UNKNOWN,
        # A release is for one look at the evidence: what happened since is new.
        released_by=None,
        also_released_by=None,
        message=cut(words, 500),
        failures=0,
        look_at=_later(settings.SETTLE_SECONDS),
    )


def fail_unsent(operation: Operation, reason: Reason, words: str) -> None:
    """Fail a queued operation that must not be sent any more.

    Where an earlier attempt may have been executed, that the cluster is no longer as it was speaks for it: the
    operation is not called failed, and the attempt is looked for.
    """
    with transaction.atomic():
        if _may_have_acted(operation):
            why = cut(words.removesuffix(" Ask again."), 400)
            _unclear(operation, f"{why} An earlier attempt may have done that: it is looked for.")
            return
        _move(operation, State.FAILED, detail={"reason": reason, "why": words}, reason=reason, message=cut(words, 500))


def _end(
    operation: Operation,
    attempt: Attempt,
    proof: Proof,
    reason: Reason,
    words: str,
    *,
    error: itcare.ItcareError | None,
) -> None:
    with transaction.atomic():
        _prove(attempt, proof, words, **_evidence(error))
        _move(
            operation,
            State.FAILED,
            detail={"reason": reason, "why": words},
            last_proof=proof,
            reason=reason,
            message=cut(words, 500),
        )


def _queue_again(
    operation: Operation, attempt: Attempt, proof: Proof, error: itcare.ItcareError, seconds: float
) -> None:
    words = _words(error)
    with transaction.atomic():
        _prove(attempt, proof, words, **_evidence(error))
        _back_to_queue(operation, proof, words, seconds)


def _back_to_queue(operation: Operation, proof: Proof, words: str, seconds: float) -> None:
    _move(
        operation,
        State.QUEUED,
        detail={"why": words},
        last_proof=proof,
        message=cut(words, 500),
        failures=operation.failures + 1,
        look_at=_later(seconds),
    )


def _prove(attempt: Attempt, proof: Proof, words: str, **evidence: Any) -> None:  # noqa: ANN401 - columns
    """Complete the attempt. A sender that comes late may still replace "unknown" by what it knows: that is evidence."""
    rows = Attempt.objects.filter(pk=attempt.pk, proof__in=[Proof.OPEN, Proof.UNKNOWN])
    if proof == Proof.UNKNOWN:
        rows = rows.filter(proof=Proof.OPEN)
    rows.update(proof=proof, message=cut(words, 500), ended_at=Now(), **evidence)


def _move(
    operation: Operation,
    to: State,
    *,
    detail: dict[str, Any],
    first: Callable[[], object] | None = None,
    **values: Any,  # noqa: ANN401 - columns
) -> None:
    """Move under our fence, after what belongs to it; who lost the row leaves evidence on the attempt and no more."""
    try:
        with transaction.atomic():
            if first is not None:
                lock_own(operation)
                first()
            operation.move(to, fence=operation.fence, detail=detail, **{"lease_until": None, **values})
    except LostRaceError:
        logger.warning("Operation %s was taken over; only the attempt was written.", operation.pk)


def _words(error: itcare.ItcareError) -> str:
    """The portal's sentence, and what ITCare itself said, if it said anything (API.md 4)."""
    said = f"{error.upstream_message} ({error.field})" if error.field else error.upstream_message
    return f"{error.sentence} ITCare says: {said}" if error.upstream_message else error.sentence


def _evidence(error: itcare.ItcareError | None) -> dict[str, Any]:
    if error is None:
        return {}
    return {"http_status": error.status, "correlation_id": error.correlation_id[:64]}


def _later(seconds: float) -> Any:  # noqa: ANN401 - a database expression
    return Now() + timedelta(seconds=seconds)
