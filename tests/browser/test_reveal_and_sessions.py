"""The generated password, shown once; and what a page does when its person has signed out elsewhere."""

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from portal.operations.models import Secret
from tests.browser.conftest import SignIn
from tests.browser.world import finish
from tests.cast import PASSWORD, Cast, pending, queued
from tests.journeys.ways import ordered
from tests.sandbox_server import Sandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_password_is_shown_once_after_signing_in_again(
    cast: Cast, upstream: Sandbox, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    operation = finish(queued(cast.developer, cast.approver))
    [order] = ordered(upstream)
    address = operation.get_absolute_url()
    developer, colleague = (browser_of(who, live_server.url) for who in ("developer", "colleague"))
    for tab in (developer, colleague):
        tab.goto(address)
    show = developer.get_by_role("button", name="Show it once")
    expect(colleague.get_by_role("button", name="Show it once")).to_have_count(0)

    show.click()
    expect(developer.get_by_role("heading", level=1)).to_have_text("Is it still you?")
    developer.get_by_label("Password").fill("not my password")
    developer.get_by_role("button", name="Confirm").click()
    expect(developer.locator("#form-errors")).to_be_visible()
    assert Secret.objects.count() == 1
    developer.get_by_label("Password").fill(PASSWORD)
    developer.get_by_role("button", name="Confirm").click()
    expect(developer.locator("#password")).to_have_text(order["admPassword"])
    assert Secret.objects.count() == 0

    developer.goto(address)
    expect(show).to_have_count(0)
    assert order["admPassword"] not in developer.content()
    assert said == []


def test_a_page_whose_person_signed_out_elsewhere_leads_to_sign_in_and_back(
    cast: Cast, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    address = pending(cast.developer).get_absolute_url()
    tab = browser_of("approver", live_server.url)
    other = tab.context.new_page()
    tab.goto(address)
    other.goto("/")
    other.get_by_role("button", name="Sign out").click()
    tab.wait_for_url(f"{live_server.url}/accounts/login/?next={address}")

    tab.get_by_label("Email").fill("approver@example.com")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in", exact=True).click()
    tab.wait_for_url(f"{live_server.url}{address}")
    expect(tab.get_by_role("button", name="Approve")).to_be_visible()
    assert said == []
