"""Writes down what looking for an unclear operation brought: an end, nothing yet, or a person who must find out.

Each takes locks in the order that `locks` tells: two who decide at once wait for each other, and never in a circle.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, Self

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Greatest, Now

from portal import itcare
from portal.audit.record import record
from portal.catalog.kinds import KINDS
from portal.inventory import waiting
from portal.inventory.models import Cluster
from portal.operations import concerns
from portal.operations.actions import in_order, note, tie
from portal.operations.fitting import MOST_NOTED, Sight
from portal.operations.leases import look_again
from portal.operations.locks import lock_own
from portal.operations.models import PORTAL, TO_DECIDE, Action, Attempt, Concern, Operation, Situation
from portal.operations.states import Proof, Reason, State
from portal.web.words import cut, some

NOT_YET: Final = "ITCare shows nothing of it yet; it is looked for again."
ASKED_LATE: Final = "ITCare shows nothing of it: a person must find out. It is not sent again."
UNREADABLE: Final = "ITCare's list of actions cannot be read in whole."
MOST_LISTED: Final = 5  # actions in a sentence
SEARCHING: Final = (Situation.SEVERAL_FIT, Situation.NOTHING_FOUND, Situation.UNSETTLED, Situation.STUCK)


@dataclass(frozen=True)
class Person:
    """What a person is asked.

    Attributes:
        situation: what the matter is.
        message: the sentence that the operation shows.
        evidence: what was seen at ITCare.
        actions: those of ITCare that it is about.
    """

    situation: Situation
    message: str
    evidence: str
    actions: tuple[itcare.Action, ...]

    @classmethod
    def several(cls, sight: Sight) -> Self:
        """Ask which of several actions it is."""
        message = f"{len(sight.fitting)} actions of ITCare fit: a person must say which one it is."
        return cls(Situation.SEVERAL_FIT, message, f"{_listed(sight.fitting)}.", sight.fitting)

    @classmethod
    def claimed_twice(cls, operation: Operation, sight: Sight, rivals: Sequence[Operation]) -> Self:
        """Ask whose an action is, where an earlier operation ended without its own."""
        message = "An action of ITCare fits this and an earlier operation: a person must say whose it is."
        whose = some([concerns.told_to(operation, rival) for rival in rivals], 3)
        evidence = f"{_listed(sight.fitting)}. It fits {whose} too, which ended without its action."
        return cls(Situation.SEVERAL_FIT, message, evidence, sight.fitting)

    @classmethod
    def nothing(cls, operation: Operation, sight: Sight, effect: str) -> Self:
        """Ask what became of it, where nothing is to be seen, or nothing that proves it."""
        if effect:
            seen = f"{effect[0].upper()}{effect[1:]}, but another action may have done that."
        elif KINDS[operation.kind].effect_shows:
            seen = "The cluster does not show that it was done."
        else:
            seen = "Whether it was done cannot be read off the cluster."
        others = f" On this name since: {_listed(sight.others)}." if sight.others else ""
        message = ASKED_LATE
        return cls(
            Situation.NOTHING_FOUND, message, f"No action since then can be its own. {seen}{others}", sight.others
        )


def grace_is_over(attempt: Attempt) -> bool:
    """Whether "not there" counts by now: a call may arrive late. By the database's clock, which started the attempt."""
    grace = timedelta(seconds=settings.SETTLE_GRACE_SECONDS)
    return Attempt.objects.filter(pk=attempt.pk, started_at__lte=Now() - grace).exists()


