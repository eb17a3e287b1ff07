"""Raises and closes concerns. Each is told once, however often the portal comes upon it."""

from collections.abc import Sequence
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.audit.record import record
from portal.inventory.models import Cluster
from portal.operations.fitting import MOST_NOTED, noted
from portal.operations.locks import lock
from portal.operations.models import PORTAL, Action, Concern, Operation, Situation
from portal.operations.states import State
from portal.web.words import cut

WORDS: Final = 1000  # letters of the sentence for people, at most


@transaction.atomic
def raise_concern(
    situation: Situation,
    words: str,
    *,
    operation: Operation | None = None,
    cluster: Cluster | None = None,
    actions: Sequence[Action] = (),
) -> bool:
    """Say that a person must look at something; answers whether that was new.

    A concern of this situation that is open already gets the words and the actions of now. The operation is locked
    first (see `locks`).

    Args:
        situation: What the matter is.
        words: The sentence for people, with the evidence.
        operation: What it is about.
        cluster: What it is about, where no operation is.
        actions: Those of ITCare that it is about, as noted.
    """
    if operation is not None:
        lock(operation)
    about: Operation | Cluster | None = operation or cluster
    of = Concern.objects.open().filter(situation=situation, operation=operation)
    known = of if operation else of.filter(cluster=cluster)
    row, made = known.get_or_create(
        closed_at=None,
        defaults={
            "situation": situation,
            "operation": operation,
            "cluster": cluster or (operation.cluster if operation else None),
            "service_id": about.service_id if about else None,
            "words": cut(words, WORDS),
        },
    )
    told = set(row.actions.values_list("pk", flat=True))
    fresh = {action.pk for action in actions}
    if fresh != told:
        row.actions.set(fresh)
    if not made and (row.words != cut(words, WORDS) or fresh != told):
        Concern.objects.filter(pk=row.pk).update(words=cut(words, WORDS), changed_at=Now())
    if made:
        _record("concern.raised", row, None, {"words": cut(row.words, 300)})
    return made


@transaction.atomic
def close(rows: QuerySet[Concern], outcome: str, *, by: User | None = None) -> int:
    """Note of open concerns how they ended; answers how many there were.

    Args:
        rows: Which ones; those closed already are left as they are.
        outcome: How, in words.
        by: The person who dealt with them; None where the portal found them settled.
    """
    closed = []
    for row in rows.filter(closed_at=None).select_for_update(of=("self",)).select_related("operation", "cluster"):
        Concern.objects.filter(pk=row.pk).update(
            closed_at=Now(), changed_at=Now(), closed_by=by, outcome=cut(outcome, 500)
        )
        closed.append(row)
    for row in closed:
        _record("concern.closed", row, by, {"outcome": cut(outcome, 300)})
    return len(closed)


@transaction.atomic
def raise_once(situation: Situation, words: str, operation: Operation, actions: Sequence[Action] = ()) -> bool:
    """Raise a concern that comes from time alone, unless a person has dealt with it; answers whether that was new.

    What a person has closed would otherwise come back at the next look, as nothing has changed by it. What is over by
    the time that the operation can be locked is told to nobody.
    """
    lock(operation)
    if not _still(situation).filter(pk=operation.pk).exists():
        return False
    dealt_with = Concern.objects.filter(operation=operation, situation=situation, closed_by__isnull=False)
    if dealt_with.filter(raised_at__gte=operation.sent_at or operation.queued_at).exists():
        return False
    return raise_concern(situation, words, operation=operation, actions=actions)


@transaction.atomic
def keeps_failing(words: str) -> bool:
    """Tell administrators of a row that is no operation on its way, or not stuck there; answers whether that was new.

    One matter names all such rows, each by a sentence: a further one is told by another mail. What somebody has noted
    is not told again.
    """
    words = cut(words, WORDS)
    rows = Concern.objects.filter(situation=Situation.STUCK, operation=None, cluster=None)
    known = rows.open().select_for_update(of=("self",)).first()
    said = known.words if known else ""
    both = f"{said} {words}".strip()
    if words in said or len(both) > WORDS or rows.filter(closed_by__isnull=False, words__contains=words).exists():
        return False
    if not raise_concern(Situation.STUCK, both):
        rows.open().update(tell_at=Now(), told_at=None)
    return True


