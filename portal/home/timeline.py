"""The story of an operation: who asked, who agreed, what was sent, what ITCare said, how it ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

from portal.changes.models import Change, Decision
from portal.operations.acts import in_doubt
from portal.operations.models import Action, ActionMessage, Attempt, Concern, Operation
from portal.operations.states import LOOKS, Proof, State

# How many earlier operations of its kind make "usually": fewer say nothing.
ENOUGH: Final = 3
RECENT: Final = 20


@dataclass(frozen=True)
class Entry:
    """One line of a timeline; `aside` is one about people, after which the work goes on as before."""

    tone: str
    icon: str
    text: str
    at: datetime | None
    note: str = ""
    aside: bool = False


@dataclass(frozen=True)
class Records:
    """What is written down of an operation: its calls, what ITCare's actions said, what people were asked."""

    attempts: list[Attempt]
    messages: list[ActionMessage]
    concerns: list[Concern]

    @classmethod
    def of(cls, operation: Operation, concerns: Sequence[Concern]) -> Self:
        """Read what its calls and its actions told, in two queries."""
        return cls(
            attempts=list(operation.attempts.all()),
            messages=list(ActionMessage.objects.filter(action__operation=operation).select_related("action")),
            concerns=list(concerns),
        )

    @property
    def actions(self) -> list[Action]:
        """ITCare's actions that carry it out. Each has said something, or it would not be known."""
        return list({message.action_id: message.action for message in self.messages}.values())


def timeline(operation: Operation, change: Change | None, decision: Decision | None, records: Records) -> list[Entry]:
    """Return the entries in the order in which they happened, and what comes next."""
    entries = []
    if change is not None:
        entries.append(Entry("done", "send", f"Asked by {operation.requester}", change.submitted_at, change.why))
    comment = decision.comment if decision else ""
    entries.append(Entry("done", "check", f"Approved by {operation.approver}", operation.queued_at, comment))
    # By our own clock: what ITCare's says may be minutes off.
    told = [(attempt.started_at, _attempt(attempt)) for attempt in records.attempts]
    told += [(message.seen_at, _message(message)) for message in records.messages]
    told += [pair for concern in records.concerns for pair in _concern(concern)]
    if operation.evidence and operation.found_at:
        found = f"Found at ITCare: {operation.evidence}"
        action = f"action {operation.upstream_action_id}"
        told.append((operation.found_at, Entry("done", "search", found, operation.found_at, action)))
    entries += [entry for _, entry in sorted(told, key=lambda pair: pair[0])]
    return _with_end(entries, operation, records.concerns)


def _attempt(attempt: Attempt) -> Entry:
    words = {
        Proof.OPEN: ("now", "loader-circle", "Being sent to ITCare"),
        Proof.ACCEPTED: ("done", "check", "Sent to ITCare, which accepted it"),
        Proof.REFUSED: ("bad", "x", "Sent to ITCare, which refused it; nothing was executed"),
        Proof.NOT_SENT: ("warn", "triangle-alert", "Not sent: ITCare could not be reached"),
        Proof.UNKNOWN: ("warn", "triangle-alert", "Sent, but nobody can tell whether ITCare received it"),
    }
    tone, icon, text = words[Proof(attempt.proof)]
    told = f"action {attempt.upstream_action_id}" if attempt.upstream_action_id else attempt.message
    return Entry(tone, icon, text, attempt.started_at, told if attempt.proof != Proof.OPEN else "")


def _message(message: ActionMessage) -> Entry:
    tone, icon = {"SUCCESS": ("done", "check"), "ERROR": ("bad", "x")}.get(message.status, ("done", "message-square"))
    return Entry(tone, icon, message.text or message.status, message.said_at or message.seen_at)


def _concern(concern: Concern) -> list[tuple[datetime, Entry]]:
    """That it needed a person, and what that one did about it."""
    raised = Entry("warn", "hand", f"Needs a person: {concern}", concern.raised_at, concern.words, aside=True)
    pairs = [(concern.raised_at, raised)]
    if concern.closed_at is not None:
        words = f"Dealt with by {concern.closed_by or 'the portal'}"
        dealt = Entry("done", "check", words, concern.closed_at, concern.outcome, aside=True)
        pairs.append((concern.closed_at, dealt))
    return pairs


def _with_end(entries: list[Entry], operation: Operation, concerns: Iterable[Concern]) -> list[Entry]:
    look = LOOKS[operation.state]
    if operation.finished:
        tone = "done" if operation.state == State.SUCCEEDED else "bad"
        return [*entries, Entry(tone, look.icon, look.word, operation.ended_at, operation.message)]
    if operation.state == State.RUNNING and len(entries) > 1:
        place = max(place for place, entry in enumerate(entries) if not entry.aside)
        entries[place] = replace(entries[place], tone="now", icon="loader-circle")
        return [*entries, Entry("next", "circle", "ITCare confirms, and the cluster is read again", None)]
    if entries[-1].tone == "now":
        return entries
    if any(map(in_doubt, concerns)):
        return [*entries, Entry("warn", "hand", "It is not sent until somebody decides.", None)]
    if operation.state == State.UNCLEAR:
        return [*entries, Entry("warn", look.icon, look.tip, None, operation.message)]
    return [*entries, Entry("now", "loader-circle", look.tip, None, operation.message)]


def usual(operation: Operation) -> tuple[timedelta, timedelta] | None:
    """Between what and what operations of this kind usually take, from sending to success: the middle half."""
    ended = Operation.objects.filter(kind=operation.kind, state=State.SUCCEEDED, sent_at__isnull=False)
    spans = ended.order_by("-pk").values_list("sent_at", "ended_at")[:RECENT]
    times = sorted(end - start for start, end in spans if start and end)
    if len(times) < ENOUGH:
        return None
    return times[len(times) // 4], times[(len(times) * 3) // 4]
