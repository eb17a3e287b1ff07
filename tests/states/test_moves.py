"""Moves between states: which exist, what each writes into the audit log, and who wins a race (ARCHITECTURE 3)."""

from typing import Any

import pytest
from django.db import transaction

from portal.audit.models import Entry
from portal.changes.models import MOVES as CHANGE_MOVES
from portal.changes.models import Change
from portal.changes.models import State as ChangeState
from portal.operations.models import Operation, Secret
from portal.operations.states import ENDED, MOVES, LostRaceError, State
from tests.cast import Cast
from tests.states.rows import OPERATION, change, operation, secret

pytestmark = pytest.mark.django_db

# Spelled out from the design, not read from the code.
ALLOWED = {
    ("queued", "sending"),
    ("queued", "running"),
    ("queued", "unclear"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("sending", "queued"),
    ("sending", "running"),
    ("sending", "failed"),
    ("sending", "succeeded"),
    ("sending", "unclear"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("unclear", "running"),
    ("unclear", "succeeded"),
    ("unclear", "failed"),
    ("unclear", "queued"),
}
ALLOWED_CHANGES = {
    ("draft", "pending"),
    ("draft", "withdrawn"),
    ("draft", "expired"),
    ("pending", "approved"),
    ("pending", "rejected"),
    ("pending", "withdrawn"),
    ("pending", "expired"),
    ("pending", "lapsed"),
}
# What a move must bring along to be legal.
BRINGS: dict[State, dict[str, Any]] = {
    **{state: {} for state in State},
    State.QUEUED: {"last_proof": "refused"},
    State.SENDING: OPERATION[State.SENDING],
    State.RUNNING: {"upstream_action_id": 7},
    State.UNCLEAR: {"last_proof": "unknown"},
    State.FAILED: {"reason": "refused"},
}


def entries() -> list[tuple[str, str, int | None, str, str, dict[str, Any]]]:
    told = Entry.objects.values_list("verb", "actor", "actor_id", "subject_type", "subject_id", "detail")
    return list(told)


def test_the_moves_are_those_of_the_design() -> None:
    assert {(str(start), str(end)) for start, ends in MOVES.items() for end in ends} == ALLOWED
    assert {(str(start), str(end)) for start, ends in CHANGE_MOVES.items() for end in ends} == ALLOWED_CHANGES


@pytest.mark.parametrize(("start", "end"), sorted(ALLOWED))
def test_an_allowed_move_of_an_operation_writes_one_entry(cast: Cast, start: str, end: str) -> None:
    row = operation(cast, State(start), fence=3)
    row.move(State(end), fence=3, actor=cast.approver, detail={"why": "a test"}, **BRINGS[State(end)])
    row.refresh_from_db()
    assert (row.state, row.finished) == (end, end in ENDED)
    assert (row.look_at is None, row.ended_at is not None) == (row.finished, row.finished)
    assert entries() == [
        (
            f"operation.{end}",
            "approver@example.com",
            cast.approver.pk,
            "operation",
            str(row.pk),
            {"from": start, "why": "a test"},
        )
    ]


@pytest.mark.parametrize("start", State)
def test_every_other_move_of_an_operation_raises(cast: Cast, start: State) -> None:
    row = operation(cast, start)
    for end in State:
        if (start, end) not in ALLOWED:
            with pytest.raises(ValueError, match=f"no move from {start} to {end}"):
                row.move(end, **BRINGS[end])
    row.refresh_from_db()
    assert (row.state, entries()) == (start, [])


@pytest.mark.parametrize(("start", "end"), sorted(ALLOWED_CHANGES))
def test_an_allowed_move_of_a_change_writes_one_entry(cast: Cast, start: str, end: str) -> None:
    row = change(cast, ChangeState(start))
    brings: dict[str, Any] = {"submitted_at": row.created_at} if end == "pending" else {}
    if end == "approved":
        brings = {"operation": operation(cast)}
    row.move(ChangeState(end), detail={"why": "a test"}, **brings)
    row.refresh_from_db()
    assert (row.state, row.ended_at is None) == (end, end == "pending")
    detail = {"from": start, "digest": row.digest, "why": "a test"}
    assert entries() == [(f"change.{end}", "portal", None, "change", str(row.pk), detail)]


@pytest.mark.parametrize("start", ChangeState)
def test_every_other_move_of_a_change_raises(cast: Cast, start: ChangeState) -> None:
    row = change(cast, start)
    for end in ChangeState:
        if (start, end) not in ALLOWED_CHANGES:
            with pytest.raises(ValueError, match=f"no move from {start} to {end}"):
                row.move(end)
    row.refresh_from_db()
    assert (row.state, entries()) == (start, [])


def test_what_is_rolled_back_is_not_in_the_audit_log(cast: Cast) -> None:
    row, asked = operation(cast), change(cast)
    with transaction.atomic():
        row.move(State.CANCELLED)
        asked.move(ChangeState.WITHDRAWN)
        assert len(entries()) == 2
        transaction.set_rollback(True)
    assert (Operation.objects.get().state, Change.objects.get().state, entries()) == ("queued", "draft", [])


@pytest.mark.django_db(transaction=True)
def test_a_move_without_a_transaction_is_one_of_its_own(cast: Cast) -> None:
    """State and audit entry stand or fall together, whoever forgot to open a transaction."""
    row, asked = operation(cast), change(cast)
    for moved, end in ((row, State.CANCELLED), (asked, ChangeState.WITHDRAWN)):
        with pytest.raises(TypeError, match="plain values"):
            moved.move(end, detail={"why": object()})  # type: ignore[arg-type,dict-item]
    assert (Operation.objects.get().state, Change.objects.get().state, entries()) == ("queued", "draft", [])
    Operation.objects.get().move(State.CANCELLED)
    assert [entry[0] for entry in entries()] == ["operation.cancelled"]


def test_who_comes_second_loses_and_changes_nothing(cast: Cast) -> None:
    first, second = operation(cast), Operation.objects.get()
    first.move(State.CANCELLED)
    with pytest.raises(LostRaceError, match="no longer queued"):
        second.move(State.FAILED, reason="condition")
    asked, late = change(cast), Change.objects.get()
    asked.move(ChangeState.WITHDRAWN)
    with pytest.raises(LostRaceError, match="no longer draft"):
        late.move(ChangeState.EXPIRED)
    assert [entry[0] for entry in entries()] == ["operation.cancelled", "change.withdrawn"]
    assert (Operation.objects.get().state, Change.objects.get().state) == ("cancelled", "withdrawn")


def test_another_fence_means_that_somebody_took_over(cast: Cast) -> None:
    row = operation(cast, State.SENDING, fence=2)
    with pytest.raises(LostRaceError):
        row.move(State.RUNNING, fence=1, upstream_action_id=7)
    assert (Operation.objects.get().state, entries()) == ("sending", [])


@pytest.mark.parametrize(("start", "end"), sorted(ALLOWED))
def test_secrets_end_where_nobody_needs_them_any_more(cast: Cast, start: str, end: str) -> None:
    unsent = start in {"queued", "sending"}
    row = operation(cast, State(start), password=secret() if unsent else None, reveal=secret())
    row.move(State(end), **BRINGS[State(end)])
    row.refresh_from_db()
    keeps_password = unsent and end in {"queued", "sending"}
    assert (row.password_id is not None, row.reveal_id is not None) == (
        keeps_password,
        end not in {"failed", "cancelled"},
    )
    assert set(Secret.objects.values_list("pk", flat=True)) == {row.password_id, row.reveal_id} - {None}


@pytest.mark.parametrize("end", sorted({end for _, end in ALLOWED_CHANGES}))
def test_the_secret_of_a_change_ends_with_it_or_is_handed_on(cast: Cast, end: str) -> None:
    sealed = secret()
    row = change(cast, ChangeState.DRAFT if end == "pending" else ChangeState.PENDING, password=sealed)
    brings: dict[str, Any] = {"submitted_at": row.created_at} if end == "pending" else {}
    if end == "approved":
        brings = {"operation": operation(cast, password=sealed)}
    row.move(ChangeState(end), **brings)
    row.refresh_from_db()
    assert row.password_id == (sealed.pk if end == "pending" else None)
    assert Secret.objects.count() == (1 if end in {"pending", "approved"} else 0)


def test_a_move_erases_the_secret_that_the_row_has_now(cast: Cast) -> None:
    """A form in another tab replaced the draft's password after this page was made."""
    seen = change(cast, password=secret())
    Change.objects.update(password=secret())
    Secret.objects.order_by("pk")[0].delete()
    seen.move(ChangeState.WITHDRAWN)
    assert Secret.objects.count() == 0
