"""The list of clusters: what its address says is what it shows, and the export sends the same."""

import codecs
import csv
import io
from urllib.parse import quote

import pytest
from django.utils import timezone

from portal.home.cluster_list import EXPORTED, cell
from tests.browsing import signed_in
from tests.cast import Cast, cluster
from tests.markup import Page


@pytest.fixture
def three(cast: Cast) -> Cast:
    read = timezone.now()
    cluster(cast.service, 1, name="apple", version="9.6", cpu=16, ram=64, read_at=read, support_phase="STANDARD")
    cluster(cast.service, 2, name="berry", version="16.4", cpu=2, ram=4, read_at=read, status="INACTIVE")
    cluster(cast.other_service, 3, name="cherry", version="16.1", topology="HA", cpu=4, ram=8, read_at=read)
    cluster(cast.other_service, 4, name="dates", version="", topology="", gone_at=read)
    return cast


def names(cast: Cast, query: str) -> list[str]:
    page = Page.of(signed_in(cast.support).get(f"/clusters/?{query}").content)
    return [row.all("strong")[0].text for row in page.all("tr") if "data-id" in row.attributes]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("version=16", ["berry", "cherry"]),
        ("version=16&version=9", ["apple", "berry", "cherry"]),
        ("version=16&topology=HA", ["cherry"]),
        ("status=GONE", ["dates"]),
        ("status=ACTIVE", ["apple", "cherry"]),
        ("support=STANDARD", ["apple"]),
        ("service=201", ["cherry", "dates"]),
        ("service=999", []),
        ("q=ERR", ["berry", "cherry"]),
        ("q=rr&service=201&sort=-name", ["cherry"]),
        ("sort=-version", ["berry", "cherry", "apple", "dates"]),
        ("sort=size", ["dates", "berry", "cherry", "apple"]),
        ("sort=-size", ["apple", "cherry", "berry", "dates"]),
        ("sort=password", ["apple", "berry", "cherry", "dates"]),
    ],
)
def test_the_address_says_what_is_shown(three: Cast, query: str, found: list[str]) -> None:
    assert names(three, query) == found


@pytest.mark.parametrize("sort", ["name", "status", "version", "size", "topology", "support"])
def test_every_order_goes_both_ways_over_pages_without_losing_a_row(cast: Cast, sort: str) -> None:
    for number in range(120):
        cluster(cast.service, number, name=f"c{number % 50}", cpu=number % 3 or None, version=str(10 + number % 4))
    walked: dict[str, list[str]] = {}
    for order in (sort, f"-{sort}"):
        address, walked[order] = f"/clusters/?sort={order}", []
        while address:
            page = Page.of(signed_in(cast.support).get(address).content)
            walked[order] += [row.attributes["data-id"] for row in page.all("tr") if "data-id" in row.attributes]
            following = page.all("a", rel="next")
            address = f"/clusters/{following[0].attributes['href']}" if following else ""
    assert len(set(walked[sort])) == 120
    assert walked[f"-{sort}"] == walked[sort][::-1]


def test_two_addresses_that_mean_the_same_have_one_canonical_address(three: Cast) -> None:
    found = {
        Page.of(signed_in(three.support).get(f"/clusters/?{query}").content)
        .one("link", rel="canonical")
        .attributes["href"]
        for query in ("version=16&version=9&q=&x=1", "sort=name&version=9&version=16", "version=9&version=16&version=9")
    }
    assert found == {"http://testserver/clusters/?version=9&version=16"}


def exported(cast: Cast, query: str = "", *, team: bool = False) -> list[list[str]]:
    answer = signed_in(cast.developer if team else cast.support).get(f"/clusters.csv?{query}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    # Without the mark Excel takes é for two letters of its own.
    told = answer.getvalue()
    assert told.startswith(codecs.BOM_UTF8)
    return list(csv.reader(io.StringIO(told.removeprefix(codecs.BOM_UTF8).decode())))


def test_the_export_is_the_view_with_all_its_pages(three: Cast) -> None:
    head, *rows = exported(three, "version=16&sort=-name")
    assert head == list(EXPORTED)
    assert [row[0] for row in rows] == ["cherry", "berry"]
    assert [row[0] for row in exported(three, team=True)[1:]] == ["apple", "berry"]
    assert exported(three, "status=GONE")[1][-1] == "not read yet"


def test_filters_are_in_words(cast: Cast) -> None:
    cluster(cast.service, 1, environment="QA", support_phase="END_OF_SUPPORT")
    cluster(cast.service, 2, environment="PRE_PRODUCTION", status="ON_HOLD")
    form = Page.of(signed_in(cast.support).get("/clusters/").content).one("form", role="search")
    words = {box.one("legend").text: [label.text for label in box.all("label")] for box in form.all("fieldset")}
    assert {name: words[name] for name in ("Environment", "Support", "Status")} == {
        "Environment": ["Pre production", "QA"],
        "Support": ["End of support"],
        "Status": ["Active", "On hold"],
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"])  # noqa: RUF001
def test_no_spreadsheet_runs_a_cell(cast: Cast, text: str) -> None:
    assert cell(text) == f"'{text}"
    cluster(cast.service, 1, name=text)
    assert exported(cast, f"q={quote(text.strip())}")[1][0] in {f"'{text}", f"'{text}".replace("\r", "\n")}


def test_what_is_no_formula_stays_as_it_is() -> None:
    assert [cell(value) for value in ("a=b", "", None, -5, 'say "hi"')] == ["a=b", "", "", -5, 'say "hi"']
