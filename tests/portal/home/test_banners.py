"""The banners of a page that is open: it asks for them alone, and gets nothing while they are as they were."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.operations import heartbeat, holds
from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Element, Page

pytestmark = pytest.mark.django_db


def asked(browser: Client, shown: Element) -> tuple[int, Element]:
    """Ask as the page does; answers the status and what comes."""
    address, seen = shown.attributes["data-address"], shown.attributes["data-seen"]
    answer = browser.get(f"{address}?seen={seen}", headers={"HX-Request": "true"})
    return answer.status_code, Page.of(answer.content)


def test_nothing_comes_until_a_banner_comes_or_goes(cast: Cast) -> None:
    for process in (heartbeat.SWEEP, heartbeat.WORKER):
        heartbeat.beat(process)
    browser = signed_in(cast.developer)
    shown = Page.of(browser.get("/operations/").content).one(id="banners")
    assert shown.with_class("note") == []
    with CaptureQueriesContext(connection) as queries:
        status, nothing = asked(browser, shown)
    # Who asks, and what the frame of every page tells: a question less once ITCare was asked for anything.
    assert (status, nothing.inside, len(queries)) == (204, [], 6)
    holds.hold("Maintenance at <Labège>", by=cast.administrator)
    status, page = asked(browser, shown)
    shown = page.one(id="banners")
    told = "Nothing is sent to ITCare: admin@example.com holds all sends. Maintenance at <Labège>. Since "
    assert (status, [note.text[: len(told)] for note in shown.with_class("note")]) == (200, [told])
    assert (page.all("html"), asked(browser, shown)[0]) == ([], 204)
    held = holds.held()
    assert held is not None
    holds.let_go(held, "Over.")
    status, page = asked(browser, shown)
    assert (status, page.one(id="banners").with_class("note")) == (200, [])


def test_who_was_signed_out_is_led_to_sign_in(cast: Cast) -> None:
    answer = Client().get(
        "/banners/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/operations/"}
    )
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/accounts/login/?next=/operations/")
