"""A soak: people ask and agree for minutes, while processes are killed and the stand-in misbehaves at random."""

import os
import random
from pathlib import Path

import pytest

from tests.faults.left import leave
from tests.faults.soak import QUICK, Soak
from tests.journeys.deployment import Prepared, deployed

# Minutes, and the number from which everything random follows.
MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
NUMBER = int(os.environ.get("SOAK_NUMBER", "1"))


@pytest.mark.campaign
def test_a_soak_loses_nothing_and_doubles_nothing(tmp_path: Path, static_root: Path, prepared: Prepared) -> None:
    with deployed(tmp_path, static_root, prepared, durable=True, **QUICK) as deployment:
        figures = Soak(deployment, random.Random(NUMBER)).run(MINUTES)  # noqa: S311 - it guards nothing
    leave(figures)
    lines = [f"  {name:<28} {count:>8,}" for name, count in sorted(figures.items())]
    print("\n".join(["", f"A soak of {MINUTES:g} minutes, number {NUMBER}:", *lines]))  # noqa: T201 - what it is for
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert min(figures[name] for name in ("operations", "kills", "faults", "requests that went through")) > 0
