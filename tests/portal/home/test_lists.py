"""Lists: what a search finds, how they go on over pages, and whose rows they hold."""

from portal.accounts.models import Membership
from portal.inventory.models import Service
from tests.browsing import signed_in
from tests.cast import Cast, cluster, pending
from tests.portal.home.test_pages import main_of


def test_a_search_finds_by_name_service_and_address(cast: Cast) -> None:
    Service.objects.filter(pk=cast.service.pk).update(name="ACME - Billing 100%")
    cluster(cast.service, 1, name="orders01", ip_address="10.59.13.29")
    cluster(cast.service, 2, name="invoices01", ip_address="10.60.1.1")
    cluster(cast.other_service, 3, name="orders99")
    browser = signed_in(cast.developer)
    found = {}
    for query in ("ORDERS", "10.59.", "billing", "100%", "%", "_", "nothing", "  orders "):
        page = main_of(browser, f"/clusters/?q={query.replace('%', '%25')}")
        assert page.one("input", id="q").attributes["value"] == query.strip()
        found[query] = [row.all("strong")[0].text for row in page.all("tr") if "data-id" in row.attributes]
    both = ["invoices01", "orders01"]
    assert found == {
        "ORDERS": ["orders01"],
        "10.59.": ["orders01"],
        "billing": both,
        "100%": both,
        "%": both,
        "_": [],
        "nothing": [],
        "  orders ": ["orders01"],
    }


def test_long_lists_go_on_over_pages_without_losing_or_repeating_a_row(cast: Cast) -> None:
    names = [f"many{number:03}" for number in range(120)]
    for number, name in enumerate(names):
        cluster(cast.service, number, name=name)
    browser, address, seen = signed_in(cast.support), "/clusters/", []
    while address:
        page = main_of(browser, address)
        seen += [row.all("strong")[0].text for row in page.all("tr") if "data-id" in row.attributes]
        following = page.all("a", rel="next")
        address = f"/clusters/{following[0].attributes['href']}" if following else ""
    assert seen == names


def test_two_roles_of_one_person_add_up(cast: Cast) -> None:
    Membership.objects.create(user=cast.developer, team=cast.alpha, role=Membership.Role.APPROVER)
    theirs = pending(cast.colleague)
    pending(cast.developer, name="mine01")
    page = main_of(signed_in(cast.developer), "/approvals/")
    assert [row.attributes["data-id"] for row in page.all("tr") if "data-id" in row.attributes] == [str(theirs.pk)]