def _still(situation: Situation) -> QuerySet[Operation]:
    """Operations to which that can still happen."""
    if situation == Situation.OVERDUE:
        return Operation.objects.overdue()
    rows = Operation.objects.unfinished()
    if situation == Situation.UNREACHABLE:
        return rows.filter(state=State.QUEUED)
    return rows.filter(missed_at__isnull=False) if situation == Situation.VANISHED else rows


def same_action(operation: Operation, number: int) -> bool:
    """Say that ITCare named an action for the operation that carries out another one; answers whether that was new."""
    row = Action.objects.filter(upstream_id=number).select_related("operation").first()
    other = (row and row.operation) or Operation.objects.filter(upstream_action_id=number).first()
    whose = told_to(operation, other) if other else "another operation"
    words = (
        f"ITCare accepted this operation and named action {number} for it, but that action carries out {whose}. "
        "ITCare gave one number to two calls, and the number does not tell whether this one is being done. "
        "The portal does not send it again. It looks for another action that can be its own, and if it finds one, "
        "it follows that one, and this matter closes by itself. Otherwise look at the cluster and ask cegedim.cloud "
        "what became of this call, by its correlation id; then mark it as done or as failed. "
        "If nobody can say, release the cluster."
    )
    rows = [*([row] if row else []), *noted(operation)]
    return raise_concern(Situation.SAME_ACTION, words, operation=operation, actions=rows)


def told_to(operation: Operation, other: Operation) -> str:
    """What the words about an operation call another one: who sees one service need not know what another asks for."""
    known = other.service_id == operation.service_id
    return f"operation {other.pk}, {other}" if known else f"operation {other.pk}"


def name_too(situation: Situation, operation: Operation, actions: Sequence[Action]) -> None:
    """Let an open concern name these actions besides those that it names already; of many the last of these give way.

    An action of another operation stays: it is what the concern is about.
    """
    for concern in Concern.objects.open().filter(operation=operation, situation=situation).select_for_update():
        known = list(concern.actions.all())
        taken = {action.pk for action in known if action.operation_id not in {None, operation.pk}}
        free = dict.fromkeys(action.pk for action in (*actions, *known) if action.pk not in taken)
        named = taken | set(list(free)[:MOST_NOTED])
        if named != {action.pk for action in known}:
            concern.actions.set(named)
            Concern.objects.filter(pk=concern.pk).update(changed_at=Now())


def late_action(operation: Operation, words: str, actions: QuerySet[Action]) -> bool:
    """Raise the alarm about actions of an operation that has ended; an open one tells of these too, by another mail.

    The operation is locked already.
    """
    known = Concern.objects.open().filter(operation=operation, situation=Situation.LATE_ACTION)
    said = " ".join(known.values_list("words", flat=True))
    before = set(Action.objects.filter(concerns__in=known))
    rows = before.union(actions)
    made = raise_concern(Situation.LATE_ACTION, f"{words} {said}".strip(), operation=operation, actions=list(rows))
    if rows != before and not made:
        known.update(tell_at=Now(), told_at=None)
    return made


def close_of(operation: Operation, outcome: str, *situations: Situation, by: User | None = None) -> int:
    """Close the open concerns about an operation, of these situations or of all; answers how many there were."""
    rows = Concern.objects.open().filter(operation=operation)
    return close(rows.filter(situation__in=situations) if situations else rows, outcome, by=by)


def _record(verb: str, concern: Concern, by: User | None, detail: dict[str, str]) -> None:
    about = "operation" if concern.operation_id else "cluster" if concern.cluster_id else "upstream"
    record(
        verb,
        actor=by.email if by else PORTAL,
        actor_id=by.pk if by else None,
        subject_type=about,
        subject_id=concern.operation_id or concern.cluster_id or 0,
        subject=concern.subject,
        service_id=concern.service_id,
        detail={"situation": concern.situation, **detail},
    )
