"""Rows of operations, attempts, actions, secrets which PostgreSQL refuses the portal's own role (ARCHITECTURE 3)."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from portal.operations.models import Action, ActionMessage, Attempt, Operation, Secret
from portal.operations.states import ENDED, UNFINISHED, State
from tests.cast import Cast, cluster
from tests.states.rows import OPERATION, operation, secret

pytestmark = pytest.mark.django_db

# Constraint, the state in which a row is legal, and the columns that make it illegal.
FORBIDDEN: list[tuple[str, State, dict[str, Any]]] = [
    ("running_was_accepted", State.RUNNING, {"upstream_action_id": None, "last_proof": ""}),
    ("running_was_accepted", State.RUNNING, {"upstream_action_id": None, "last_proof": "unknown"}),
    ("failed_has_a_reason", State.FAILED, {"reason": ""}),
    *[("unfinished_is_looked_at_again", state, {"look_at": None}) for state in UNFINISHED],
    *[("unfinished_is_looked_at_again", state, {"ended_at": Now()}) for state in UNFINISHED],
    *[("unfinished_is_looked_at_again", state, {"look_at": Now()}) for state in ENDED],
    *[("unfinished_is_looked_at_again", state, {"ended_at": None}) for state in ENDED],
    ("unfinished_is_looked_at_again", State.QUEUED, {"state": "asleep"}),
    ("unfinished_is_looked_at_again", State.FAILED, {"state": "asleep"}),
    ("queued_again_only_with_proof", State.QUEUED, {"last_proof": "unknown"}),
    ("queued_again_only_with_proof", State.QUEUED, {"last_proof": "accepted"}),
    ("queued_again_only_with_proof", State.SENDING, {"state": "queued"}),
    ("sending_holds_a_lease", State.SENDING, {"lease_until": None}),
    ("sending_has_proved_nothing", State.SENDING, {"sent_at": None}),
    ("sending_has_proved_nothing", State.SENDING, {"last_proof": "not_sent"}),
]


def refused(constraint: str) -> Any:  # noqa: ANN401 - pytest's context
    """Expect PostgreSQL to name that constraint."""
    return pytest.raises(IntegrityError, match=rf'constraint "{constraint}"')


@pytest.mark.parametrize("state", State)
def test_each_state_has_a_legal_row(cast: Cast, state: State) -> None:
    assert Operation.objects.get(pk=operation(cast, state).pk).state == state


@pytest.mark.parametrize(("constraint", "state", "values"), FORBIDDEN)
def test_a_forbidden_operation(cast: Cast, constraint: str, state: State, values: dict[str, Any]) -> None:
    rows = Operation.objects.filter(pk=operation(cast, state).pk)
    with refused(constraint), transaction.atomic():
        rows.update(**values)
    assert rows.get().state == state


@pytest.mark.parametrize("state", [State.RUNNING, State.UNCLEAR, *ENDED])
def test_a_password_stays_only_while_nothing_was_sent(cast: Cast, state: State) -> None:
    held = operation(cast, password=secret())
    with refused("password_only_unsent"), transaction.atomic():
        Operation.objects.filter(pk=held.pk).update(state=state, **OPERATION[state])
    assert Operation.objects.get().password_id == held.password_id


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_what_was_not_created_keeps_no_password_to_show(cast: Cast, state: State) -> None:
    with refused("no_reveal_of_a_failure"), transaction.atomic():
        operation(cast, state, reveal=secret())
    assert operation(cast, State.SUCCEEDED, reveal=secret()).reveal_id is not None


def test_a_released_operation_is_queued_again_but_never_a_create(cast: Cast) -> None:
    released: dict[str, Any] = {"last_proof": "unknown", "released_by": cast.approver2}
    with refused("queued_again_only_with_proof"), transaction.atomic():
        operation(cast, kind="create", **released)
    assert operation(cast, kind="resize", **released).state == State.QUEUED
    with refused("queued_again_only_with_proof"), transaction.atomic():
        operation(cast, kind="resize", last_proof="unknown")


def test_a_release_is_for_one_attempt(cast: Cast) -> None:
    with refused("sending_has_proved_nothing"), transaction.atomic():
        operation(cast, State.SENDING, kind="resize", released_by=cast.approver)


@pytest.mark.parametrize("kind", ["delete", "restore"])
def test_what_destroys_data_is_queued_again_by_two_people_only(cast: Cast, kind: str) -> None:
    released: dict[str, Any] = {"kind": kind, "last_proof": "unknown", "released_by": cast.approver}
    with refused("queued_again_only_with_proof"), transaction.atomic():
        operation(cast, **released)
    for same in (cast.approver, cast.developer):
        with refused("second_release_is_another_person"), transaction.atomic():
            operation(cast, **released, also_released_by=same)
    with refused("second_release_is_another_person"), transaction.atomic():
        operation(cast, State.UNCLEAR, kind=kind, also_released_by=cast.approver2)
    assert operation(cast, **released, also_released_by=cast.approver2).state == State.QUEUED


def test_what_was_accepted_is_queued_again_by_two_people_only(cast: Cast) -> None:
    released: dict[str, Any] = {"last_proof": "accepted", "released_by": cast.approver}
    with refused("queued_again_only_with_proof"), transaction.atomic():
        operation(cast, kind="resize", **released)
    with refused("queued_again_only_with_proof"), transaction.atomic():
        operation(cast, kind="create", **released, also_released_by=cast.approver2)
    assert operation(cast, kind="resize", **released, also_released_by=cast.approver2).state == State.QUEUED


@pytest.mark.parametrize("proof", ["", "not_sent", "refused"])
def test_with_proof_that_nothing_was_executed_it_is_queued_again(cast: Cast, proof: str) -> None:
    assert operation(cast, last_proof=proof).state == State.QUEUED


@pytest.mark.parametrize("second", UNFINISHED)
@pytest.mark.parametrize("first", UNFINISHED)
def test_one_unfinished_operation_a_cluster_and_one_create_a_name(cast: Cast, first: State, second: State) -> None:
    row = cluster(cast.service, 1)
    operation(cast, first, kind="resize", cluster=row)
    with refused("one_unfinished_operation_a_cluster"), transaction.atomic():
        operation(cast, second, kind="stop", cluster=row)
    operation(cast, first, name="newpostgre01")
    with refused("one_unfinished_create_a_name"), transaction.atomic():
        operation(cast, second, name="newpostgre01", service=cast.other_service)
    for ended in ENDED:
        operation(cast, ended, kind="stop", cluster=row)
        operation(cast, ended, name="newpostgre01")
    assert Operation.objects.count() == 2 + 2 * len(ENDED)


@pytest.mark.parametrize("second", [State.RUNNING, State.UNCLEAR, *ENDED])
@pytest.mark.parametrize("first", [State.RUNNING, *ENDED])
def test_one_operation_an_action_also_after_its_end(cast: Cast, first: State, second: State) -> None:
    operation(cast, first, upstream_action_id=77)
    with refused("one_operation_an_action"), transaction.atomic():
        operation(cast, second, upstream_action_id=77)
    for _ in range(2):
        operation(cast, second, upstream_action_id=None)
    assert Operation.objects.count() == 3


def test_references_and_secrets_belong_to_one_operation(cast: Cast) -> None:
    one = operation(cast, password=secret(), reveal=secret())
    for column in ("reference", "password_id", "reveal_id"):
        with pytest.raises(IntegrityError, match=f"operations_operation_{column}"), transaction.atomic():
            operation(cast, **{column: getattr(one, column)})


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("attempt_number_once", {"number": 1, "proof": "refused", "ended_at": Now()}),
        ("attempt_ended_is_proven", {"proof": "", "ended_at": Now()}),
        ("attempt_ended_is_proven", {"proof": "refused", "ended_at": None}),
        ("attempt_proof_known", {"proof": "perhaps", "ended_at": Now()}),
        ("one_open_attempt", {"proof": ""}),
    ],
)
def test_a_forbidden_attempt(cast: Cast, constraint: str, values: dict[str, Any]) -> None:
    row = operation(cast)
    Attempt.objects.create(operation=row, number=1, fence=1)
    with refused(constraint), transaction.atomic():
        Attempt.objects.create(**{"operation": row, "number": 2, "fence": 2, **values})
    Attempt.objects.update(proof="not_sent", ended_at=Now())
    Attempt.objects.create(operation=row, number=2, fence=2)
    Attempt.objects.create(operation=operation(cast), number=1, fence=1)
    assert Attempt.objects.count() == 3


def test_an_action_is_one_row_and_says_each_thing_once(cast: Cast) -> None:
    action = Action.objects.create(upstream_id=7)
    with pytest.raises(IntegrityError, match="operations_action_upstream_id"), transaction.atomic():
        Action.objects.create(upstream_id=7, operation=operation(cast))
    told = {"action": action, "text": "Order received", "status": "IN_PROGRESS"}
    ActionMessage.objects.create(**told)
    with refused("message_once_an_action"), transaction.atomic():
        ActionMessage.objects.create(**told)
    ActionMessage.objects.create(**{**told, "status": "SUCCESS"})
    assert action.messages.count() == 2


def test_a_secret_in_use_cannot_be_deleted_from_under_its_operation(cast: Cast) -> None:
    held = operation(cast, password=secret())
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError, match="operations_operation_password_id"), transaction.atomic():
            cursor.execute("DELETE FROM operations_secret WHERE id = %s", [held.password_id])
    assert Secret.objects.count() == 1


def test_no_constraint_of_operations_is_left_untried() -> None:
    tried = {name for name, _, _ in FORBIDDEN} | {
        "password_only_unsent",
        "no_reveal_of_a_failure",
        "one_unfinished_operation_a_cluster",
        "one_unfinished_create_a_name",
        "one_operation_an_action",
        "attempt_number_once",
        "attempt_ended_is_proven",
        "attempt_proof_known",
        "one_open_attempt",
        "second_release_is_another_person",
        "message_once_an_action",
    }
    models = (Operation, Attempt, Action, ActionMessage, Secret)
    assert {constraint.name for model in models for constraint in model._meta.constraints} == tried
