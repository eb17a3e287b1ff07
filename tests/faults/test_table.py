"""docs/RELIABILITY.md says what the tests show, no more and no less."""

import os

import pytest

from tests.faults import (
    test_acknowledging,
    test_actions,
    test_audit_log,
    test_broker,
    test_chores,
    test_clocks,
    test_connections,
    test_crash_points,
    test_crowds,
    test_deeds,
    test_frozen,
    test_locks,
    test_password_of_the_killed,
    test_pausing,
    test_reaching,
    test_restarts,
    test_time_limits,
    test_upstream,
)
from tests.faults.asked import Asked, pytest_runtest_call
from tests.faults.guards import table
from tests.faults.table import PAPER, Row, document, told, told_by
from tests.journeys import (
    test_deaf_worker,
    test_deploying,
    test_itcare_hanging,
    test_killed,
    test_outage,
    test_starting_and_stopping,
    test_without_redis,
)
from tests.portal.catalog import test_holding
from tests.portal.changes import test_races
from tests.portal.operations import (
    test_claims,
    test_doubts,
    test_poison,
    test_poison_entries,
    test_poison_rounds,
    test_restored,
    test_send,
    test_settle_clock,
    test_settle_person,
)

# Modules whose tests tell what they cause, in the order of the paper within each group.
TELLING = (
    test_reaching,
    test_upstream,
    test_pausing,
    test_actions,
    test_outage,
    test_itcare_hanging,
    test_broker,
    test_acknowledging,
    test_races,
    test_holding,
    test_claims,
    test_crash_points,
    test_chores,
    test_killed,
    test_frozen,
    test_time_limits,
    test_deploying,
    test_deaf_worker,
    test_starting_and_stopping,
    test_without_redis,
    test_crowds,
    test_restarts,
    test_connections,
    test_locks,
    test_deeds,
    test_audit_log,
    test_restored,
    test_doubts,
    test_send,
    test_password_of_the_killed,
    test_poison,
    test_poison_entries,
    test_poison_rounds,
    test_settle_clock,
    test_settle_person,
    test_clocks,
)
ROWS = [row for module in TELLING for row in told_by(module)]


def test_the_paper_is_what_the_tests_tell() -> None:
    if os.environ.get("WRITE_PAPERS"):
        PAPER.write_text(document(ROWS, table()), encoding="utf-8")
    assert PAPER.read_text(encoding="utf-8") == document(ROWS, table())


def test_no_fault_is_told_twice() -> None:
    told = [(row.group, row.fault) for row in ROWS]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("asks", [True, False])
def test_a_test_that_tells_of_a_fault_must_ask_the_judge(request: pytest.FixtureRequest, *, asks: bool) -> None:
    @told(Row("", "a fault", "", "", ""))
    def test() -> None:
        """Do nothing."""

    item = pytest.Function.from_parent(request.node.parent, name="test", callobj=test)
    running = pytest_runtest_call(item)
    next(running)
    if asks:
        Asked.once_more()
    with pytest.raises(StopIteration if asks else pytest.fail.Exception):
        next(running)
