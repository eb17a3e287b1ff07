"""`make faults`: every point, pair and fault, without the limits of `make test`, and what came of it in figures.

It ends with 1 when anything failed, was lost, or was done twice.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults import mutants
from tests.faults.figures import total
from tests.faults.left import CAMPAIGN

TESTS: Final = Path(__file__).parent.parent
ROOT: Final = TESTS.parent


@dataclass(frozen=True)
class Part:
    """Tests that belong together.

    Attributes:
        title: What they show, for the person who waits.
        files: In the folder of the tests.
        seconds: After which it is ended, as failed.
    """

    title: str
    files: tuple[str, ...]
    seconds: float


PARTS: Final = (
    Part("killed at each point, and at pairs of points", ("faults/test_crash_points.py",), 3 * 3600),
    Part("the sweep's other jobs, killed and cut at each point", ("faults/test_chores.py",), 3600),
    Part(
        "frozen past the lease, cut short by a time limit, killed with a password in hand",
        ("faults/test_frozen.py", "faults/test_time_limits.py", "faults/test_password_of_the_killed.py"),
        1200,
    ),
    Part(
        "every fault by its name",
        (
            "faults/test_acknowledging.py",
            "faults/test_actions.py",
            "faults/test_audit_log.py",
            "faults/test_broker.py",
            "faults/test_clocks.py",
            "faults/test_connections.py",
            "faults/test_crowds.py",
            "faults/test_deeds.py",
            "faults/test_locks.py",
            "faults/test_pausing.py",
            "faults/test_reaching.py",
            "faults/test_restarts.py",
            "faults/test_upstream.py",
            "journeys/test_deaf_worker.py",
            "journeys/test_deploying.py",
            "journeys/test_itcare_hanging.py",
            "journeys/test_killed.py",
            "journeys/test_outage.py",
            "journeys/test_starting_and_stopping.py",
            "journeys/test_without_redis.py",
            "portal/catalog/test_holding.py",
            "portal/changes/test_races.py",
            "portal/operations/test_claims.py",
            "portal/operations/test_doubts.py",
            "portal/operations/test_poison.py",
            "portal/operations/test_poison_entries.py",
            "portal/operations/test_poison_rounds.py",
            "portal/operations/test_restored.py",
            "portal/operations/test_send.py",
            "portal/operations/test_settle_clock.py",
            "portal/operations/test_settle_person.py",
        ),
        3600,
    ),
    Part("people, faults and kills in any order", ("faults/test_model.py",), 3600),
    Part("a soak of half an hour", ("faults/test_soak.py",), 3600),
)


def run(part: Part, folder: Path) -> bool:
    """Run a part; answers whether all of it held."""
    files = [str(TESTS / name) for name in part.files]
    # Those too that are left out where time is short.
    command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "-m", "", "--show-capture=no", *files]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env={**os.environ, CAMPAIGN: str(folder)}, timeout=part.seconds, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"{part.title}: not ended after {part.seconds:.0f} seconds")  # noqa: T201 - for the person who waits
        return False
    return ended.returncode == 0


def main() -> int:
    """Run all parts and print the figures."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="portal-faults-") as name:
        folder = Path(name)
        held = True
        for part in PARTS:
            print(f"\n{part.title}", flush=True)  # noqa: T201
            held = run(part, folder) and held
        figures = total(folder)
    # Before the guards: what they raise must not take the figures of an hour with it.
    print(f"\nAll faults, in {(time.monotonic() - began) / 60:.0f} minutes:")  # noqa: T201
    for name, count in figures.items():
        print(f"  {name:<20} {count:>7,}")  # noqa: T201
    print("\neach guard taken out", flush=True)  # noqa: T201
    taken_out = mutants.campaign()
    held = held and taken_out["guards"] == taken_out["guards noticed"]
    return 0 if held and not figures["lost"] and not figures["doubled"] else 1


if __name__ == "__main__":
    sys.exit(main())
