"""The story of an operation: who asked, who agreed, what was sent, what ITCare said, how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from portal.changes.models import Change, Decision
from portal.operations.models import ActionMessage, Attempt, Operation
from portal.operations.states import LOOKS, Proof, State

# How many earlier operations of its kind make "usually": fewer say nothing.
ENOUGH: Final = 3
RECENT: Final = 20


@dataclass(frozen=True)
class Entry:
    """One line of a timeline."""

    tone: str
    icon: str
    text: str
    at: datetime | None
    note: str = ""


def timeline(
    operation: Operation,
    change: Change | None,
    decision: Decision | None,
    attempts: Sequence[Attempt],
    messages: Sequence[ActionMessage],
) -> list[Entry]:
    """Return the entries in the order in which they happened, and what comes next."""
    entries = []
    if change is not None:
        entries.append(Entry("done", "send", f"Asked by {operation.requester}", change.submitted_at, change.why))
    comment = decision.comment if decision else ""
    entries.append(Entry("done", "check", f"Approved by {operation.approver}", operation.queued_at, comment))
    entries += [_attempt(attempt) for attempt in attempts]
    if operation.evidence:
        found = f"Found at ITCare: {operation.evidence}"
        entries.append(Entry("done", "search", found, operation.found_at, f"action {operation.upstream_action_id}"))
    entries += [_message(message) for message in messages]
    return _with_end(entries, operation)


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


def _with_end(entries: list[Entry], operation: Operation) -> list[Entry]:
    look = LOOKS[operation.state]
    if operation.finished:
        tone = "done" if operation.state == State.SUCCEEDED else "bad"
        return [*entries, Entry(tone, look.icon, look.word, operation.ended_at, operation.message)]
    if operation.state == State.RUNNING and len(entries) > 1:
        last = entries[-1]
        entries[-1] = Entry("now", "loader-circle", last.text, last.at, last.note)
        return [*entries, Entry("next", "circle", "ITCare confirms, and the cluster is read again", None)]
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
