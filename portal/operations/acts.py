"""What people may do about a concern, and what each act means; `resolve` does it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.utils import timezone

from portal.accounts.models import User
from portal.operations.models import TO_KNOW, Action, Attempt, Concern, Operation, Situation
from portal.operations.states import NEVER_RELEASED, NOTHING_EXECUTED, RELEASED_BY_TWO, Proof, State
from portal.web.live import stamp


class Act(StrEnum):
    """One thing that a person may do; the value is part of its address."""

    ADOPT = "adopt"
    DONE = "done"
    FAILED = "failed"
    SEND = "send"
    SEND_NOW = "send_now"
    RELEASE = "release"
    NOTED = "noted"


LABELS: Final = {
    Act.ADOPT: "Adopt an action",
    Act.DONE: "Mark as done",
    Act.FAILED: "Mark as failed",
    Act.SEND: "Send again",
    Act.SEND_NOW: "Not its own: send it now",
    Act.RELEASE: "Release the cluster",
    Act.NOTED: "Noted",
}
MEANINGS: Final = {
    Act.ADOPT: "One of the actions named here carries it out. The portal follows that action to its end.",
    Act.DONE: "You found out that it was done. The operation succeeds, and the cluster is free for others.",
    Act.FAILED: "You found out that it was not done. The operation fails, nothing is sent, and it can be asked again.",
    Act.SEND: "You found out that ITCare does not have it. The portal checks everything afresh and sends it once more.",
    Act.SEND_NOW: "You found out that this operation was not sent before: none of the actions named here is its own. "
    "The portal checks everything afresh and sends it.",
    Act.RELEASE: "You give up without knowing. The operation fails and the cluster is free for others; if its action "
    "shows up later, or one that still runs ends, an alarm is raised.",
    Act.NOTED: "You know of it, and nothing else has to be done. It leaves this list.",
}
# Said of what ends an operation without success, where it is so.
LOST_WITH_IT: Final = "The administrator password that the portal made is destroyed."
NEVER_QUEUED: Final = "It has not been sent. The operation fails and is not sent any more; it can be asked again."
REFUSED: Final = "It was sent, and ITCare refused it: nothing was done there."
REFUSED_SO_FAR: Final = f"{REFUSED} The operation fails and is not sent any more; it can be asked again."
SENT_ALREADY: Final = (
    "One of the actions named here is this operation, sent already. The portal follows that action to its end, "
    "and sends nothing."
)
NO_CREATE: Final = (
    "A create is never sent again: its administrator password is erased. If nothing was created, mark it as failed; "
    "then one asks anew."
)
FIRST_OF_TWO: Final = "Two people have to say so: you are the first, and nothing is sent until somebody else agrees."
SECOND_OF_TWO: Final = "{} has said so already: if you agree, it is sent."
OWN_RELEASE: Final = "You have said so already: somebody else, who did not ask for it, has to agree."
OWN_REQUEST: Final = "You asked for it: somebody else has to agree that it is sent."

BEING_SENT: Final = "It is being sent just now: nothing can be done until it is known what came of the call."

# What can still have come of an attempt: it is not known that nothing was executed.
PERHAPS_EXECUTED: Final = (Proof.UNKNOWN, Proof.ACCEPTED)


@dataclass(frozen=True)
class Offer:
    """An act as it stands for one person.

    Attributes:
        act: which one.
        means: what it does.
        not_now: why it cannot be done now by anybody; empty if it can.
        not_you: why this person cannot do it, though others can; empty if they can.
    """

    act: Act
    means: str
    not_now: str = ""
    not_you: str = ""

    @property
    def label(self) -> str:
        """What it is called."""
        return LABELS[self.act]

    @property
    def why_not(self) -> str:
        """Why the person cannot do it now; empty if they can."""
        return self.not_now or self.not_you


def offers(concern: Concern, user: User, now: datetime | None = None) -> list[Offer]:
    """Return what can be done about an open concern by somebody who may act on it.

    Args:
        concern: With its operation, and that one's attempts.
        user: Who would do it.
        now: The time, by the database's clock where it matters.
    """
    operation = concern.operation
    if operation is None or operation.finished:
        return [Offer(Act.NOTED, MEANINGS[Act.NOTED])]
    found = []
    doubted = in_doubt(concern)
    sent_before = perhaps_executed(_attempts(operation))
    if candidates(concern) and _adoptable(concern, operation):
        found.append(Offer(Act.ADOPT, SENT_ALREADY if doubted else MEANINGS[Act.ADOPT]))
    if operation.state == State.QUEUED:
        perhaps = sent_before or any(map(in_doubt, operation.concerns.all()))
        known = REFUSED_SO_FAR if refused_only(_attempts(operation)) else NEVER_QUEUED
        found.append(Offer(Act.FAILED, _lost(operation, MEANINGS[Act.FAILED] if perhaps else known)))
    elif operation.state in {State.UNCLEAR, State.RUNNING}:
        found.append(Offer(Act.DONE, MEANINGS[Act.DONE]))
        found.append(Offer(Act.FAILED, _lost(operation, MEANINGS[Act.FAILED])))
    if operation.state == State.UNCLEAR:
        found.append(_send(concern, operation, user, now or timezone.now()))
    if doubted and not sent_before:
        found.append(_send_now(concern, operation, user))
    if operation.state in {State.UNCLEAR, State.RUNNING} or (operation.state == State.QUEUED and sent_before):
        found.append(Offer(Act.RELEASE, _lost(operation, MEANINGS[Act.RELEASE])))
    # What is on its way to ITCare, or may be sent once this is closed, is not dealt with by knowing of it.
    if concern.situation in TO_KNOW and not doubted and operation.state != State.SENDING:
        found.append(Offer(Act.NOTED, MEANINGS[Act.NOTED]))
    return found


def in_doubt(concern: Concern) -> bool:
    """Whether it keeps an operation from being sent that may have been sent already: closing it lets the write go."""
    operation = concern.operation
    waits = operation is not None and operation.state == State.QUEUED
    return waits and concern.closed_at is None and concern.situation == Situation.UNKNOWN_ACTION


def perhaps_executed(attempts: Iterable[Attempt]) -> bool:
    """Whether any of an operation's calls may have been executed: then nobody can say that it was never sent."""
    return any(attempt.proof in PERHAPS_EXECUTED for attempt in attempts)


