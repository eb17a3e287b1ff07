"""Whether the judge was asked: a test that tells of a fault, and leaves out what must hold after it, fails."""

from collections.abc import Generator, Mapping
from typing import ClassVar

import pytest

from tests.faults.figures import EVERYTHING
from tests.faults.left import leave
from tests.faults.table import rows_of


class Asked:
    """Counts in this process how often somebody asked the judge, here or of a deployment from the outside.

    Attributes:
        times: How often.
        said: The figures of the last time, in a campaign.
    """

    times: ClassVar[int] = 0
    said: ClassVar[Mapping[str, float]] = {}

    @classmethod
    def once_more(cls, said: Mapping[str, float] | None = None) -> None:
        """Count.

        Args:
            said: What came of all operations, in figures.
        """
        cls.times += 1
        cls.said = said or {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let no test pass that stands behind a row of docs/RELIABILITY.md and has not asked the judge.

    In a campaign, what such a test leaves is counted, unless it counts more closely itself.
    """
    before = Asked.times
    tells = isinstance(item, pytest.Function) and bool(rows_of(item.function))
    counts = EVERYTHING and tells and "figures" not in getattr(item, "fixturenames", ())
    try:
        yield
    finally:
        if counts and Asked.times > before:
            leave({**Asked.said, "faults": 1})
    if tells and Asked.times == before:
        pytest.fail(f"{item.nodeid} tells of a fault, and does not ask the judge (tests/faults/judge.py).")
