"""The form of a new cluster, as it helps while one fills it in."""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from portal.changes.models import Change
from tests.browser.conftest import SignIn
from tests.browser.steps import fill_in
from tests.cast import PASSWORD, Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def tab(cast: Cast, live_server: LiveServer, browser_of: SignIn) -> Page:
    tab = browser_of("developer", live_server.url)
    tab.goto("/requests/new/create/")
    return tab


def test_capitals_become_small_letters_while_one_looks(tab: Page) -> None:
    tab.get_by_label("Name", exact=True).fill("NewPostgre01")
    tab.get_by_label("Trigram").focus()
    expect(tab.get_by_label("Name", exact=True)).to_have_value("newpostgre01")
    expect(tab.locator(".field", has=tab.locator("[name=name]"))).to_contain_text("Capitals became small letters.")


def test_a_password_over_twenty_characters_warns_at_its_field(tab: Page, said: list[str]) -> None:
    password = tab.get_by_label("Administrator password")
    place = tab.locator(".field", has=tab.locator("[name=adm_password]"))
    words = "Longer than 20: accepted here, but ITCare's other products take at most 20."
    password.fill("Longer-than-20-chars1")
    expect(place).to_contain_text(words)
    password.fill("Exactly-20-character")
    expect(place).not_to_contain_text(words)

    password.fill("Longer-than-20-chars1")
    fill_in(tab)
    tab.get_by_role("button", name="Check and go on").click()
    expect(tab.locator("#live")).to_have_attribute("data-state", "draft")
    expect(tab.locator(".note.warn")).to_be_visible()
    assert said == []


def test_high_availability_asks_for_more_when_chosen(tab: Page) -> None:
    prefix = tab.get_by_label("Prefix of the node names")
    expect(prefix).to_be_hidden()
    tab.get_by_role("radio", name="High availability").check()
    expect(prefix).to_be_visible()
    fill_in(tab, tls="")
    tab.get_by_role("button", name="Check and go on").click()
    errors = tab.locator("#form-errors")
    expect(errors).to_be_focused()
    expect(errors.get_by_role("link")).to_have_text(["Prefix of the node names", "TLS"])
    expect(tab.get_by_label("Name", exact=True)).to_have_value("newpostgre01")
    errors.get_by_role("link", name="Prefix").click()
    expect(prefix).to_be_focused()

    tab.get_by_role("radio", name="Standalone").check()
    expect(prefix).to_be_hidden()
    tab.get_by_role("button", name="Check and go on").click()
    expect(tab.locator("#live")).to_have_attribute("data-state", "draft")
    assert Change.objects.get().parameters["topology"] == "STANDALONE"


def test_zones_and_networks_follow_the_area(tab: Page) -> None:
    tab.get_by_label("Area").select_option("EB")
    offered = "(select) => [...select.options].filter((option) => !option.disabled).map((option) => option.value)"
    assert tab.get_by_label("Network").evaluate(offered) == ["", "142"]
    assert tab.get_by_label("Availability zone").evaluate(offered) == ["", "EB-A", "EB-B", "EB-C"]
    tab.get_by_label("Area").select_option("EB-QA")
    assert tab.get_by_label("Network").evaluate(offered) == ["", "132"]
    assert tab.get_by_label("Availability zone").evaluate(offered) == ["", "EB-A", "EB-B"]


def test_what_was_typed_survives_an_error_but_the_password_does_not(tab: Page) -> None:
    fill_in(tab, disk_size="39", reason="Because.")
    tab.get_by_label("Administrator password").fill("Typed-by-hand-01")
    tab.get_by_role("button", name="Check and go on").click()
    expect(tab.locator("#form-errors")).to_contain_text("except a password")
    expect(tab.get_by_label("Disk of a data node, in GB")).to_have_value("39")
    expect(tab.get_by_label("Why")).to_have_value("Because.")
    expect(tab.get_by_label("Administrator password")).to_have_value("")
    assert "Typed-by-hand-01" not in tab.content()


def test_what_was_typed_outlives_the_way_back_and_a_session_that_ended(tab: Page) -> None:
    form = tab.url
    fill_in(tab, reason="Because.")
    tab.get_by_label("Administrator password").fill("Typed-by-hand-01")
    tab.goto(form.replace("/requests/new/create/", "/clusters/"))
    tab.go_back()
    expect(tab.get_by_label("Why")).to_have_value("Because.")
    expect(tab.get_by_label("Administrator password")).to_have_value("")
    assert "Typed-by-hand-01" not in tab.evaluate("JSON.stringify(sessionStorage)")

    tab.context.clear_cookies(name="sessionid")
    tab.get_by_role("button", name="Check and go on").click()
    tab.locator("[name=login]").fill("developer@example.com")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab).to_have_url(form)
    expect(tab.get_by_role("status").filter(has_text="put back")).to_be_visible()
    expect(tab.locator("[name=network_id]")).to_have_value("132")
    tab.get_by_role("button", name="Check and go on").click()
    expect(tab.locator("#live")).to_have_attribute("data-state", "draft")
    # The scripts of that page forget what has arrived.
    tab.wait_for_load_state()

    tab.goto(form)
    expect(tab.get_by_label("Why")).to_have_value("")
