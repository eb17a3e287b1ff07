"""Writes ITCare's actions down as they are read: each different message once, with its time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from portal import itcare
from portal.operations.models import Action, ActionMessage, Operation

_COLUMNS: Final = (
    "status",
    "process",
    "resource_name",
    "submitted_at",
    "submitted_by",
    "last_updated_at",
    "completed_at",
)


def note(action: itcare.Action, operation: Operation | None) -> bool:
    """Write what an action tells now; answers whether that was new.

    Args:
        action: As read. One without an id is not noted: nothing could be told apart by it.
        operation: The operation that it carries out; None for one that the portal did not start.
    """
    if action.id is None:
        return False
    known = _told(action, operation)
    row, made = Action.objects.get_or_create(upstream_id=action.id, defaults=known)
    if not made:
        Action.objects.filter(pk=row.pk).update(**known)
    text = (action.message or "")[:500]
    if not text and not made:
        return False
    _, new = ActionMessage.objects.get_or_create(
        action=row, text=text, status=(action.status or "")[:40], defaults={"said_at": action.last_updated_at}
    )
    return new


def in_order(actions: Iterable[itcare.Action]) -> list[itcare.Action]:
    """Sort them by number: whoever notes several in one transaction locks them so (see `locks`)."""
    return sorted(actions, key=lambda action: action.id or 0)


class TakenError(Exception):
    """The action carries out another operation.

    Attributes:
        number: the action's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"action {number} is another operation's")
        self.number = number


def tie(action: itcare.Action, operation: Operation) -> None:
    """Note that the action carries the operation out. In the transaction that writes its number to the operation.

    The operation is locked already (see `locks`). The lock on the action's row makes two who want one action for two
    operations follow each other.

    Raises:
        TakenError: it carries out another one.
    """
    note(action, None)
    row = Action.objects.select_for_update(of=("self",)).get(upstream_id=action.id)
    others = Operation.objects.filter(upstream_action_id=action.id).exclude(pk=operation.pk)
    if row.operation_id not in {None, operation.pk} or others.exists():
        raise TakenError(action.id)
    note(action, operation)


def note_all(told: Sequence[tuple[itcare.Action, Operation]]) -> set[int]:
    """Write down what many actions tell, in as many statements as for one; answers the operations that have news.

    Args:
        told: Each action, as read, with the operation that it carries out. Within a transaction that holds these rows.
    """
    by_number = {action.id: (action, operation) for action, operation in sorted(told, key=lambda each: each[0].id)}
    known = {row.upstream_id: row for row in Action.objects.filter(upstream_id__in=by_number)}
    rows = [
        _merged(known.get(number) or Action(upstream_id=number), _told(action, operation))
        for number, (action, operation) in by_number.items()
    ]
    Action.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["upstream_id"], update_fields=[*_COLUMNS, "operation"]
    )
    messages = [
        ActionMessage(
            action=row, text=(action.message or "")[:500], status=action.status[:40], said_at=action.last_updated_at
        )
        for row, (action, _) in zip(rows, by_number.values(), strict=True)
        if action.message or action.id not in known
    ]
    texts = {message.text for message in messages}
    said = ActionMessage.objects.filter(action__in=rows, text__in=texts)
    before = set(said.values_list("action_id", "text", "status"))
    fresh = [message for message in messages if (message.action_id, message.text, message.status) not in before]
    ActionMessage.objects.bulk_create(fresh, ignore_conflicts=True)
    return {message.action.operation_id for message in fresh if message.action.operation_id}


def _told(action: itcare.Action, operation: Operation | None) -> dict[str, object]:
    """Columns of an action. The answer to a write tells less than the list: what was known stays."""
    told = (
        (action.status or "")[:40],
        (action.process or "")[:200],
        (action.resource_name or "")[:200],
        action.submitted_at,
        (action.submitted_by or "")[:200],
        action.last_updated_at,
        action.completed_at,
    )
    known: dict[str, object] = {
        name: value for name, value in zip(_COLUMNS, told, strict=True) if value not in (None, "")
    }
    return known if operation is None else {**known, "operation": operation}


def _merged(row: Action, told: Mapping[str, object]) -> Action:
    for name, value in told.items():
        setattr(row, name, value)
    # Its number is given back by the statement that writes it, whether it was there or not.
    row.pk = None
    return row