def refused_only(attempts: Iterable[Attempt]) -> bool:
    """Whether ITCare was reached, and refused each call that it got: it was sent, and nothing was executed."""
    proofs = {attempt.proof for attempt in attempts}
    return Proof.REFUSED in proofs and proofs <= set(NOTHING_EXECUTED)


def candidates(concern: Concern) -> list[Action]:
    """The actions that the concern names and that carry out no other operation."""
    return [action for action in concern.actions.all() if action.operation_id in {None, concern.operation_id}]


def basis(concern: Concern) -> str:
    """Return a mark of what a decision about the concern rests on: another one means that one has to look again."""
    operation = concern.operation
    rests: list[str | int | datetime | None] = [concern.pk, concern.closed_at]
    if operation is not None:
        rests += [operation.state, operation.upstream_action_id, operation.released_by_id, operation.released_at]
        rests += [part for attempt in _attempts(operation) for part in (attempt.number, attempt.proof)]
    actions = sorted(concern.actions.all(), key=lambda action: action.pk)
    return stamp(*rests, "actions", *(part for row in actions for part in (row.pk, row.status, row.operation_id)))


def first_of_two(concern: Concern, operation: Operation) -> User | None:
    """Who has said already that it may be sent; None where nobody has, or where there is newer evidence since."""
    first, at = operation.released_by, operation.released_at
    if first is None or at is None or not first.is_active:
        return None
    newer = any(action.seen_at > at for action in concern.actions.all())
    newer = newer or any(attempt.ended_at and attempt.ended_at > at for attempt in _attempts(operation))
    return None if newer else first


def needs_two(operation: Operation) -> bool:
    """Whether a second person has to agree: it would destroy data, or ITCare is known to have accepted it once."""
    return operation.kind in RELEASED_BY_TWO or accepted(operation)


def accepted(operation: Operation) -> bool:
    """Whether ITCare is known to have accepted an attempt."""
    return any(attempt.proof == Proof.ACCEPTED for attempt in _attempts(operation))


def _lost(operation: Operation, means: str) -> str:
    """What an act means that ends it without success: a password that was to be shown is gone, whatever ITCare did."""
    return means if operation.reveal_id is None else f"{means} {LOST_WITH_IT}"


def _send(concern: Concern, operation: Operation, user: User, now: datetime) -> Offer:
    means = MEANINGS[Act.SEND]
    if operation.kind == NEVER_RELEASED:
        return Offer(Act.SEND, means, not_now=NO_CREATE)
    last = max(_attempts(operation), key=lambda attempt: attempt.number, default=None)
    grace = timedelta(seconds=settings.SETTLE_GRACE_SECONDS)
    if last is None or now - last.started_at < grace:
        minutes = max(1, round(grace.total_seconds() / 60))
        wait = f"Not before {minutes} min after it was sent: until then its action may still show up."
        return Offer(Act.SEND, means, not_now=wait)
    return _by_two(Act.SEND, concern, operation, user) if needs_two(operation) else Offer(Act.SEND, means)


def _send_now(concern: Concern, operation: Operation, user: User) -> Offer:
    """Let go what waited in doubt: as dangerous as sending again, since whoever is wrong has it done twice.

    A create is let go too. Its password is still sealed, so nothing is lacking; and where it was created already,
    ITCare refuses the name.
    """
    two = needs_two(operation)
    return _by_two(Act.SEND_NOW, concern, operation, user) if two else Offer(Act.SEND_NOW, MEANINGS[Act.SEND_NOW])


def _by_two(act: Act, concern: Concern, operation: Operation, user: User) -> Offer:
    """What somebody else has to agree to, who did not ask for it."""
    first = first_of_two(concern, operation)
    if first is None:
        return Offer(act, f"{MEANINGS[act]} {FIRST_OF_TWO}")
    own = OWN_RELEASE if first == user else OWN_REQUEST if operation.requester_id == user.pk else ""
    return Offer(act, f"{MEANINGS[act]} {SECOND_OF_TWO.format(first)}", not_you=own)


def _adoptable(concern: Concern, operation: Operation) -> bool:
    """Whether it has no action, or one that ITCare no longer knows."""
    if operation.state == State.RUNNING:
        return operation.upstream_action_id is None or concern.situation == Situation.VANISHED
    return operation.state == State.UNCLEAR or in_doubt(concern)


def _attempts(operation: Operation) -> Sequence[Attempt]:
    """All of them, without a query where they were fetched before."""
    return list(operation.attempts.all())
