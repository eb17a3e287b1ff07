"""What docs/RELIABILITY.md is made of: each fault with how it is caused, what happens, and what people see.

The rows stand beside the tests that cause them, and the tests assert what the rows say.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

PAPER: Final = Path(__file__).parents[2] / "docs/RELIABILITY.md"
HEAD: Final = """# Reliability

What the portal does about each fault that was thought of. The table is made by the tests beside which each row stands,
most of them in `tests/faults/`. They cause each fault for real: processes are killed, servers stopped, sockets cut, the
stand-in's switches set. After each of them `tests/faults/judge.py` checks that every approved request was carried out
once, or ended with a reason, or waits for a person with one; that ITCare received no write twice; that nothing is
stuck; and that the audit chain is whole. A test that stands behind a row and does not ask it fails.

`WRITE_PAPERS=1 make test ARGS=tests/faults/test_table.py` writes it anew.
"""
COLUMNS: Final = "| fault | how it is caused | what happens | what people see |\n| --- | --- | --- | --- |\n"
GUARDS_HEAD: Final = """
## Guards

Each of these was taken out of a copy of the portal, one at a time, and a test beside it failed: that is what
`python -m tests.faults.mutants` does, and `make faults` with it.

"""


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        group: the heading that it stands under.
        fault: what goes wrong.
        cause: how the test causes it.
        happens: what the portal does.
        seen: what people see, in the words of the screen where it has some.
    """

    group: str
    fault: str
    cause: str
    happens: str
    seen: str


def told(*rows: Row) -> Callable[[F], F]:
    """Say of a test which faults it causes: the paper then tells of them, and the test must ask the judge."""

    def mark(test: F) -> F:
        test.told = rows  # type: ignore[attr-defined]
        return test

    return mark


def rows_of(test: object) -> tuple[Row, ...]:
    """What a test tells."""
    return getattr(test, "told", ())


def told_by(module: ModuleType) -> list[Row]:
    """The rows of a module's tests, in their order."""
    tests = [thing for name, thing in vars(module).items() if name.startswith("test_")]
    return [row for test in tests for row in rows_of(test)]


def document(rows: Iterable[Row], guards: str) -> str:
    """Return the paper; `guards` is the table of the guards."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    told = "".join(f"\n## {name}\n\n{COLUMNS}{''.join(map(_line, group))}" for name, group in groups.items())
    return HEAD + told + GUARDS_HEAD + guards


def _line(row: Row) -> str:
    cells = (row.fault, row.cause, row.happens, row.seen)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
