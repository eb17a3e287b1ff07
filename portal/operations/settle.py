"""Settles what is not known: looks for the action or its effect, and never sends again (SAFETY 1 rule 6)."""

import logging
import time
from collections.abc import Sequence
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from portal import itcare
from portal.operations import concerns, effects, relapses, unsettled
from portal.operations.actions import TakenError
from portal.operations.fitting import Known, Sight, look, rivals
from portal.operations.leases import claim, give_back, look_again
from portal.operations.models import Attempt, Operation, Situation
from portal.operations.slowing import in_nobodys_way
from portal.operations.states import NOTHING_EXECUTED, LostRaceError, State
from portal.operations.unsettled import NOT_YET, UNREADABLE, Person
from portal.upstream.client import client as upstream_client

logger = logging.getLogger(__name__)

# Rows that one pass holds at a time: no lease must end while others are looked at.
AT_ONCE: Final = 5
# Rows and seconds of a pass: what is left stays due for the next one.
PASS_SIZE: Final = 50
PASS_SECONDS: Final = 30.0


def settle(*, seconds: float = PASS_SECONDS) -> int:
    """Look at the operations that are unclear, or accepted without an id, and due; answers how many.

    While ITCare cannot be asked at all the pass ends: that is no failure of the rows, and slows none down. Those that
    it need not be asked about come first.

    Args:
        seconds: How long to go on, a few at a time; the look that is under way then is brought to its end.
    """
    unknown = Q(state=State.UNCLEAR) | Q(upstream_action_id=None)
    due = Operation.objects.due(State.UNCLEAR, State.RUNNING).filter(unknown)
    began = due.annotate(now=Now()).values_list("now", flat=True).first()
    if began is None:
        return 0
    client, known = upstream_client(), Known.learn()
    end = time.monotonic() + seconds
    mine = unknown & Q(look_at__lte=began)
    return sum(_go(client, known, where, end) for where in (mine & _known_already(), mine))


def _known_already() -> Q:
    """Nothing to ask for: no call is noted, or each is known to have brought nothing about."""
    calls = Attempt.objects.filter(operation=OuterRef("pk"))
    return Q(~Exists(calls.filter(~Q(proof__in=NOTHING_EXECUTED) | Q(upstream_action_id__isnull=False))))


def _go(client: itcare.Client, known: Known, where: Q, end: float) -> int:
    """Look at such rows until the end, or until ITCare cannot be asked; answers how many."""
    looked = 0
    while time.monotonic() < end and looked < PASS_SIZE:
        held = claim(State.UNCLEAR, State.RUNNING, where=where, limit=AT_ONCE)
        if not held:
            break
        until = min(end, time.monotonic() + settings.LEASE_SECONDS / 3)
        while held and time.monotonic() < until:
            operation = held.pop(0)
            looked += 1
            pause = _try(client, known, operation)
            if pause is not None:
                _wait(operation, held, pause)
                return looked
        give_back(held)
    return looked


def _wait(operation: Operation, others: Sequence[Operation], pause: itcare.ItcareError) -> None:
    """Give them back until ITCare may be asked again, the one that was asked about last: the others come first then.

    A person is told once that lasts too long. A call that ITCare throttled is its row's own failure: perhaps it
    throttles that one alone, for ever. Where no call was made no row is to blame.
    """
    logger.warning("What became of operations is not looked for now: %s", pause.sentence)
    for row in (operation, *others):
        with in_nobodys_way(row):
            unsettled.not_read(row, pause.sentence)
    seconds = pause.retry_after or settings.SETTLE_SECONDS
    give_back(others, seconds)
    if isinstance(pause, itcare.Throttled):
        look_again(operation, seconds, failed=True)
    else:
        give_back([operation], seconds)


