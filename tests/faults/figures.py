"""What a campaign prints: how much was tried, and what came of it."""

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.left import CAMPAIGN, leave

EVERYTHING: Final = CAMPAIGN in os.environ
NAMES: Final = (
    "points x operations",
    "faults",
    "kills",
    "unclear",
    "settled by itself",
    "by a person",
    "lost",
    "doubled",
)


@dataclass(frozen=True)
class Verdict:
    """What became of one operation.

    Attributes:
        state: Where it stands.
        was_unclear: It was, at some time.
        waits: It waits for a person.
        writes: How many writes ITCare received for it.
        problems: What should not be, a sentence each.
    """

    state: str
    was_unclear: bool
    waits: bool
    writes: int
    problems: tuple[str, ...]


class Figures:
    """Counts what one test does."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def ran(self, verdict: Verdict, *, points: int = 0, faults: int = 0, kills: int = 0) -> None:
        """Count one operation that was played to its end.

        Args:
            verdict: What became of it.
            points: Crash points that were hit with it, a pair as one.
            faults: Faults that were caused meanwhile, kills among them.
            kills: Processes that were killed meanwhile.
        """
        told = verdict.problems
        self.counts.update(
            {
                "points x operations": points,
                "faults": faults,
                "kills": kills,
                "unclear": verdict.was_unclear,
                "settled by itself": verdict.was_unclear and not verdict.waits,
                "by a person": verdict.waits,
                "lost": any(problem.startswith("lost") for problem in told),
                "doubled": any(problem.startswith("doubled") for problem in told),
            }
        )

    def struck(self, *, points: int = 0, kills: int = 0) -> None:
        """Count one fault in what is no operation's own course, with the crash points and the kills in it."""
        self.counts.update({"points x operations": points, "faults": 1, "kills": kills})

    def keep(self) -> None:
        """Leave them for the campaign, if one runs."""
        leave(self.counts)


def total(folder: Path) -> dict[str, int]:
    """The sums of all that was left in the folder, in the order in which they are printed."""
    counts: Counter[str] = Counter()
    for file in folder.glob("*.json"):
        counts.update(json.loads(file.read_text(encoding="utf-8")))
    return {name: counts[name] for name in NAMES}
