"""The list of guards fits the portal as it is: each can be taken out, and its tests are there."""

import ast
import shutil
from pathlib import Path

import pytest

from tests.faults.guards import GUARDS, Cut, Dropped, Guard
from tests.faults.mutants import ROOT, taken_out


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


def test_what_cannot_be_shown_is_raised_after_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    gone = [
        Guard(name, "nothing", Cut("README.md", "No page says this.", ""), ("unused",)) for name in ("one", "other")
    ]
    with pytest.raises(RuntimeError) as raised:
        taken_out(gone)
    assert str(raised.value) == "\n".join(
        f"{guard.name}: README.md no longer says 'No page says this.'" for guard in gone
    )
    assert capsys.readouterr().out == "  NOT RUN  one\n  NOT RUN  other\n  guards noticed / guards: 0 / 2\n"
