"""What became of an operation, told to the person who asked: in a sentence, with what to do next, and the evidence."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

from portal.operations.acts import in_doubt, refused_only
from portal.operations.cancel import LOSES, SENT_BEFORE, in_time, loses_password
from portal.operations.models import Action, Attempt, Concern, Operation, Situation
from portal.operations.states import NOTHING_EXECUTED, Proof, Reason, State
from portal.web.facts import Facts, Told, known


@dataclass(frozen=True)
class Outcome:
    """How things stand when they are not simply going well.

    Attributes:
        tone: of the note that says it.
        title: what happened, in a sentence.
        why: the words of the portal, and of ITCare where it said anything; may be empty.
        then: what the reader can do, in a sentence or two.
    """

    tone: Literal["warn", "bad"]
    title: str
    why: str
    then: str


_SUPPORT: Final = "The evidence below names the call: cegedim.cloud's support can find it by its correlation id."
_ASK_AGAIN: Final = "Ask again, with the same values or others; somebody approves it anew."

# What ITCare's refusals mean to the person who asked, by HTTP status (API.md 4). The first sentence of each is the
# client's own, so that it is not told twice.
_REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    HTTPStatus.BAD_REQUEST: (
        "ITCare refused this: something in it is not valid.",
        "Ask again with other values.",
    ),
    HTTPStatus.FORBIDDEN: (
        "ITCare does not allow the portal's account to do this.",
        "An administrator of the portal has to ask cegedim.cloud for the right; then ask again.",
    ),
    HTTPStatus.NOT_FOUND: (
        "ITCare does not know this resource.",
        "Look at the cluster's page: it may be gone. If it is there, ask again.",
    ),
    HTTPStatus.CONFLICT: (
        "ITCare refused this: it conflicts with the state of the resource or with other work on it.",
        "Look at the cluster's history for what is going on, wait for its end, and ask again.",
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "ITCare refused this: its values do not fit together.",
        "Ask again with other values.",
    ),
}
_REFUSED: Final = ("ITCare refused this.", "Ask again with other values. " + _SUPPORT)
_MISCONFIGURED: Final = (
    "ITCare answered with a redirection, which the portal does not follow; its address is set wrongly.",
    "An administrator of the portal has to mend its settings; then ask again.",
)
_FAILURES: Final[Mapping[str, tuple[str, str]]] = {
    Reason.CONDITION: (
        "It was not sent: when its turn came, a condition no longer held.",
        "When what the sentence names is mended, ask again.",
    ),
    Reason.MOVED: (
        "It was not sent: the cluster is no longer what was approved.",
        "Look at what changed on the cluster's page. " + _ASK_AGAIN,
    ),
    Reason.FAILED_UPSTREAM: (
        "ITCare took it, and could not finish it.",
        "Look at the cluster's page for how it is now before you ask again. " + _SUPPORT,
    ),
    Reason.UNREACHABLE: ("It was not sent: ITCare could not be reached.", _ASK_AGAIN),
    Reason.SECRET_LOST: (
        "It was not sent: the sealed administrator password could not be opened.",
        "Ask again; an administrator of the portal should look at its encryption keys.",
    ),
    Reason.SETTLED: (
        "Somebody found out at cegedim.cloud that it was not done.",
        _ASK_AGAIN,
    ),
    Reason.GIVEN_UP: (
        "Somebody gave it up, and nobody knows whether it was done.",
        "It may have been done after all: look for the cluster, and at how it is now, before you ask again.",
    ),
}
# What somebody marked as failed while it waited, where the portal knows itself that nothing was done.
_ENDED_UNSENT: Final = "It was not sent: somebody ended it while it waited."
# Where ITCare had refused a call before.
_NOT_SENT: Final = "It was not sent: "
_NOT_SENT_AGAIN: Final = "ITCare refused it, and it was not sent again: "


def outcome(operation: Operation, attempts: Sequence[Attempt], concerns: Iterable[Concern] = ()) -> Outcome | None:
    """Tell how things stand; None while all goes well, or has gone well.

    Args:
        operation: The one that is told about.
        attempts: Its calls, the last one last.
        concerns: What people were asked about it.
    """
    for concern in concerns:
        if in_doubt(concern):
            return _doubted(operation, attempts, concern)
    told = _TOLD.get(State(operation.state))
    return told(operation, attempts) if told else None


def of(operation: Operation) -> Outcome | None:
    """Tell how things stand, after reading the calls where the words depend on them."""
    depends = operation.state in {State.FAILED, State.QUEUED}
    if not depends:
        return outcome(operation, [], [])
    return outcome(operation, list(operation.attempts.all()), list(operation.concerns.open()))


def _doubted(operation: Operation, attempts: Sequence[Attempt], concern: Concern) -> Outcome:
    then = "You can cancel it: then it is not sent, and what ITCare did stays." if in_time(operation, attempts) else ""
    if then and loses_password(operation, [concern]):
        then = f"{then} {LOSES}"
    title = "It waits: somebody has to decide whether it was sent already."
    return Outcome("warn", title, concern.words, f"It does not go on by itself. {then or SENT_BEFORE}")


def _queued(operation: Operation, attempts: Sequence[Attempt]) -> Outcome | None:
    if not operation.message and not attempts:
        return None
    title = "It waits to be sent once more." if attempts else "It waits, and nothing has been sent."
    then = "You can cancel it as long as it waits." if in_time(operation, attempts) else SENT_BEFORE
    return Outcome("warn", title, operation.message, f"It goes on by itself when ITCare takes it. {then}")


def _sending(operation: Operation, _: Sequence[Attempt]) -> Outcome | None:
    if not operation.overdue:
        return None
    then = "The portal keeps following it. Somebody should ask cegedim.cloud. " + _SUPPORT
    return Outcome("warn", "Overdue. It takes much longer than such an operation should.", operation.message, then)


def _running(operation: Operation, attempts: Sequence[Attempt]) -> Outcome | None:
    if overdue := _sending(operation, attempts):
        return overdue
    if operation.upstream_action_id is None:
        then = "It is not sent again. The portal looks for it at ITCare, and tells here what it finds."
        return Outcome(
            "warn", "ITCare accepted it, and the portal does not know which action carries it out.", "", then
        )
    return None


def _unclear(operation: Operation, _: Sequence[Attempt]) -> Outcome:
    then = "It is not sent again by itself. The portal looks for it at ITCare, and tells here what it finds."
    if operation.kind == "create":
        then += " A password that was to be set is erased: if nothing was created, ask anew."
    return Outcome("warn", "Nobody can tell whether ITCare received it.", operation.message, then)


def _failed(operation: Operation, attempts: Sequence[Attempt]) -> Outcome:
    last = attempts[-1] if attempts else None
    status = last.http_status if last and last.proof == Proof.REFUSED else None
    if operation.reason == Reason.REFUSED:
        redirected = status is not None and HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
        title, then = _MISCONFIGURED if redirected else _REFUSALS.get(status or 0, _REFUSED)
    else:
        title, then = _FAILURES.get(operation.reason, ("It failed.", _ASK_AGAIN))
    if operation.reason == Reason.SETTLED and _known_undone(operation, attempts):
        title = _ENDED_UNSENT
    why = operation.message.removeprefix(title).strip()
    if title.startswith(_NOT_SENT) and refused_only(attempts):
        title = title.replace(_NOT_SENT, _NOT_SENT_AGAIN, 1)
    return Outcome("bad", title, why, then)


def _known_undone(operation: Operation, attempts: Sequence[Attempt]) -> bool:
    """Whether nobody had to find out that it was not done: no call of it was executed, and none is forgotten."""
    if not all(attempt.proof in NOTHING_EXECUTED for attempt in attempts) or operation.upstream_action_id is not None:
        return False
    if not attempts and operation.sent_at is not None:
        return False
    return not Concern.objects.filter(operation_id=operation.pk, situation=Situation.UNKNOWN_ACTION).exists()


def _cancelled(operation: Operation, _: Sequence[Attempt]) -> Outcome:
    then = "Ask again if it is wanted after all."
    return Outcome("warn", "It was cancelled.", operation.message, then)


_TOLD: Final[Mapping[State, Callable[[Operation, Sequence[Attempt]], Outcome | None]]] = {
    State.QUEUED: _queued,
    State.SENDING: _sending,
    State.RUNNING: _running,
    State.UNCLEAR: _unclear,
    State.FAILED: _failed,
    State.CANCELLED: _cancelled,
}


def evidence(operation: Operation, attempts: list[Attempt], actions: list[Action]) -> list[Facts]:
    """Gather the raw evidence.

    Args:
        operation: The one that is told about.
        attempts: Its calls, each with what it proved.
        actions: ITCare's actions that carry it out.
    """
    told = [_operation(operation)]
    told += [_attempt(attempt) for attempt in attempts]
    return told + [_action(action) for action in actions]


def _operation(operation: Operation) -> Facts:
    told: list[Told] = [
        ("Reference", str(operation.reference)),
        ("State", operation.state),
        ("Reason", operation.reason),
        ("Last proof", operation.last_proof),
        ("Looks in a row that failed", str(operation.failures or "")),
        ("Looked at again", operation.look_at),
        ("Revision of the cluster", operation.revision),
        ("Digest of what was approved", operation.digest),
    ]
    return known(f"Operation {operation.pk}", told)


def _attempt(attempt: Attempt) -> Facts:
    told: list[Told] = [
        ("Began", attempt.started_at),
        ("Ended", attempt.ended_at),
        ("Proof", attempt.get_proof_display()),
        ("HTTP status", str(attempt.http_status or "")),
        ("Correlation id", attempt.correlation_id),
        ("Action in the answer", str(attempt.upstream_action_id or "")),
        ("Newest action before", str(attempt.watermark_action_id or "")),
        ("ITCare's clock before", attempt.watermark_at),
        ("Words", attempt.message),
    ]
    return known(f"Call {attempt.number}", told)


def _action(action: Action) -> Facts:
    told: list[Told] = [
        ("Status", action.status),
        ("Code of the work", action.process),
        ("Resource", action.resource_name),
        ("Account", action.submitted_by),
        ("Submitted", action.submitted_at),
        ("Last updated", action.last_updated_at),
        ("Completed", action.completed_at),
    ]
    return known(f"Action {action.upstream_id}", told)
