"""What the runbook says of operations that hold one action: its statements find them, and let the migration go on."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from django.conf import settings

from portal.operations.models import Action, Attempt, Concern, Operation
from portal.operations.states import Proof, State
from tests.cast import Cast
from tests.conftest import as_owner
from tests.portal.operations.engine import fault, settled, tells
from tests.portal.operations.needing import bare
from tests.portal.operations.test_settle import told
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

RUNBOOK: Final = Path(settings.BASE_DIR) / "docs/RUNBOOK.md"
# As the migration makes it.
INDEX: Final = (
    'CREATE UNIQUE INDEX "one_operation_an_action" ON operations_operation (upstream_action_id) '
    "WHERE upstream_action_id IS NOT NULL"
)


def statements() -> tuple[str, list[str]]:
    """The query that finds them, and what mends it."""
    text = RUNBOOK.read_text(encoding="utf-8").partition("## The migration operations/0014 stops\n")[2]
    query, mends = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    return query, mends.splitlines()


@pytest.fixture
def before() -> Iterator[None]:
    """The database as it was before the migration."""
    with as_owner() as owner:
        owner.execute("DROP INDEX one_operation_an_action")
    try:
        yield
    finally:
        with as_owner() as owner:
            owner.execute("UPDATE operations_operation SET upstream_action_id = NULL")
            owner.execute(INDEX.replace("UNIQUE INDEX", "UNIQUE INDEX IF NOT EXISTS"))


@pytest.mark.usefixtures("before")
def test_two_that_hold_one_action_are_found_and_parted(cast: Cast, upstream: Sandbox) -> None:
    own = bare(cast, State.RUNNING, name="cluster00001", upstream_action_id=77)
    other = bare(cast, State.RUNNING, name="cluster00002", upstream_action_id=77, last_proof="accepted")
    bare(cast, State.RUNNING, name="cluster00003", upstream_action_id=78)
    # As the portal of before wrote down what ITCare answered to both.
    Attempt.objects.filter(operation__in=[own, other]).update(upstream_action_id=77, proof=Proof.ACCEPTED)
    upstream.set_faults(
        fault("refuse", times=None, match={"method": "GET", "path": "/actions/77"}, status=200, body=told(77)),
        tells([told(77)]),
    )
    Action.objects.create(upstream_id=77, resource_name=own.name, operation=other)
    query, mends = statements()
    with as_owner() as owner:
        found = owner.execute(query.encode()).fetchall()
        assert [row[:4] for row in found] == [
            (77, own.pk, own.title, "cluster00001"),
            (77, other.pk, other.title, "cluster00002"),
        ]
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_operation_an_action"), as_owner() as owner:
        owner.execute(INDEX)
    with as_owner() as owner:
        for mend in mends:
            for name, number in {"other": other.pk, "own": own.pk, "number": 77}.items():
                mend = mend.replace(f":{name}", str(number))  # noqa: PLW2901
            owner.execute(mend.encode())
        owner.execute(INDEX)
        assert owner.execute(query.encode()).fetchall() == []
    assert Action.objects.get(upstream_id=77).operation == own
    assert list(Attempt.objects.filter(upstream_action_id=77).values_list("operation", flat=True)) == [own.pk]
    # The one that lost it is looked for.
    other = settled(other)
    assert (other.state, other.upstream_action_id, Operation.objects.get(pk=own.pk).upstream_action_id) == (
        "running",
        None,
        77,
    )
    assert Concern.objects.count() == 0
