"""Writes ITCare's actions down as they are read: each different message once, with its time."""

from portal import itcare
from portal.operations.models import Action, ActionMessage, Operation


def note(action: itcare.Action, operation: Operation | None) -> bool:
    """Write what an action tells now; answers whether that was new.

    Args:
        action: As read. One without an id is not noted: nothing could be told apart by it.
        operation: The operation that it carries out; None for one that the portal did not start.
    """
    if action.id is None:
        return False
    told: dict[str, object] = {
        "status": (action.status or "")[:40],
        "process": (action.process or "")[:200],
        "resource_name": (action.resource_name or "")[:200],
        "submitted_at": action.submitted_at,
        "submitted_by": (action.submitted_by or "")[:200],
        "last_updated_at": action.last_updated_at,
        "completed_at": action.completed_at,
    }
    # The answer to a write tells less than the list: what was known stays.
    known = {name: value for name, value in told.items() if value not in (None, "")}
    if operation is not None:
        known["operation"] = operation
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
