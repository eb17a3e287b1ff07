"""What the papers and the code say of each other exists."""

import re
from pathlib import Path

import pytest

from portal.operations.acts import LABELS
from portal.operations.models import Situation
from sandbox.demo import PASSWORD, SIGN_INS

ROOT = Path(__file__).parent.parent.parent
PAPERS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/adr").glob("*.md")),
]
FOLDERS = ("portal", "sandbox", "docker", "tests", "templates", "static")
KINDS = {".py", ".html", ".css", ".js", ".sql", ".conf"}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(paper: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", paper.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (paper.parent / link).exists()] == []


def test_decisions_are_numbered_without_gap_and_short() -> None:
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))
    texts = [path.read_text(encoding="utf-8") for path in decisions]
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    assert [int(text.removeprefix("# ").partition(".")[0]) for text in texts] == list(range(1, len(decisions) + 1))
    assert [path.name for path, text in zip(decisions, texts, strict=True) if len(text.splitlines()) >= 30] == []


def test_code_refers_to_decisions_and_rules_that_exist() -> None:
    decisions = {path.name[:4] for path in (ROOT / "docs/adr").glob("*.md")}
    safety = (ROOT / "docs/SAFETY.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\d+)\.", safety, re.MULTILINE))
    rules = set(re.findall(r"^(\d+)\. ", safety, re.MULTILINE))
    wrong = []
    code = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in KINDS]
    for path in sorted({*code} - {Path(__file__)}):
        text = path.read_text(encoding="utf-8")
        wrong += [(path.name, number) for number in re.findall(r"docs/adr/(\d+)", text) if number not in decisions]
        wrong += [(path.name, number) for number in re.findall(r"SAFETY (\w+)", text) if number not in sections]
        wrong += [(path.name, number) for number in re.findall(r"SAFETY 1 rules? (\d+)", text) if number not in rules]
        wrong += [(path.name, word) for word in re.findall(r"\b(?:DESIGN|RECIPES|EXAMPLES) \d", text)]
    assert wrong == []


def test_the_runbook_has_a_section_for_everything_that_needs_a_person() -> None:
    runbook = (ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", runbook, re.MULTILINE)
    assert [label for label in Situation.labels if headings.count(label) != 1] == []
    sections = dict(zip(headings, re.split(r"^## .+$", runbook, flags=re.MULTILINE)[1:], strict=True))
    parts = ("**One sees**", "**It means**", "**Look at**")
    assert [name for name in headings[1:] if not all(part in sections[name] for part in parts)] == []
    assert [name for name in headings[1:] if "**Do:**" not in sections[name] and "**Do** " not in sections[name]] == []


def test_the_runbook_tells_what_each_act_is_called() -> None:
    runbook = (ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| ([A-Z][\w: ]+) \|", runbook, re.MULTILINE)
    assert table == list(LABELS.values())


def test_readme_tells_the_sign_ins_that_the_demo_prints() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert sorted(set(re.findall(r"\w+@example\.com(?= |,|`)", readme)) - {"you@example.com"}) == sorted(
        mail for mail, _ in SIGN_INS
    )
    assert f"`{PASSWORD}`" in readme
