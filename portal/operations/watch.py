"""Watches for what takes too long: raises it once, and notes when it is over. A job of the sweep."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from portal.operations.concerns import close, raise_once
from portal.operations.models import TO_DECIDE, ActionMessage, Concern, Hold, Operation, Situation
from portal.operations.slowing import Round
from portal.operations.states import ASKED, ENDED, State

# At most so many of a sort in one round, so that one does not hold up the sweep.
A_ROUND: Final = 100
_ROUNDS: Final = {situation: Round("Operation") for situation in (Situation.OVERDUE, Situation.UNREACHABLE)}
_CLOSING: Final = Round("Concern")


def watch() -> None:
    """Raise what is overdue or cannot be sent for long, and close what is over."""
    for rows, situation, words in (
        (Operation.objects.overdue(), Situation.OVERDUE, _overdue),
        (_unsent(), Situation.UNREACHABLE, _unreachable),
    ):
        _ROUNDS[situation].go(_untold(rows, situation), partial(_raise, situation, words), A_ROUND)
    _close_what_is_over()


def _raise(situation: Situation, words: Callable[[Operation], str], operation: Operation) -> None:
    raise_once(situation, words(operation), operation)


def _untold(rows: QuerySet[Operation], situation: Situation) -> QuerySet[Operation]:
    told = Concern.objects.filter(Q(closed_at=None) | Q(closed_by__isnull=False), operation=OuterRef("pk"))
    since = told.filter(Q(raised_at__gte=OuterRef("queued_at")), situation=situation)
    return rows.exclude(Exists(since)).select_related("cluster").order_by("pk")


def _unsent() -> QuerySet[Operation]:
    """Operations that wait to be sent for too long; while a hold is in force, or just was, they wait on purpose.

    So do those of which a person has to say whether they were sent already.
    """
    long_ago = Now() - timedelta(seconds=settings.UNREACHABLE_SECONDS)
    if Hold.objects.filter(Q(ended_at=None) | Q(ended_at__gt=long_ago)).exists():
        return Operation.objects.none()
    doubted = Concern.objects.open().filter(operation=OuterRef("pk"), situation=Situation.UNKNOWN_ACTION)
    return Operation.objects.filter(state=State.QUEUED, queued_at__lte=long_ago).exclude(Exists(doubted))


def _overdue(operation: Operation) -> str:
    said = ActionMessage.objects.filter(action__operation=operation).order_by("-pk").first()
    number = operation.upstream_action_id
    return (
        f"It was sent more than {_span(settings.OVERDUE_SECONDS)} ago and has not ended."
        + (f" ITCare's action is {number}." if number else " ITCare did not tell which action carries it out.")
        + (f' The last that ITCare said: "{said}" ({said.status}).' if said else "")
        + " The portal goes on following it."
    )


def _unreachable(operation: Operation) -> str:
    why = f" The last try: {operation.message}" if operation.message else ""
    return f"It was approved more than {_span(settings.UNREACHABLE_SECONDS)} ago and could not be sent yet.{why}"


def _span(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    parts = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in ((hours, "hour"), (minutes, "minute"))]
    return " and ".join(part for part in parts if not part.startswith("0 ")) or f"{seconds:g} seconds"


def _close_what_is_over() -> None:
    rows = Concern.objects.open().filter(situation__in=TO_DECIDE)
    for state in ENDED:
        _close(rows.filter(operation__state=state), f"The operation has ended: {state.label.lower()}.")
    of = {situation: rows.filter(situation=situation) for situation in TO_DECIDE}
    overdue = Operation.objects.overdue().filter(pk=OuterRef("operation"))
    _close(of[Situation.OVERDUE].exclude(Exists(overdue)), "It was put back into the queue or sent anew.")
    _close(of[Situation.UNREACHABLE].filter(operation__state__in=ASKED), "It was sent.")
    _close(of[Situation.VANISHED].filter(operation__missed_at=None), "ITCare knows the action again.")
    _close(of[Situation.STUCK].filter(operation__failures=0), "A look at it succeeded.")


def _close(rows: QuerySet[Concern], outcome: str) -> None:
    _CLOSING.go(rows, lambda row: close(Concern.objects.filter(pk=row.pk), outcome), A_ROUND)
