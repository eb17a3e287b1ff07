"""The list of clusters: what its address says is what it shows, and the export sends the same."""

import codecs
import csv
import io
from urllib.parse import quote

import pytest
from django.utils import timezone

from portal.accounts.models import User
from portal.home.cluster_list import EXPORTED, cell
from portal.inventory.models import Grant
from portal.inventory.queries import MOST_VALUES
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


@pytest.mark.parametrize("order", ["version", "-version"])
def test_a_version_is_found_in_the_order_of_versions_however_odd_it_is(cast: Cast, order: str) -> None:
    versions = ["9.6", "16.4", "16.99999", "16", "v16.1", "16beta.2", "1234567.8", "odd", "odd.7", "", "8.4.22"]
    for number, version in enumerate(versions):
        cluster(cast.service, number, name=f"c{number:02}", version=version)
    for major in {version.split(".")[0] for version in versions} - {""}:
        expected = [f"c{number:02}" for number, version in enumerate(versions) if version.split(".")[0] == major]
        assert sorted(names(cast, f"version={major}&sort={order}")) == expected
        more = [f"c{number:02}" for number, version in enumerate(versions) if version.split(".")[0] in {major, "9"}]
        assert sorted(names(cast, f"version={major}&version=9&sort={order}")) == more
    assert names(cast, "version=16&version=9&sort=version") == ["c00", "c03", "c01", "c02"]


@pytest.mark.parametrize("view", ["status=ACTIVE&sort=status", "topology=HA&sort=-topology", "version=16&sort=version"])
def test_an_order_by_what_a_filter_has_settled_pages_on(cast: Cast, view: str) -> None:
    for number in range(70):
        cluster(cast.service, number, name=f"c{number:02}", topology="HA")
    cluster(cast.service, 70, name="c70", topology="STANDALONE", status="INACTIVE", version="17")
    page = Page.of(signed_in(cast.support).get(f"/clusters/?{view}").content)
    following = page.all("a", rel="next")[0].attributes["href"]
    rest = Page.of(signed_in(cast.support).get(f"/clusters/{following}").content)
    shown = [
        row.all("strong")[0].text for part in (page, rest) for row in part.all("tr") if "data-id" in row.attributes
    ]
    assert shown == sorted((f"c{number:02}" for number in range(70)), reverse="=-" in view)


def test_two_addresses_that_mean_the_same_have_one_canonical_address(three: Cast) -> None:
    found = {
        Page.of(signed_in(three.support).get(f"/clusters/?{query}").content)
        .one("link", rel="canonical")
        .attributes["href"]
        for query in ("version=16&version=9&q=&x=1", "sort=name&version=9&version=16", "version=9&version=16&version=9")
    }
    assert found == {"http://testserver/clusters/?version=9&version=16"}


def offered(person: User, query: str = "") -> dict[str, list[str]]:
    """What the filters of the list offer, but for the services."""
    values: dict[str, list[str]] = {}
    for box in Page.of(signed_in(person).get(f"/clusters/?{query}").content).all("input", type="checkbox"):
        values.setdefault(box.attributes["name"], []).append(box.attributes["value"])
    return {name: told for name, told in values.items() if name != "service"}


def test_filters_offer_what_the_clusters_that_one_may_see_have_and_nothing_of_others(three: Cast) -> None:
    """Even the only value that another team's clusters have would tell of them."""
    mine = {"environment": ["DEVELOPMENT"], "status": ["ACTIVE", "INACTIVE"], "version": ["16", "9"]}
    assert offered(three.developer) == {**mine, "topology": ["STANDALONE"], "support": ["STANDARD"]}
    theirs = {"environment": ["DEVELOPMENT"], "status": ["ACTIVE", "GONE"], "version": ["16"], "topology": ["HA"]}
    assert offered(three.stranger) == theirs
    everything = {
        "environment": ["DEVELOPMENT"],
        "status": ["ACTIVE", "GONE", "INACTIVE"],
        "version": ["16", "9"],
        "topology": ["HA", "STANDALONE"],
        "support": ["STANDARD"],
    }
    assert offered(three.support) == offered(three.administrator) == everything
    # Both services, the values of each once; and whoever has no service is offered nothing.
    assert offered(three.approver2) == everything
    Grant.objects.all().delete()
    assert offered(three.developer) == {}


def test_what_is_chosen_is_offered_as_long_as_it_is_chosen(three: Cast) -> None:
    assert offered(three.developer, "topology=HA&topology=ODD")["topology"] == ["HA", "ODD", "STANDALONE"]


def test_a_filter_offers_so_many_values_and_no_more(cast: Cast) -> None:
    for number in range(MOST_VALUES + 5):
        cluster((cast.service, cast.other_service)[number % 2], number, version=f"{100 + number}")
    first = [str(100 + number) for number in range(MOST_VALUES)]
    assert offered(cast.support)["version"] == offered(cast.approver2)["version"] == first[::-1]


def test_a_filter_says_what_it_does_not_find_only_of_clusters_that_one_may_see(three: Cast) -> None:
    cluster(three.other_service, 5, name="elder", version="", topology="")
    words = "Some clusters were not read yet"
    told = {
        (who.email.partition("@")[0], query): words in signed_in(who).get(f"/clusters/?{query}").content.decode()
        for who in (three.developer, three.stranger, three.support)
        for query in ("version=16", "topology=HA", "status=ACTIVE")
    }
    assert {key for key, said in told.items() if said} == {
        (who, query) for who in ("stranger", "support") for query in ("version=16", "topology=HA")
    }


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
