"""Whether the judge was asked: a test that tells of a fault, and leaves out what must hold after it, fails."""

from collections.abc import Generator
from typing import ClassVar

import pytest

from tests.faults.table import rows_of


class Asked:
    """Counts in this process how often somebody asked the judge, here or of a deployment from the outside."""

    times: ClassVar[int] = 0

    @classmethod
    def once_more(cls) -> None:
        """Count."""
        cls.times += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let no test pass that stands behind a row of docs/RELIABILITY.md and has not asked the judge."""
    before = Asked.times
    yield
    if isinstance(item, pytest.Function) and rows_of(item.function) and Asked.times == before:
        pytest.fail(f"{item.nodeid} tells of a fault, and does not ask the judge (tests/faults/judge.py).")
