"""The list of guards fits the portal as it is: each can be taken out, and its tests are there."""

import ast
import shutil
from pathlib import Path

import pytest

from tests.faults.guards import GUARDS, Cut, Dropped, Guard
from tests.faults.mutants import ROOT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_can_be_taken_out_and_its_tests_are_there(guard: Guard, tmp_path: Path) -> None:
    for test in guard.tests:
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / file).read_text(encoding="utf-8")
    if isinstance(guard.out, Cut):
        copy = tmp_path / guard.out.file
        copy.parent.mkdir(parents=True)
        shutil.copy(ROOT / guard.out.file, copy)
        before = ast.dump(ast.parse(copy.read_text(encoding="utf-8")))
        guard.out(tmp_path)
        assert ast.dump(ast.parse(copy.read_text(encoding="utf-8"))) != before
    else:
        assert isinstance(guard.out, Dropped)
        models = ROOT / "portal/operations/models"
        assert any(f'"{guard.out.constraint}"' in file.read_text(encoding="utf-8") for file in models.glob("*.py"))


def test_no_guard_is_told_twice() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
