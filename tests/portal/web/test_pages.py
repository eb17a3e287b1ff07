import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import RequestFactory

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_inline(template: Path) -> None:
    """The policy forbids it, and a browser would show it only on the page in question."""
    source = re.sub(r"{%.*?%}", "", template.read_text(), flags=re.DOTALL)
    assert re.findall(r"""\sstyle\s*=|<style|\son[a-z]+\s*=\s*["']|hx-on|javascript:""", source) == []
    assert [tag for tag in re.findall(r"<script[^>]*>", source) if "src=" not in tag and "json" not in tag] == []


def test_every_style_sheet_is_linked_and_all_are_small() -> None:
    linked = set(re.findall(r"'(css/[^']+)'", (ROOT / "templates/skeleton.html").read_text()))
    sheets = {str(path.relative_to(ROOT / "static")): path for path in (ROOT / "static/css").rglob("*.css")}
    assert linked == set(sheets)
    assert sum(len(gzip.compress(path.read_bytes())) for path in sheets.values()) < 20_000


@pytest.mark.parametrize("name", ["400.html", "401.html", "403_csrf.html", "429.html", "500.html", "503.html"])
def test_pages_for_the_worst_need_nothing_from_the_request(name: str) -> None:
    html = render_to_string(name)
    assert len(re.findall(r"<h1>[^<]+</h1>", html)) == 1
    assert "Sign in" not in html


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "heading"),
    [("403.html", "This is not yours to do"), ("404.html", "There is nothing here for you to see")],
)
def test_pages_for_what_is_not_there_say_so_in_a_heading(name: str, heading: str) -> None:
    request = RequestFactory().get("/nowhere/")
    html = render_to_string(name, {"request": request})
    assert re.findall(r"<h1>([^<]+)</h1>", html) == [heading]
