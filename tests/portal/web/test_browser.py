from collections.abc import Iterator
from http import HTTPStatus

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from portal.web.live import stamp
from tests.portal.web import pages
from tests.portal.web.pages import SUBJECT

pytestmark = [pytest.mark.browser, pytest.mark.urls(pages.__name__), pytest.mark.django_db(transaction=True)]


# Milliseconds; the page asks every 100.
SEVERAL_POLLS = 350


@pytest.fixture
def said() -> list[str]:
    """Collect what the browser complains about: broken policy, failed files, exceptions."""
    return []


@pytest.fixture
def tab(chromium: Browser, live_server: LiveServer, said: list[str]) -> Iterator[Page]:
    SUBJECT.number, SUBJECT.status, SUBJECT.asked = 0, HTTPStatus.OK, []
    context = chromium.new_context(base_url=live_server.url, timezone_id="America/New_York")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(10_000)
    tab = context.new_page()
    tab.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield tab
    context.close()


def faults(tab: Page) -> list[tuple[str, list[str]]]:
    found = Axe().run(tab).response["violations"]
    return [(fault["id"], [str(node["target"]) for node in fault["nodes"]]) for fault in found]


@pytest.mark.parametrize("address", ["/components/", "/accounts/login/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375, 320])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    tab: Page, said: list[str], address: str, scheme: str, width: int
) -> None:
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.set_viewport_size({"width": width, "height": 800})
    tab.goto(address)
    assert faults(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert said == []


def test_the_theme_is_kept(tab: Page) -> None:
    tab.goto("/components/")
    tab.get_by_role("button", name="Dark").click()
    tab.reload()
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    expect(tab.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    tab.get_by_role("button", name="As the system").click()
    assert tab.locator("html").get_attribute("data-theme") is None


def test_the_navigation_folds_away_on_a_phone_without_scripts(chromium: Browser, live_server: LiveServer) -> None:
    context = chromium.new_context(
        base_url=live_server.url, java_script_enabled=False, viewport={"width": 375, "height": 800}
    )
    tab = context.new_page()
    tab.goto("/components/")
    side = tab.get_by_role("complementary", name="Portal")
    expect(side).to_be_hidden()
    tab.get_by_role("button", name="Menu").click()
    expect(side).to_be_visible()
    tab.keyboard.press("Escape")
    expect(side).to_be_hidden()
    context.close()


def test_times_are_the_readers_own(tab: Page) -> None:
    tab.goto("/components/")
    shown, exact = tab.evaluate(
        """() => {
            const time = document.querySelector("time[data-local=clock]");
            const there = new Intl.DateTimeFormat("en-GB", {timeZone: "America/New_York", timeStyle: "medium"});
            return [time.textContent, there.format(new Date(time.dateTime))];
        }"""
    )
    assert shown == exact
    tab.evaluate(
        """() => {
            const time = document.querySelector("time[data-took]");
            time.dataset.since = new Date(Date.parse(document.documentElement.dataset.now) - 3723e3).toISOString();
        }"""
    )
    expect(tab.locator("time[data-took]").first).to_have_text("1 h 2 min")


def test_capitals_become_small_letters_visibly(tab: Page) -> None:
    tab.goto("/components/")
    tab.locator("#id_text").fill("AbC1")
    tab.locator("#id_number").focus()
    expect(tab.locator("#id_text")).to_have_value("abc1")
    expect(tab.locator("#id_text + output")).to_have_text("Capitals became small letters.")


def test_a_part_that_is_not_needed_is_neither_shown_nor_sent(tab: Page) -> None:
    tab.goto("/components/")
    expect(tab.locator("#id_kept")).to_be_hidden()
    expect(tab.locator("#id_kept")).to_be_disabled()
    tab.locator("#id_choice_1").check()
    expect(tab.locator("#id_kept")).to_be_visible()
    expect(tab.locator("#id_kept")).to_be_enabled()
    tab.locator("#id_choice_0").check()
    expect(tab.locator("#id_kept")).to_be_disabled()


def test_a_long_value_is_warned_of_while_typing(tab: Page) -> None:
    tab.goto("/components/")
    tab.locator("#id_choice_1").check()
    tab.locator("#id_kept").fill("x" * 21)
    warning = tab.locator("#id_kept + output.warning")
    expect(warning).to_have_text("Longer than 20 characters: accepted, but not everything can take it.")
    tab.locator("#id_kept").fill("x" * 20)
    expect(warning).to_have_text("")


def test_options_follow_the_field_that_they_belong_to(tab: Page) -> None:
    tab.goto("/components/")
    tab.locator("#id_town").select_option("bonn")
    tab.locator("#id_country").select_option("fr")
    offered = tab.evaluate("[...document.querySelectorAll('#id_town option:enabled')].map((option) => option.value)")
    assert offered == ["", "paris", "lyon"]
    expect(tab.locator("#id_town")).to_have_value("")
    expect(tab.locator("#id_town + output")).to_have_text(
        "Please choose again: the earlier choice does not fit the others."
    )


def test_a_form_is_sent_once(tab: Page) -> None:
    tab.goto("/components/")
    sent = tab.evaluate(
        """() => {
            const form = document.querySelector("form[aria-labelledby=wrong]");
            let count = 0;
            document.addEventListener("submit", (event) => { count += 1; event.preventDefault(); });
            form.requestSubmit();
            form.requestSubmit();
            return count;
        }"""
    )
    assert sent == 1


def test_a_line_is_copied(tab: Page) -> None:
    tab.goto("/components/")
    tab.get_by_role("button", name="Copy").click()
    expect(tab.locator("#status-words")).to_have_text("Copied")
    assert tab.evaluate("navigator.clipboard.readText()") == tab.locator("pre.copy").text_content()


def test_a_fragment_moves_speaks_keeps_focus_and_ends(tab: Page, said: list[str]) -> None:
    tab.goto("/live/")
    tab.get_by_text("More").click()
    tab.get_by_role("link", name="A link").focus()
    SUBJECT.number = 1
    expect(tab.locator("#live")).to_have_attribute("data-number", "1")
    expect(tab.locator("#status-words")).to_have_text("The thing: Working")
    expect(tab.get_by_role("link", name="A link")).to_be_focused()
    expect(tab.get_by_text("Within")).to_be_visible()
    SUBJECT.number = pages.LAST
    expect(tab.locator("#live")).to_have_attribute("data-number", "3")
    tab.wait_for_timeout(SEVERAL_POLLS)
    assert SUBJECT.asked.count(stamp(pages.LAST)) == 0
    assert said == []


def test_a_failing_poll_is_told_once_and_taken_back_when_it_works_again(tab: Page) -> None:
    tab.goto("/live/")
    errors = tab.locator("#errors")
    for status, words in (
        (HTTPStatus.UNAUTHORIZED, "You were signed out meanwhile."),
        (HTTPStatus.CONFLICT, "Somebody was faster"),
    ):
        SUBJECT.status = status
        expect(errors).to_contain_text(words)
    SUBJECT.status = HTTPStatus.INTERNAL_SERVER_ERROR
    expect(errors).to_contain_text("The portal answered with an error (500). This page keeps trying by itself.")
    assert tab.get_by_text("never shown").count() == 0
    SUBJECT.status, SUBJECT.number = HTTPStatus.OK, 1
    expect(tab.locator("#live")).to_have_attribute("data-number", "1")
    expect(errors).to_be_empty()


def test_a_hidden_tab_asks_nothing(tab: Page) -> None:
    tab.goto("/live/")
    hide = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s})"
    tab.evaluate(hide % "true")
    tab.wait_for_timeout(SEVERAL_POLLS)  # what was under way arrives
    asked = len(SUBJECT.asked)
    tab.wait_for_timeout(SEVERAL_POLLS)
    assert len(SUBJECT.asked) == asked
    tab.evaluate(hide % "false")
    SUBJECT.number = 1
    expect(tab.locator("#live")).to_have_attribute("data-number", "1")
