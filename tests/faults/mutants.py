"""Takes each guard out of a copy of the portal, and shows that a test then fails: python -m tests.faults.mutants.

The working copy is never touched. Words on the command line choose the guards whose names hold one of them.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.faults.guards import GUARDS, Guard

ROOT: Final = Path(__file__).parents[2]
# Neither what is made anew nor what is large.
NOT_COPIED: Final = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache", ".hypothesis")
FAILED: Final = re.compile(r"^FAILED (?:\S*/)?(\S+?::.*?)(?: - .*)?$", re.MULTILINE)
# Seconds in which a guard's tests end on a busy machine; a mutant that hangs is not one that was noticed.
PATIENCE: Final = 600.0


def noticed(guard: Guard | None) -> str:
    """Return the first test that fails without the guard; empty where none does.

    Args:
        guard: None takes nothing out and runs the tests of all guards: then none must fail.

    Raises:
        RuntimeError: the tests could not be run, so that nothing was shown.
    """
    with tempfile.TemporaryDirectory(prefix="portal-mutant-") as folder:
        copy = Path(folder) / "portal"
        shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
        tests = sorted({test for each in GUARDS for test in each.tests})
        if guard is not None:
            guard.out(copy)
            tests = list(guard.tests)
        return _first_failure(copy, tests)


def _first_failure(copy: Path, tests: Sequence[str]) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-rf", "-p", "no:cacheprovider", *tests]
    ended = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    found = FAILED.search(ended.stdout)
    # A defect in the copy would end the tests too, and show nothing: only a test that failed counts.
    if ended.returncode not in {0, 1} or (ended.returncode == 1 and found is None):
        message = f"{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        raise RuntimeError(message)
    return found[1] if found and ended.returncode else ""


def campaign(wanted: Sequence[str] = ()) -> dict[str, int]:
    """Take out one guard after the other, and print who noticed; answers how many there are and were noticed.

    Raises:
        RuntimeError: see `taken_out`, or a test fails with all guards in place, so that nothing can be shown.
    """
    if not wanted and (broken := noticed(None)):
        message = f"{broken} fails with all guards in place"
        raise RuntimeError(message)
    return taken_out([guard for guard in GUARDS if not wanted or any(word in guard.name for word in wanted)])


def taken_out(guards: Sequence[Guard]) -> dict[str, int]:
    """Take these out, one after the other, and print what came of each; answers how many there are and were noticed.

    Raises:
        RuntimeError: of some nothing could be shown; once the others are done, and all figures printed.
    """
    found, broken = 0, []
    for guard in guards:
        try:
            by = noticed(guard)
        except (LookupError, RuntimeError, subprocess.TimeoutExpired) as error:
            broken.append(f"{guard.name}: {error}")
            print(f"  NOT RUN  {guard.name}", flush=True)  # noqa: T201 - for the person who waits
            continue
        found += bool(by)
        print(f"  {'noticed ' if by else 'UNSEEN  '} {guard.name}: {by or 'no test fails without it'}", flush=True)  # noqa: T201
    print(f"  guards noticed / guards: {found} / {len(guards)}", flush=True)  # noqa: T201
    if broken:
        raise RuntimeError("\n".join(broken))
    return {"guards": len(guards), "guards noticed": found}


if __name__ == "__main__":
    figures = campaign(sys.argv[1:])
    sys.exit(figures["guards"] != figures["guards noticed"])
