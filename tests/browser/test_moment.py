"""The moment of a restore in browsers of other zones: told in UTC while one types, and sent as what was meant."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from portal.changes.models import Change
from portal.inventory.models import Cluster
from tests.browser.conftest import SignIn
from tests.browser.steps import faults, sideways
from tests.cast import Cast, cluster

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NEW_YORK = "America/New_York"
TWICE = "In America/New_York this hour comes twice on that day: choose its offset from UTC, -04:00 or -05:00."
NEVER = "In America/New_York this hour is left out on that day: choose another one, or its offset from UTC."


@pytest.fixture
def over(cast: Cast) -> Cluster:
    """A cluster that can be restored from its own backup."""
    return cluster(cast.service, 1, backup_status=True, read_at=datetime.now(UTC), tried_at=datetime.now(UTC))


def form(browser_of: SignIn, live_server: LiveServer, over: Cluster, **options: object) -> Page:
    tab = browser_of("developer", live_server.url, **options)
    tab.goto(f"/requests/new/restore/?cluster={over.pk}")
    return tab


def told(tab: Page) -> Locator:
    """What is said beside the moment while one types."""
    return tab.locator(".field:has(> [data-moment]) > output")


def clock(moment: datetime, zone: str) -> str:
    """What the field holds of a moment, for who reads clocks in that zone."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S")


def send(tab: Page, over: Cluster) -> None:
    """Fill the rest in and go on."""
    tab.locator("[name=source_id]").select_option(str(over.upstream_id))
    tab.locator("[name=confirm_name]").fill(over.name)
    tab.locator("[name=reason]").fill("A test needs it.")
    tab.get_by_role("button", name="Check and go on").click()


def test_the_reader_types_in_their_own_zone_and_reads_utc(
    over: Cluster, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    tab = form(browser_of, live_server, over, timezone_id=NEW_YORK)
    field, zone = tab.get_by_label("Up to this moment"), tab.get_by_label("Time zone of this moment")
    expect(zone.locator("option:checked")).to_have_text(f"{NEW_YORK}, yours")
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    field.fill(clock(moment, NEW_YORK))
    expect(told(tab)).to_have_text(f"Read in {NEW_YORK}: {moment:%Y-%m-%d %H:%M:%S} UTC.")
    ends = [field.get_attribute(name) or "" for name in ("min", "max")]
    spans = [datetime.now(UTC) - datetime.fromisoformat(end).replace(tzinfo=ZoneInfo(NEW_YORK)) for end in ends]
    assert [round(span / timedelta(days=1), 2) for span in spans] == [7, 0]

    # What is sent with a mistake elsewhere comes back as the same moment.
    send(tab, over)
    tab.get_by_role("link", name="Change it").click()
    expect(tab.locator("[name=confirm_name]")).to_be_visible()
    tab.wait_for_load_state()
    tab.locator("[name=confirm_name]").fill("another")
    zone.select_option(label=f"{NEW_YORK}, yours")
    field.fill(clock(moment, NEW_YORK))
    tab.get_by_role("button", name="Check and go on").click()
    expect(tab.locator("#form-errors")).to_be_visible()
    expect(told(tab)).to_have_text(re.compile(f"^Read in UTC-0[45]:00: {moment:%Y-%m-%d %H:%M:%S} UTC.$"))
    send(tab, over)
    expect(tab.locator("#live")).to_have_attribute("data-state", "draft")
    assert Change.objects.get().parameters["timestamp"] == moment.isoformat(timespec="milliseconds")
    assert said == []


def test_beyond_the_window_is_said_before_it_is_sent(
    over: Cluster, live_server: LiveServer, browser_of: SignIn
) -> None:
    tab = form(browser_of, live_server, over, timezone_id=NEW_YORK)
    field = tab.get_by_label("Up to this moment")
    now = datetime.now(UTC)
    field.fill(clock(now - timedelta(days=7, minutes=5), NEW_YORK))
    expect(told(tab)).to_contain_text("This is more than 7 days ago: the backup does not reach that far.")
    field.fill(clock(now + timedelta(minutes=5), NEW_YORK))
    expect(told(tab)).to_contain_text("This moment has not come yet.")
    expect(told(tab)).to_have_class("error")
    field.fill(clock(now - timedelta(days=6, hours=23), NEW_YORK))
    expect(told(tab)).to_have_class("hint")


def test_an_hour_that_comes_twice_or_never_asks_for_its_offset(
    over: Cluster, live_server: LiveServer, browser_of: SignIn
) -> None:
    tab = form(browser_of, live_server, over, timezone_id=NEW_YORK)
    field, zone = tab.get_by_label("Up to this moment"), tab.get_by_label("Time zone of this moment")
    field.fill("2026-03-08T02:30:00")
    expect(told(tab)).to_have_text(NEVER)
    field.fill("2026-11-01T01:30:00")
    expect(told(tab)).to_have_text(TWICE)
    # Sent all the same, it is not guessed.
    send(tab, over)
    error = tab.locator("#id_timestamp_error")
    expect(error).to_have_text("This hour comes twice in your time zone, or never: choose its offset from UTC.")
    expect(told(tab)).to_have_text(TWICE)
    for offset, hour in (("-04:00", "05"), ("-05:00", "06")):
        zone.select_option(offset)
        expect(told(tab)).to_contain_text(f"UTC{offset}: 2026-11-01 {hour}:30:00 UTC.")


def test_who_reads_clocks_as_the_portal_does_is_offered_one_zone(
    over: Cluster, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    tab = form(browser_of, live_server, over, timezone_id="Europe/Paris")
    expect(tab.get_by_label("Time zone of this moment").locator("option")).to_have_text(["Europe/Paris, yours", "UTC"])
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    tab.get_by_label("Up to this moment").fill(clock(moment, "Europe/Paris"))
    expect(told(tab)).to_have_text(f"Read in Europe/Paris: {moment:%Y-%m-%d %H:%M:%S} UTC.")
    send(tab, over)
    expect(tab.locator("#live")).to_have_attribute("data-state", "draft")
    assert Change.objects.get().parameters["timestamp"] == moment.isoformat(timespec="milliseconds")
    assert said == []


def test_without_javascript_the_moment_is_in_the_zone_that_the_field_names(
    over: Cluster, live_server: LiveServer, browser_of: SignIn
) -> None:
    tab = form(browser_of, live_server, over, timezone_id=NEW_YORK, java_script_enabled=False)
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    expect(tab.locator("#id_timestamp_helptext")).to_contain_text("In the time of Europe/Paris")
    tab.get_by_label("Up to this moment").fill(clock(moment, "Europe/Paris"))
    send(tab, over)
    expect(tab.locator("#live")).to_have_attribute("data-state", "draft")
    assert Change.objects.get().parameters["timestamp"] == moment.isoformat(timespec="milliseconds")


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_can_be_read_by_everybody(
    over: Cluster, live_server: LiveServer, browser_of: SignIn, said: list[str], width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    tab = form(browser_of, live_server, over, timezone_id=NEW_YORK, viewport=size, color_scheme=scheme)
    tab.get_by_label("Up to this moment").fill("2026-11-01T01:30:00")
    expect(told(tab)).to_have_text(TWICE)
    assert (faults(tab), sideways(tab), said) == ([], False, [])
