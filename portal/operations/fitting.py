"""Which of ITCare's actions can be the one that an operation waits for (SAFETY 1 rule 6)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from django.conf import settings
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Now

from portal import itcare
from portal.operations.models import Action, Attempt, Operation
from portal.operations.states import NOTHING_EXECUTED, State

# Actions of our own that are looked through for what they teach: the newest, so that the question stays small.
LEARNED_FROM: Final = 1000
# Actions of a name that a concern names, at most, where all of them are not what a person decides on: the newest.
MOST_NOTED: Final = 20


@dataclass(frozen=True)
class Known:
    """What the portal's own actions teach of ITCare.

    Attributes:
        accounts: how ITCare spells the portal's account.
        codes: the codes of the work that each kind was seen to be (API.md A20: none is documented).
    """

    accounts: frozenset[str]
    codes: Mapping[str, frozenset[str]]

    @classmethod
    def learn(cls) -> Self:
        """Look through the newest actions of our own; codes are taken from operations that succeeded."""
        own = Action.objects.filter(operation__isnull=False).order_by("-upstream_id")
        accounts: set[str] = set()
        codes: defaultdict[str, set[str]] = defaultdict(set)
        columns = own.values_list("submitted_by", "process", "operation__kind", "operation__state")
        for account, code, kind, state in columns[:LEARNED_FROM]:
            accounts.add(account)
            if state == State.SUCCEEDED and code:
                codes[kind].add(code)
        return cls(frozenset(accounts - {""}), {kind: frozenset(known) for kind, known in codes.items()})

    def of_another_kind(self, code: str, kind: str) -> bool:
        """Whether that code is known of other kinds only, while codes of this kind are known too."""
        own = self.codes.get(kind, frozenset())
        others = any(code in codes for other, codes in self.codes.items() if other != kind)
        return bool(own) and code not in own and others


@dataclass(frozen=True)
class Sight:
    """What ITCare's list of actions shows of an operation.

    Attributes:
        fitting: those that can be its own.
        others: others on its cluster since it was sent, which no operation of the portal has.
        whole: whether nothing is missing, as far as that can be told.
    """

    fitting: tuple[itcare.Action, ...]
    others: tuple[itcare.Action, ...]
    whole: bool


def look(listed: itcare.Actions, operation: Operation, attempt: Attempt, known: Known) -> Sight:
    """Sort a list of actions by what they can have to do with the attempt.

    A list that lacks an action which was there before the sending is not whole, whatever it says of itself.
    """
    newer = [action for action in listed.items if _since(action, operation, attempt)]
    taken = _taken(newer, operation)
    newer = [action for action in newer if action.id not in taken]
    fitting = tuple(action for action in newer if _alike(action, operation, known))
    others = tuple(action for action in newer if action not in fitting)
    before = attempt.watermark_action_id
    whole = listed.complete and (before is None or any(action.id == before for action in listed.items))
    return Sight(fitting, others, whole)


def fitting(
    actions: Iterable[itcare.Action], operation: Operation, attempt: Attempt, known: Known
) -> tuple[itcare.Action, ...]:
    """Return those that can be the operation's own."""
    return look(itcare.Actions(tuple(actions), complete=False), operation, attempt, known).fitting


def on_the_name(actions: Iterable[itcare.Action], operation: Operation) -> list[itcare.Action]:
    """Return those on the operation's name since it was first sent that no other operation has, nor it itself."""
    attempt = first_open(operation)
    newer = [action for action in actions if attempt is not None and _since(action, operation, attempt)]
    taken = _taken(newer, operation) | {operation.upstream_action_id}
    return [action for action in newer if action.id not in taken]


def noted(operation: Operation) -> list[Action]:
    """Return the same of what the portal has come across: one of them may be the operation's own."""
    attempt = first_open(operation)
    if attempt is None:
        return []
    free = Q(operation=None) | Q(operation=operation)
    newer = Action.objects.filter(free, upstream_id__gt=attempt.watermark_action_id or 0)
    rows = newer.filter(resource_name__iexact=operation.name).exclude(upstream_id=operation.upstream_action_id or 0)
    return [row for row in rows[:MOST_NOTED] if after(row.submitted_at, attempt)]


def after(at: datetime | None, attempt: Attempt) -> bool:
    """Whether it happened after the watermark: both by ITCare's clock, whose Date header counts whole seconds."""
    return at is None or attempt.watermark_at is None or at >= attempt.watermark_at - timedelta(seconds=1)


def first_open(operation: Operation) -> Attempt | None:
    """Return the first attempt that ITCare may have executed: what is newer than its watermark can be the operation's.

    One that was sent again by people has several; an action of the first may show up after the second was sent.
    """
    return operation.attempts.exclude(proof__in=NOTHING_EXECUTED).order_by("number").first()


def unaccounted() -> QuerySet[Operation]:
    """Operations that ended lately, and of which more calls may have been executed than actions are known.

    An action that ITCare did not know when a person ended the operation counts as none: it may have another number.
    """
    since = Now() - timedelta(seconds=settings.LATE_ACTION_SECONDS)
    acted = Count("attempts", filter=~Q(attempts__proof__in=NOTHING_EXECUTED))
    ended = Action.objects.filter(upstream_id=OuterRef("upstream_action_id"), status__in=[itcare.SUCCESS, itcare.ERROR])
    vanished = Q(~Exists(ended), missed_at__isnull=False, settled_by__isnull=False)
    found = Case(When(vanished | Q(upstream_action_id=None), then=Value(0)), default=Value(1))
    return Operation.objects.filter(ended_at__gte=since).annotate(acted=acted).filter(acted__gt=found)


def rivals(action: itcare.Action, operation: Operation, known: Known) -> list[Operation]:
    """Return other operations on this name that ended without their action, and whose it may be as well."""
    found = unaccounted().filter(name__iexact=operation.name).exclude(pk=operation.pk)
    return [rival for rival in found if (attempt := first_open(rival)) and fitting([action], rival, attempt, known)]


def _since(action: itcare.Action, operation: Operation, attempt: Attempt) -> bool:
    """Whether it is about this name, and newer than the watermark by its number and by its time."""
    if (action.resource_name or "").lower() != operation.name.lower():
        return False
    if attempt.watermark_action_id is not None and action.id <= attempt.watermark_action_id:
        return False
    return after(action.submitted_at, attempt)


def _taken(actions: Iterable[itcare.Action], operation: Operation) -> set[int]:
    rows = Action.objects.filter(upstream_id__in=[action.id for action in actions], operation__isnull=False)
    return set(rows.exclude(operation=operation).values_list("upstream_id", flat=True))


def _alike(action: itcare.Action, operation: Operation, known: Known) -> bool:
    """Whether account and kind speak for it, as far as both are known."""
    if known.accounts and action.submitted_by and action.submitted_by not in known.accounts:
        return False
    return not known.of_another_kind((action.process or "")[:200], operation.kind)
