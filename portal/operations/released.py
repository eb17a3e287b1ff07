"""The last look before an operation is sent again that people released: they decided on what they had seen."""

import logging

from django.db import transaction
from django.db.models.functions import Now

from portal import itcare
from portal.operations.actions import in_order, note
from portal.operations.acts import PERHAPS_EXECUTED
from portal.operations.locks import lock_own
from portal.operations.models import Action, Operation
from portal.operations.states import LostRaceError, Proof, State
from portal.web.words import cut, some

logger = logging.getLogger(__name__)

WORDS = "It was not sent again: ITCare shows {} now, which nobody had seen when it was released."
NOT_REMEMBERED = "It was not sent again: ITCare shows {}, which the portal does not remember."


def unseen(operation: Operation, listed: itcare.Actions) -> list[itcare.Action]:
    """The actions on this name that came after an attempt which may have been executed, and that no person has seen.

    One that may have been executed is queued by a release only; the rule holds for every sending after it, also where
    one in between never left.

    Args:
        operation: One that is queued.
        listed: What ITCare's list tells just now.
    """
    attempt = operation.attempts.filter(proof__in=PERHAPS_EXECUTED).order_by("number").first()
    if attempt is None:
        return []
    after = attempt.watermark_action_id
    newer = [
        action
        for action in listed.items
        if action.id
        and (action.resource_name or "").lower() == operation.name.lower()
        and (after is None or action.id > after)
    ]
    known = Action.objects.filter(upstream_id__in=[action.id for action in newer])
    # Where nobody released it, nobody has seen anything.
    released_at = operation.released_at
    seen = set(known.filter(seen_at__lte=released_at).values_list("upstream_id", flat=True)) if released_at else set()
    return [action for action in newer if action.id not in seen]


def held_back(operation: Operation, listed: itcare.Actions) -> bool:
    """Undo the release, if ITCare shows what nobody had seen, and have it settled by looking; answers whether it did.

    Args:
        operation: One that is queued.
        listed: What ITCare's list tells just now.
    """
    actions = unseen(operation, listed)
    if actions:
        _back_to_unclear(operation, actions)
    return bool(actions)


def take_back(operation: Operation, actions: list[itcare.Action], words: str, fence: int | None = None) -> None:
    """Undo the release because of these actions. The operation is locked already (see `locks`).

    Args:
        operation: One that is queued, and of which an attempt may have been executed.
        actions: What ITCare shows.
        words: Why, with a place for them.
        fence: See `Operation.move`.

    Raises:
        LostRaceError: see `Operation.move`.
    """
    told = words.format(some([f"action {action.id}" for action in actions], 5))
    operation.move(
        State.UNCLEAR,
        fence=fence,
        detail={"why": told},
        last_proof=Proof.UNKNOWN,
        released_by=None,
        also_released_by=None,
        message=cut(told, 500),
        failures=0,
        lease_until=None,
        look_at=Now(),
    )


def _back_to_unclear(operation: Operation, actions: list[itcare.Action]) -> None:
    try:
        with transaction.atomic():
            lock_own(operation)
            for action in in_order(actions):
                note(action, None)
            take_back(operation, actions, WORDS, operation.fence)
    except LostRaceError:
        logger.info("Operation %s was moved by another.", operation.pk)
