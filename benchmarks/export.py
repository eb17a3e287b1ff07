"""How much memory the export takes: `python -m benchmarks.export DATABASE` sends it once, and prints rows and memory.

Each size has a process of its own, in which nothing has left room behind that rows could use without being seen. What
counts is the most that the process held at once while it sent everything, as the kernel noted it, above what it held
before: that includes what PostgreSQL's client library holds, which Python's own counting does not see.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from django.db import connections

from benchmarks import ground, pages

if TYPE_CHECKING:
    from django.http import StreamingHttpResponse

ROOT: Final = Path(__file__).parent.parent
# Written to Linux's clear_refs, this makes the most that a process ever held what it holds now.
FORGET: Final = "5"


def added(size: int) -> tuple[int, float]:
    """Send the export at that size in a process of its own; answers its rows and what it added at most, in MB."""
    command = [sys.executable, "-m", "benchmarks.export", ground.database(size)]
    answer = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    rows, megabytes = answer.stdout.split()
    return int(rows), float(megabytes)


def _held(what: str) -> int:
    """What this process holds, or held at most, in kB."""
    found = re.search(rf"^{what}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        sys.exit(f"The kernel does not tell {what}.")
    return int(found[1])


def _send(address: str, who: str = "support") -> int:
    """Send an export to its end; answers how many clusters were in it."""
    answer = cast("StreamingHttpResponse", pages.browser(who).get(address))
    lines = sum(1 for _ in answer)
    # The first one names the columns.
    return lines - 1


def main(database: str) -> None:
    """Send it, and print what it took."""
    ground.settle()
    connections["default"].settings_dict["NAME"] = database
    # What any first export loads is not of its rows.
    _send("/clusters.csv?q=nosuchname")
    Path("/proc/self/clear_refs").write_text(FORGET)
    before = _held("VmRSS")
    rows = _send("/clusters.csv")
    print(rows, (_held("VmHWM") - before) / 1024)


if __name__ == "__main__":
    main(sys.argv[1])
