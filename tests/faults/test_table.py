"""docs/RELIABILITY.md says what the tests show, no more and no less."""

import os

from tests.faults import (
    test_acknowledging,
    test_actions,
    test_audit_log,
    test_broker,
    test_connections,
    test_crash_points,
    test_crowds,
    test_frozen,
    test_locks,
    test_password_of_the_killed,
    test_reaching,
    test_restarts,
    test_time_limits,
    test_upstream,
)
from tests.faults.guards import table
from tests.faults.table import PAPER, document, told_by
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
    test_poison,
    test_poison_rounds,
    test_restored,
    test_send,
    test_settle_clock,
    test_settle_person,
)

# Modules whose tests tell what they cause, in the order of the paper within each group.
TELLING = (
    test_outage,
    test_itcare_hanging,
    test_broker,
    test_acknowledging,
    test_races,
    test_holding,
    test_claims,
    test_crash_points,
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
    test_audit_log,
    test_restored,
    test_send,
    test_password_of_the_killed,
    test_poison,
    test_poison_rounds,
    test_settle_clock,
    test_settle_person,
)
ROWS = [
    *test_reaching.rows(),
    *test_upstream.rows(),
    *test_actions.rows(),
    *test_broker.rows(),
    *(row for module in TELLING for row in told_by(module)),
]


def test_the_paper_is_what_the_tests_tell() -> None:
    if os.environ.get("WRITE_PAPERS"):
        PAPER.write_text(document(ROWS, table()), encoding="utf-8")
    assert PAPER.read_text(encoding="utf-8") == document(ROWS, table())


def test_no_fault_is_told_twice() -> None:
    told = [(row.group, row.fault) for row in ROWS]
    assert len(set(told)) == len(told)
