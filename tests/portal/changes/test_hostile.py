"""Hostile text in every field: it comes back escaped or not at all, and nothing falls over."""

import pytest

from portal.changes.models import Change
from tests.browsing import signed_in
from tests.cast import Cast, form_data, pending
from tests.markup import Element, Page, filled_in

ADDRESS = "/requests/new/create/"
FIELDS = [name for name in form_data() if name != "reason"]
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"\' onfocus=alert(1) autofocus x="',
    "template": "{{ 7|add:7 }}{% now 'Y' %}",
    "nul": "abc\0def",
    "long": "n" * 100_000,
    "emoji": "😀👩‍👩‍👧‍👦",
    "right to left": "\u202egnp.exe\u202c שלום",
    "separators": "\u2028\u2029\u0085\r\n",
    "fullwidth digits": "\uff14\uff10",
    "sql": "1'; DROP TABLE changes_change; --",
}
# What is no harm: a token that is none counts as a new form's, figures may be written in any digits, the ends of a text
# are stripped, and a password may be almost anything.
ACCEPTED = {
    ("disk_size", "fullwidth digits"),
    ("allowed_replication_lag", "fullwidth digits"),
    ("area", "separators"),
    ("adm_password", "sql"),
    ("adm_password", "template"),
}


def scripts(page: Element) -> set[tuple[str, str]]:
    """Every script of the page, by where it comes from and what stands in it."""
    return {(script.attributes.get("src", ""), "".join(map(str, script.inside))) for script in page.all("script")}


def handlers(page: Element) -> set[str]:
    """Attributes that would run something."""
    return {name for element in page.all() for name in element.attributes if name.startswith("on")}


@pytest.mark.parametrize("name", FIELDS)
def test_in_a_field_it_does_no_harm(cast: Cast, name: str) -> None:
    browser = signed_in(cast.developer)
    harmless = scripts(Page.of(browser.get(ADDRESS).content))
    accepted = set()
    for kind, text in HOSTILE.items():
        answer = browser.post(ADDRESS, form_data(**{"topology": "HA", "node_prefix": "NEWPG", name: text}))
        if answer.status_code == 303:
            accepted.add((name, kind))
            answer = browser.get(answer["Location"])
            assert answer.status_code == 200
        else:
            assert answer.status_code == 422, kind
        page = Page.of(answer.content)
        assert scripts(page) == harmless, kind
        assert handlers(page) == set(), kind
    expected = {(name, kind) for kind in HOSTILE if name == "form_token" or (name, kind) in ACCEPTED}
    assert accepted == expected
    assert Change.objects.count() == len(expected)


@pytest.mark.parametrize("kind", ["script", "attribute", "template", "emoji", "right to left", "sql"])
def test_in_the_reason_it_is_shown_as_it_was_typed_to_everybody(cast: Cast, kind: str) -> None:
    text = HOSTILE[kind].strip()
    change = pending(cast.developer, reason=text)
    for person in (cast.developer, cast.approver, cast.support):
        page = Page.of(signed_in(person).get(change.get_absolute_url()).content)
        assert [quote.text for quote in page.all("q")] == [" ".join(text.split())]
        assert handlers(page) == set()
        assert all(inside == "" for _, inside in scripts(page))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HOSTILE["nul"], "Null characters are not allowed."),
        (HOSTILE["long"], "At most 500 characters; these are 100000."),
    ],
)
def test_a_reason_that_cannot_be_kept_is_refused_at_its_field(cast: Cast, text: str, sentence: str) -> None:
    answer = signed_in(cast.developer).post(ADDRESS, form_data(reason=text))
    assert answer.status_code == 422
    page = Page.of(answer.content)
    assert page.one(id="id_reason_error").text == sentence
    form = page.one("main").all("form", method="post")[0]
    assert filled_in(form)["reason"] == text


def test_line_breaks_in_the_reason_come_back_as_they_were(cast: Cast) -> None:
    answer = signed_in(cast.developer).post(ADDRESS, form_data(reason="\n\none\n\ntwo", name="pg01"))
    form = Page.of(answer.content).one("main").all("form", method="post")[0]
    assert filled_in(form)["reason"].split() == ["one", "two"]


@pytest.mark.parametrize(
    "address",
    [
        "/requests/?after=x",
        "/requests/?after=%00",
        "/requests/?after=W10:1abc:def&seen=<script>",
        "/operations/?after=%F0%9F%98%80",
        "/approvals/?after=../../etc/passwd",
        "/clusters/?q=%00%27%3Cscript%3E&after=%00",
        "/clusters/?q=%25_%5C",
        "/clusters/?q=10.59.13.999",
        f"/clusters/?q={'n' * 5000}",
        "/audit/?q=%00%3Cscript%3E&after=x",
        "/audit/?q=%E2%80%AE",
        "/audit/?q=%ED%A0%80",
        "/requests/?seen=%00",
        "/?seen=%00",
    ],
)
def test_in_an_address_it_does_no_harm(cast: Cast, address: str) -> None:
    browser = signed_in(cast.developer)
    for headers in ({}, {"HX-Request": "true"}):
        answer = browser.get(address, headers=headers)
        assert answer.status_code == 200
        page = Page.of(answer.content)
        assert all(inside == "" for _, inside in scripts(page))
        assert handlers(page) == set()


@pytest.mark.parametrize("number", ["9" * 19, "9" * 40, "9" * 5000, "0"])
@pytest.mark.parametrize("what", ["requests", "clusters", "operations"])
def test_a_number_that_nothing_can_have_is_not_found(cast: Cast, what: str, number: str) -> None:
    assert signed_in(cast.support).get(f"/{what}/{number}/").status_code == 404
