from datetime import UTC, datetime

from django.template.loader import render_to_string

from portal.web.facts import Link, known
from portal.web.looks import Look
from tests.markup import Page

AT = datetime(2025, 11, 12, 9, 14, 3, tzinfo=UTC)
TOLD = known(
    "A <group>",
    [
        ("Words", "a <b>"),
        ("Empty", ""),
        ("Time", AT),
        ("Nothing", None),
        ("State", Look("Ready", "check", "good")),
        ("Link", Link("Read <more>", "https://example.com/?a=1&b=2")),
    ],
)


def test_facts_show_what_is_known_each_in_its_own_way() -> None:
    page = Page.of(render_to_string("components/facts_group.html", {"group": TOLD, "style": "day"}).encode())
    group = page.one("section", aria_label="A <group>")
    assert (group.one("h3").text, group.one("dl").attributes["class"]) == ("A <group>", "facts")
    assert [(dt.text, dd.text) for dt, dd in zip(group.all("dt"), group.all("dd"), strict=True)] == [
        ("Words", "a <b>"),
        ("Time", "12 Nov 2025"),
        ("State", "Ready"),
        ("Link", "Read <more>"),
    ]
    assert group.one("a").attributes == {"href": "https://example.com/?a=1&b=2", "rel": "noreferrer noopener"}
    assert len(group.with_class("status")) == 1


def test_short_facts_stand_closer_together() -> None:
    page = Page.of(render_to_string("components/facts.html", {"rows": TOLD.rows, "many": True}).encode())
    assert page.one("dl").attributes["class"] == "facts many"
