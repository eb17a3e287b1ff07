"""A soak: people ask and agree for minutes, while processes are killed and the stand-in misbehaves at random."""

import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from portal.catalog.kinds import KINDS
from tests.faults.choosing import WISHES, There, choose
from tests.faults.left import leave
from tests.faults.soak import QUICK, Soak
from tests.journeys.deployment import Prepared, deployed

# Minutes, and the number from which everything random follows.
MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
# Minutes in which every kind comes through.
LONG_ENOUGH = 5
NUMBER = int(os.environ.get("SOAK_NUMBER", "1"))


def test_a_soak_asks_for_what_is_possible_and_rather_for_what_was_rare() -> None:
    running = There(
        1, "one", 7, "ACTIVE", "16", "STANDALONE", backed_up=True, upgradable=True, told_of=True, looked_at=True
    )
    stopped = replace(running, pk=2, status="INACTIVE")
    chance, often = random.Random(1), {kind: 3 for kind in WISHES if kind != "start"}  # noqa: S311 - it guards nothing
    chosen = [choose([running, stopped], often, chance) for _ in range(300)]
    asked = Counter(kind for kind, _, _ in chosen)
    assert all(WISHES[kind].possible(its) for kind, its, _ in chosen)
    # Its weight is 1, that of each of the eight others a sixteenth.
    assert (asked.keys(), asked["start"] > 150) == (WISHES.keys(), True)
    assert {kind for kind, _, _ in (choose([stopped], {}, chance) for _ in range(100))} == {
        "delete",
        "start",
        "update_patch_party",
    }


@pytest.mark.campaign
def test_a_soak_loses_nothing_and_doubles_nothing(tmp_path: Path, static_root: Path, prepared: Prepared) -> None:
    with deployed(tmp_path, static_root, prepared, durable=True, **QUICK) as deployment:
        figures = Soak(deployment, random.Random(NUMBER)).run(MINUTES)  # noqa: S311 - it guards nothing
    leave(figures)
    lines = [f"  {name:<28} {count:>8,}" for name, count in sorted(figures.items())]
    print("\n".join(["", f"A soak of {MINUTES:g} minutes, number {NUMBER}:", *lines]))  # noqa: T201 - what it is for
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    missed = [kind for kind in KINDS if f"{kind}: succeeded" not in figures]
    assert MINUTES < LONG_ENOUGH or missed == []
    assert min(figures[name] for name in ("operations", "kills", "faults", "requests that went through")) > 0
