"""The audit page: each person reads what concerns their services, in words."""

from typing import Any

import pytest
from django.db import transaction

from portal.accounts.models import User
from portal.accounts.people import add_person
from portal.audit.models import Entry
from portal.audit.record import record
from portal.changes import decide
from portal.changes.models import State as ChangeState
from portal.home.verbs import WORDS
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, draft, pending
from tests.markup import Element, Page


def lines(person: User, query: str = "") -> list[str]:
    """What the page tells, the newest first."""
    answer = signed_in(person).get(f"/audit/{query}")
    assert answer.status_code == 200
    rows = [row for row in Page.of(answer.content).all("tr") if "data-id" in row.attributes]
    return [f"{row.all('td')[2].text} {row.all('td')[3].text}" for row in rows]


def entry(verb: str, **values: Any) -> Entry:  # noqa: ANN401 - as record takes them
    with transaction.atomic():
        return record(verb, **{"actor": "portal", "subject_type": "x", "subject_id": 1, "subject": "it", **values})


def test_each_person_reads_what_concerns_their_services(cast: Cast) -> None:
    decide.reject(pending(cast.developer, name="alpha01"), cast.approver, "Not now.")
    pending(cast.stranger, name="beta01", service_id="201")
    add_person(email="new@example.com", password=None, actor="admin@example.com")
    alpha = ["approver@example.com rejected Create alpha01 Not now.", "developer@example.com asked for Create alpha01"]
    beta = ["stranger@example.com asked for Create beta01"]
    of_nobodys_service = ["admin@example.com added new@example.com"]
    drafts = ["stranger@example.com wrote a draft Create beta01", "developer@example.com wrote a draft Create alpha01"]
    everything = [*of_nobodys_service, *beta, drafts[0], *alpha, drafts[1]]
    assert {who: lines(getattr(cast, who)) for who in ("developer", "colleague", "approver")} == {
        "developer": alpha,
        "colleague": alpha,
        "approver": alpha,
    }
    assert lines(cast.stranger) == beta
    assert lines(cast.approver2) == [*beta, *alpha]
    assert lines(cast.support) == lines(cast.administrator) == everything
    assert lines(User.objects.create_user("nobody@example.com")) == []


def test_nobody_in_the_team_reads_of_a_draft_that_was_never_filed(cast: Cast) -> None:
    decide.withdraw(draft(cast.developer), cast.developer)
    for person in (cast.colleague, cast.approver, cast.approver2):
        assert lines(person) == []
    assert lines(cast.support) == [
        "developer@example.com withdrew Create newpostgre01",
        "developer@example.com wrote a draft Create newpostgre01",
    ]


def test_a_search_finds_actors_and_subjects_of_what_one_may_read(cast: Cast) -> None:
    pending(cast.developer, name="alpha01")
    pending(cast.colleague, name="alpha02")
    pending(cast.stranger, name="beta01", service_id="201")
    assert lines(cast.approver, "?q=COLLEAGUE") == ["colleague@example.com asked for Create alpha02"]
    assert lines(cast.approver, "?q=alpha01") == ["developer@example.com asked for Create alpha01"]
    assert lines(cast.approver, "?q=beta01") == []


def test_every_verb_that_is_written_has_words() -> None:
    written = {f"change.{state}" for state in ChangeState} | {f"operation.{state}" for state in State}
    refused = {"change.ask", "change.submit", "change.approve", "change.reject", "change.withdraw"}
    refused |= {"operation.cancel", "password.reveal"}
    written |= {f"{verb}.refused" for verb in refused} | {"operation.found", "password.revealed"}
    assert written <= set(WORDS)


def test_words_that_nobody_gave_are_shown_as_they_are_and_escaped(cast: Cast) -> None:
    entry("<b>odd", subject="<script>alert(1)</script>", detail={"why": "<img src=x>"})
    page = Page.of(signed_in(cast.support).get("/audit/").content).one("main")
    assert lines(cast.support) == ["portal <b>odd <script>alert(1)</script> <img src=x>"]
    assert not page.all("script")
    assert not page.all("img")


@pytest.mark.parametrize("pages", [3])
def test_older_entries_are_on_the_next_pages(cast: Cast, pages: int) -> None:
    for number in range(50 * (pages - 1) + 1):
        entry("grant.made", subject=f"number {number}")
    browser, address, seen = signed_in(cast.support), "/audit/", 0
    found: list[Element] = []
    while address:
        page = Page.of(browser.get(address).content)
        found += [row for row in page.all("tr") if "data-id" in row.attributes]
        seen += 1
        following = page.all("a", rel="next")
        address = f"/audit/{following[0].attributes['href']}" if following else ""
    assert seen == pages
    numbers = [int(row.attributes["data-id"]) for row in found]
    assert numbers == list(Entry.objects.order_by("-number").values_list("number", flat=True))