def adopt(operation: Operation, action: itcare.Action, evidence: str) -> None:
    """Take the action for the operation's own, and have it followed.

    Raises:
        LostRaceError: another has the row.
        TakenError: the action is another operation's.
    """
    found: Any = {"upstream_action_id": action.id, "evidence": evidence, "found_at": Now(), "searched_at": Now()}
    detail: dict[str, str | int | None] = {"action": action.id, "evidence": evidence}
    with _deciding(operation, partial(tie, action, operation)):
        if operation.state == State.UNCLEAR:
            operation.move(
                State.RUNNING,
                fence=operation.fence,
                detail=detail,
                last_proof=Proof.ACCEPTED,
                message=f"Found at ITCare: {evidence}.",
                failures=0,
                lease_until=None,
                look_at=Now(),
                **found,
            )
        else:
            rows = Operation.objects.filter(pk=operation.pk)
            rows.update(look_at=Now(), lease_until=None, changed_at=Now(), message="", failures=0, **found)
            _record(operation, "operation.found", detail)
        concerns.close_of(operation, f"Found at ITCare: {evidence}.", *SEARCHING, Situation.SAME_ACTION)


def succeed(operation: Operation, cluster: Cluster | None, effect: str) -> None:
    """Call it done, because the cluster shows what it did.

    Raises:
        LostRaceError: another has the row.
    """
    words = f"ITCare shows that it was done: {effect}. The action itself was not found."
    with _deciding(operation):
        operation.move(
            State.SUCCEEDED,
            fence=operation.fence,
            detail={"evidence": effect},
            cluster=operation.cluster or cluster,
            message=cut(words, 500),
            searched_at=Now(),
        )
        concerns.close_of(operation, words, *TO_DECIDE)
    if cluster is not None:
        # Its parts may have changed with it.
        waiting.want([cluster.pk])


def fail(operation: Operation, attempt: Attempt) -> None:
    """Nothing was executed, says the sender's late answer; what it needed was erased meanwhile, so one asks anew.

    Raises:
        LostRaceError: another has the row.
    """
    words = f"{cut(attempt.message, 480)} Ask again."
    reason = Reason.REFUSED if attempt.proof == Proof.REFUSED else Reason.UNREACHABLE
    with _deciding(operation):
        operation.move(
            State.FAILED,
            fence=operation.fence,
            detail={"reason": reason, "evidence": "the sender's own late answer"},
            last_proof=attempt.proof,
            reason=reason,
            message=words,
        )
        concerns.close_of(operation, "Nothing was executed, says the sender's own late answer.", *TO_DECIDE)


def searched(operation: Operation, words: str) -> None:
    """Note that a whole look brought nothing; it is looked for again, ever more slowly.

    Raises:
        LostRaceError: another has the row.
    """
    with _deciding(operation):
        _say(operation, words)
        Operation.objects.filter(pk=operation.pk).update(searched_at=Now())
        concerns.close_of(operation, "ITCare can be read again.", Situation.UNSETTLED, Situation.STUCK)
    look_again(operation, settings.SETTLE_SECONDS, failed=True)


def ask(operation: Operation, person: Person) -> None:
    """Tell a person; it is looked for all the same, ever more slowly.

    That several fitted is not taken back because none is shown later: absence proves nothing.

    Raises:
        LostRaceError: another has the row.
    """
    rows: list[Action] = []
    with _deciding(operation, lambda: rows.extend(_all_noted(person.actions))):
        _say(operation, person.message)
        if person.situation == Situation.NOTHING_FOUND:
            Operation.objects.filter(pk=operation.pk).update(searched_at=Now())
        several = Concern.objects.open().filter(operation=operation, situation=Situation.SEVERAL_FIT)
        if person.situation == Situation.SEVERAL_FIT or not several.exists():
            others = [situation for situation in SEARCHING if situation != person.situation]
            concerns.close_of(operation, f"More is known by now: {person.message}", *others)
            words = f"{person.message} {person.evidence}"
            concerns.raise_concern(person.situation, words, operation=operation, actions=rows)
    look_again(operation, settings.SETTLE_SECONDS, failed=True)


