"""docs/RELIABILITY.md says what the tests show, no more and no less."""

import os

from tests.faults import test_reaching, test_upstream
from tests.faults.table import PAPER, document

ROWS = [*test_reaching.rows(), *test_upstream.rows()]


def test_the_paper_is_what_the_tests_tell() -> None:
    if os.environ.get("WRITE_PAPERS"):
        PAPER.write_text(document(ROWS), encoding="utf-8")
    assert PAPER.read_text(encoding="utf-8") == document(ROWS)


def test_no_fault_is_told_twice() -> None:
    told = [(row.group, row.fault) for row in ROWS]
    assert len(set(told)) == len(told)
