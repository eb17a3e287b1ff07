"""Rows of changes and decisions that PostgreSQL refuses from the portal's own role (ARCHITECTURE 3)."""

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from portal.changes.models import OPEN, Change, Decision, State
from tests.cast import Cast, cluster
from tests.states.rows import CHANGE, change, operation, secret

pytestmark = pytest.mark.django_db

ENDS = [state for state in State if state not in OPEN]
NOT_FILED = [State.DRAFT, State.WITHDRAWN, State.EXPIRED]

FORBIDDEN: list[tuple[str, State, dict[str, Any]]] = [
    ("approved_has_an_operation", State.APPROVED, {"operation": None}),
    *[("change_ended_has_a_time", state, {"ended_at": Now()}) for state in OPEN],
    *[("change_ended_has_a_time", state, {"ended_at": None}) for state in ENDS],
    *[("pending_was_submitted", state, {"submitted_at": None}) for state in State if state not in NOT_FILED],
    ("change_state_known", State.REJECTED, {"state": "forgotten"}),
]


def refused(constraint: str) -> Any:  # noqa: ANN401 - pytest's context
    """Expect PostgreSQL to name that constraint."""
    return pytest.raises(IntegrityError, match=rf'constraint "{constraint}"')


def decision(row: Change, cast: Cast, **values: Any) -> Decision:  # noqa: ANN401 - columns
    told = {"change": row, "requester": row.requester, "decider": cast.approver, "verdict": "approve", "digest": "d"}
    return Decision.objects.create(**{**told, **values})


@pytest.mark.parametrize("state", State)
def test_each_state_has_a_legal_row(cast: Cast, state: State) -> None:
    assert Change.objects.get(pk=change(cast, state).pk).state == state


@pytest.mark.parametrize(("constraint", "state", "values"), FORBIDDEN)
def test_a_forbidden_change(cast: Cast, constraint: str, state: State, values: dict[str, Any]) -> None:
    rows = Change.objects.filter(pk=change(cast, state).pk)
    with refused(constraint), transaction.atomic():
        rows.update(**values)
    assert rows.get().state == state


@pytest.mark.parametrize("state", [state for state in State if state != State.APPROVED])
def test_only_an_approved_change_has_an_operation(cast: Cast, state: State) -> None:
    row = change(cast, state)
    with refused("approved_has_an_operation"), transaction.atomic():
        Change.objects.filter(pk=row.pk).update(operation=operation(cast))


@pytest.mark.parametrize("state", ENDS)
def test_an_ended_change_holds_no_secret(cast: Cast, state: State) -> None:
    row = change(cast, State.PENDING, password=secret())
    extra = {"operation": operation(cast)} if state == State.APPROVED else {}
    with refused("ended_change_holds_no_secret"), transaction.atomic():
        Change.objects.filter(pk=row.pk).update(state=state, **CHANGE[state], **extra)
    assert Change.objects.filter(pk=row.pk).update(state=state, **CHANGE[state], **extra, password=None) == 1


def test_a_form_asks_once_a_person(cast: Cast) -> None:
    token = uuid.uuid4()
    change(cast, form_token=token)
    with refused("one_change_a_form"), transaction.atomic():
        change(cast, form_token=token)
    change(cast, form_token=token, requester=cast.colleague)
    assert Change.objects.count() == 2


def altered(cast: Cast) -> dict[str, Any]:
    """Another value for each column that tells what was filed."""
    return {
        "reference": uuid.uuid4(),
        "kind": "delete",
        "name": "another01",
        "title": "Create another01",
        "service": cast.other_service,
        "cluster": cluster(cast.service, 1),
        "requester": cast.colleague,
        "why": "Another reason.",
        "parameters": {"name": "another01"},
        "shown": [{"label": "Size", "new": "4cpu8gb", "old": "2cpu4gb"}],
        "notes": {"name": "Another remark."},
        "revision": "r",
        "cluster_status": "INACTIVE",
        "digest": "e" * 64,
    }


@pytest.mark.parametrize("state", [state for state in State if state != State.DRAFT])
def test_what_was_filed_is_fixed(cast: Cast, state: State) -> None:
    rows = Change.objects.filter(pk=change(cast, state).pk)
    before = rows.values().get()
    for column, value in altered(cast).items():
        with pytest.raises(IntegrityError, match="what it asks for is fixed"), transaction.atomic():
            rows.update(**{column: value})
    assert rows.values().get() == before
    assert rows.update(changed_at=Now()) == 1


def test_a_draft_may_still_be_altered_while_it_is_filed(cast: Cast) -> None:
    row = change(cast)
    values = altered(cast)
    assert Change.objects.filter(pk=row.pk).update(state=State.PENDING, submitted_at=Now(), **values) == 1


def test_every_column_of_a_change_is_fixed_or_moves_with_its_state(cast: Cast) -> None:
    moving = {"state", "operation", "password", "submitted_at", "expires_at", "ended_at", "changed_at"}
    # These identify the row; no page shows them.
    identity = {"id", "form_token", "created_at"}
    columns = {field.name for field in Change._meta.concrete_fields}
    assert columns - moving - identity == set(altered(cast))


def test_the_requester_is_no_decider(cast: Cast) -> None:
    row = change(cast, State.PENDING)
    with refused("requester_does_not_decide"), transaction.atomic():
        decision(row, cast, decider=cast.developer)
    decision(row, cast)


def test_the_requester_on_a_decision_is_the_change_s_own(cast: Cast) -> None:
    """Nobody gets around the rule by naming somebody else as the requester."""
    row = change(cast, State.PENDING)
    with refused("decision_copies_the_requester"), transaction.atomic():
        decision(row, cast, requester=cast.colleague, decider=cast.developer)
    made = decision(row, cast)
    with refused("decision_copies_the_requester"), transaction.atomic():
        Decision.objects.filter(pk=made.pk).update(requester=cast.colleague)


def test_a_draft_with_a_decision_keeps_its_requester(cast: Cast) -> None:
    row = change(cast)
    decision(row, cast)
    with refused("decision_copies_the_requester"), transaction.atomic():
        Change.objects.filter(pk=row.pk).update(requester=cast.colleague)


def test_a_person_decides_once_and_by_a_known_verdict(cast: Cast) -> None:
    row = change(cast, State.PENDING)
    decision(row, cast)
    for verdict in ("approve", "reject"):
        with refused("one_decision_a_person"), transaction.atomic():
            decision(row, cast, verdict=verdict)
    with refused("decision_verdict_known"), transaction.atomic():
        decision(row, cast, decider=cast.approver2, verdict="perhaps")
    assert Decision.objects.count() == 1


def test_a_decision_outlives_attempts_to_delete_what_it_is_about(cast: Cast) -> None:
    row = change(cast, State.PENDING)
    decision(row, cast)
    with pytest.raises(ProtectedError):
        row.delete()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM changes_change WHERE id = %s", [row.pk])


def test_no_constraint_of_changes_is_left_untried() -> None:
    tried = {name for name, _, _ in FORBIDDEN} | {
        "one_change_a_form",
        "ended_change_holds_no_secret",
        # The key that the decision's foreign key refers to.
        "change_and_requester",
        "one_decision_a_person",
        "requester_does_not_decide",
        "decision_verdict_known",
    }
    assert {constraint.name for model in (Change, Decision) for constraint in model._meta.constraints} == tried