def show(operation: Operation, sight: Sight) -> None:
    """Let a person who is asked whose action ITCare named adopt what else is seen on the name: what fits comes first.

    Raises:
        LostRaceError: another has the row.
    """
    newest = partial(sorted, key=lambda action: action.id, reverse=True)
    seen = [*newest(sight.fitting), *newest(sight.others)][:MOST_NOTED]
    if seen and Concern.objects.open().filter(operation=operation, situation=Situation.SAME_ACTION).exists():
        rows: list[Action] = []
        with _deciding(operation, lambda: rows.extend(map(_noted, in_order(seen)))):
            place = {action.id: place for place, action in enumerate(seen)}
            concerns.name_too(Situation.SAME_ACTION, operation, sorted(rows, key=lambda row: place[row.upstream_id]))


def not_read(operation: Operation, why: str, fitting: Sequence[itcare.Action] = ()) -> None:
    """Tell a person once ITCare could not be read in whole for longer than the grace time."""
    words = f"What became of it cannot be looked for. {why} It is tried again all the time."
    _blind(operation, Situation.UNSETTLED, words, fitting)


def keeps_failing(operation: Operation) -> None:
    """Tell a person once a defect has kept it from being looked for for longer than the grace time."""
    _blind(operation, Situation.STUCK, "The search for it keeps failing; the log of the worker says why.")


def without_attempt(operation: Operation) -> None:
    """Tell a person: without the record of the sending nobody knows what is newer than it."""
    words = "The record of its sending is missing, so nothing at ITCare can be told to be its own."
    with _deciding(operation):
        _say(operation, "The record of its sending is missing: a person must find out. It is not sent again.")
        concerns.raise_concern(Situation.STUCK, words, operation=operation)
    look_again(operation, settings.SETTLE_SECONDS, failed=True)


def _blind(operation: Operation, situation: Situation, words: str, fitting: Sequence[itcare.Action] = ()) -> None:
    """Raise it where no whole look was possible for the grace time, and no person is asked already."""
    grace = timedelta(seconds=settings.SETTLE_GRACE_SECONDS)
    since = Operation.objects.unfinished().alias(seen=Greatest("searched_at", "sent_at"))
    with transaction.atomic():
        mine = since.select_for_update(of=("self",)).filter(pk=operation.pk, fence=operation.fence)
        if not mine.filter(seen__lte=Now() - grace).exists():
            return
        asked = Concern.objects.open().filter(operation=operation, situation__in=SEARCHING)
        if not asked.exclude(situation=situation).exists():
            rows = _all_noted(fitting)
            concerns.raise_concern(situation, words, operation=operation, actions=rows)


@contextmanager
def _deciding(operation: Operation, actions: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold the row, if it still is the caller's, and its concerns.

    Args:
        operation: Which one.
        actions: Writes down what is to be written of actions, which are locked between the two.

    Raises:
        LostRaceError: it is not.
    """
    with transaction.atomic():
        lock_own(operation)
        if actions is not None:
            actions()
        list(Concern.objects.open().filter(operation=operation).select_for_update().values_list("pk"))
        yield


def _say(operation: Operation, words: str) -> None:
    rows = Operation.objects.filter(pk=operation.pk)
    rows.exclude(message=cut(words, 500)).update(message=cut(words, 500), changed_at=Now())


def _all_noted(actions: Sequence[itcare.Action]) -> list[Action]:
    """Write actions down, however many: what was not would be news later, after the person's decision."""
    return [_noted(action) for action in in_order(actions)]


def _noted(action: itcare.Action) -> Action:
    note(action, None)
    return Action.objects.get(upstream_id=action.id)


def _listed(actions: Sequence[itcare.Action]) -> str:
    """The first actions in a few words each; more of them stand beside the sentence."""
    return f"Action {some([_briefly(action) for action in in_order(actions)], MOST_LISTED, '; ')}"


def _briefly(action: itcare.Action) -> str:
    said = f": {cut(action.message, 80)}" if action.message else ""
    return f"{action.id} ({cut(action.status, 20)}{said})"


def _record(operation: Operation, verb: str, detail: dict[str, str | int | None]) -> None:
    record(
        verb,
        actor=PORTAL,
        subject_type="operation",
        subject_id=operation.pk,
        subject=operation.title,
        service_id=operation.service_id,
        detail=detail,
    )
