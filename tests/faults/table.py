"""What docs/RELIABILITY.md is made of: each fault with how it is caused, what happens, and what people see.

The rows stand beside the tests that cause them, and the tests assert what the rows say.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAPER: Final = Path(__file__).parents[2] / "docs/RELIABILITY.md"
HEAD: Final = """# Reliability

What the portal does about each fault that was thought of. The table is made by the tests in `tests/faults/`, which
cause each fault for real: processes are killed, servers stopped, sockets cut, the stand-in's switches set. After each
one they check that every approved request was carried out once, or ended with a reason, or waits for a person with one;
that ITCare received no write twice; that nothing is stuck; and that the audit chain is whole.

`WRITE_PAPERS=1 make test ARGS=tests/faults/test_table.py` writes it anew.
"""
COLUMNS: Final = "| fault | how it is caused | what happens | what people see |\n| --- | --- | --- | --- |\n"


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


def document(rows: Iterable[Row]) -> str:
    """Return the paper."""
    parts = [HEAD]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            parts.append(f"\n## {group}\n\n{COLUMNS}")
        cells = (row.fault, row.cause, row.happens, row.seen)
        parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n")
    return "".join(parts)
