"""Operations and changes in every state, made with the fewest columns that the database demands."""

import uuid
from itertools import count
from typing import Any

from django.db.models.functions import Now

from portal.changes.models import Change
from portal.changes.models import State as ChangeState
from portal.operations.models import Operation, Secret
from portal.operations.states import State
from portal.sealing import SecretText
from tests.cast import Cast

# What a row of each state must hold, and nothing more.
OPERATION: dict[State, dict[str, Any]] = {
    State.QUEUED: {},
    State.SENDING: {"lease_until": Now(), "sent_at": Now()},
    State.RUNNING: {"upstream_action_id": 7, "last_proof": "accepted"},
    State.UNCLEAR: {"last_proof": "unknown"},
    State.SUCCEEDED: {"last_proof": "accepted", "look_at": None, "ended_at": Now()},
    State.FAILED: {"reason": "refused", "look_at": None, "ended_at": Now()},
    State.CANCELLED: {"look_at": None, "ended_at": Now()},
}
CHANGE: dict[ChangeState, dict[str, Any]] = {
    ChangeState.DRAFT: {},
    ChangeState.PENDING: {"submitted_at": Now()},
    ChangeState.APPROVED: {"submitted_at": Now(), "ended_at": Now()},
    ChangeState.REJECTED: {"submitted_at": Now(), "ended_at": Now()},
    ChangeState.WITHDRAWN: {"ended_at": Now()},
    ChangeState.EXPIRED: {"ended_at": Now()},
    ChangeState.LAPSED: {"submitted_at": Now(), "ended_at": Now()},
}


def secret() -> Secret:
    """A sealed password."""
    row = Secret.seal(SecretText("Sealed-Secret-1"), bound_to="a test")
    row.save()
    return row


def operation(cast: Cast, state: State = State.QUEUED, **values: Any) -> Operation:  # noqa: ANN401 - columns
    """An operation in that state."""
    told: dict[str, Any] = {
        "reference": uuid.uuid4(),
        "kind": "create",
        "name": f"n{uuid.uuid4().hex[:12]}",
        "title": "Create it",
        "service": cast.service,
        "requester": cast.developer,
        "approver": cast.approver,
        "parameters": {},
        "digest": "d" * 64,
        "state": state,
    }
    needs = OPERATION[state]
    if "upstream_action_id" in needs:
        # An action carries out one operation.
        taken = set(Operation.objects.values_list("upstream_action_id", flat=True))
        needs = {**needs, "upstream_action_id": next(number for number in count(7) if number not in taken)}
    return Operation.objects.create(**{**told, **needs, **values})


def change(cast: Cast, state: ChangeState = ChangeState.DRAFT, **values: Any) -> Change:  # noqa: ANN401 - columns
    """A change in that state."""
    told: dict[str, Any] = {
        "form_token": uuid.uuid4(),
        "kind": "create",
        "name": "newpostgre01",
        "title": "Create newpostgre01",
        "service": cast.service,
        "requester": cast.developer,
        "why": "A test needs it.",
        "parameters": {"name": "newpostgre01"},
        "digest": "d" * 64,
        "expires_at": Now(),
        "state": state,
    }
    if state == ChangeState.APPROVED:
        told["operation"] = operation(cast)
    return Change.objects.create(**{**told, **CHANGE[state], **values})