def _try(client: itcare.Client, known: Known, operation: Operation) -> itcare.ItcareError | None:
    """Look at one, whatever comes of it: it must not stop the others; answers why ITCare cannot be asked at all."""
    try:
        _look(client, known, operation)
    except (itcare.NotSent, itcare.Throttled) as error:
        return error
    except LostRaceError:
        logger.info("Operation %s was moved by another.", operation.pk)
    except SoftTimeLimitExceeded:
        # Going on would end in the hard limit; the leases of the rest end by themselves.
        raise
    except Exception:
        # One row that cannot be settled slows down by itself and must not stop the others.
        logger.exception("Operation %s could not be settled.", operation.pk)
        with in_nobodys_way(operation):
            look_again(operation, 0, failed=True)
            unsettled.keeps_failing(operation)
    return None


def _look(client: itcare.Client, known: Known, operation: Operation) -> None:
    """Look once, and write down what came of it.

    Raises:
        LostRaceError: another took the row over meanwhile.
        NotSent: ITCare is not asked now, or was not reached; so Throttled.
    """
    try:
        _settle_one(client, known, operation)
    except (itcare.NotSent, itcare.Throttled):
        raise
    except itcare.ItcareError as error:
        logger.warning("Operation %s is still unclear: %s", operation.pk, error.sentence)
        look_again(operation, error.retry_after or 0, failed=True)
        unsettled.not_read(operation, error.sentence)


def _settle_one(client: itcare.Client, known: Known, operation: Operation) -> None:
    attempts = list(operation.attempts.order_by("number"))
    if not attempts:
        unsettled.without_attempt(operation)
        return
    late = _told_late(client, attempts)
    if late is not None and _adopted(operation, late):
        return
    acted = [attempt for attempt in attempts if attempt.may_have_acted]
    if not acted:
        unsettled.fail(operation, attempts[-1])
        return
    # Before the list is read: a look counts as one after the grace time only if all of it was.
    patient = not unsettled.grace_is_over(acted[-1])
    listed = client.actions(resource_name=operation.name)
    relapses.tell(listed.items)
    sight = look(listed, operation, acted[0], known)
    unsettled.show(operation, sight)
    _judge(client, known, operation, acted[0], sight, patient=patient)


def _adopted(operation: Operation, action: itcare.Action) -> bool:
    """Take the action that a late answer named, unless it is another operation's: then a person is told, once."""
    try:
        unsettled.adopt(operation, action, "the sender's own late answer")
    except TakenError as taken:
        if not operation.concerns.filter(situation=Situation.SAME_ACTION).exists():
            concerns.same_action(operation, taken.number)
        return False
    return True


def _told_late(client: itcare.Client, attempts: list[Attempt]) -> itcare.Action | None:
    """The action that an answer named after all; None where ITCare does not know it, and it has to be looked for."""
    for attempt in reversed(attempts):
        if attempt.upstream_action_id is not None:
            try:
                return client.action(attempt.upstream_action_id)
            except itcare.NotFound:
                continue
    return None


def _judge(
    client: itcare.Client, known: Known, operation: Operation, attempt: Attempt, sight: Sight, *, patient: bool
) -> None:
    """Decide by what is to be seen.

    An action settles it only where it is the only one in a whole list: in a part of a list the one that is ours may be
    missing. Several are several also in a part. An action first, then the effect: ITCare may show the action late.
    """
    one = sight.fitting[0] if len(sight.fitting) == 1 and sight.whole else None
    if len(sight.fitting) > 1:
        unsettled.ask(operation, Person.several(sight))
    elif one is not None:
        others = rivals(one, operation, known)
        if others:
            unsettled.ask(operation, Person.claimed_twice(operation, sight, others))
        else:
            unsettled.adopt(operation, one, "the only action on this name since it was sent")
    elif not sight.whole:
        look_again(operation, settings.SETTLE_SECONDS, failed=True)
        unsettled.not_read(operation, UNREADABLE, sight.fitting)
    else:
        cluster, words = effects.seen(client, operation, attempt)
        if words and not sight.others:
            unsettled.succeed(operation, cluster, words)
        elif patient:
            unsettled.searched(operation, NOT_YET)
        else:
            unsettled.ask(operation, Person.nothing(operation, sight, words))
