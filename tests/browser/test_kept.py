"""What was typed, chosen and ticked is there again until it has arrived."""

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from portal.changes.models import Change
from portal.inventory.models import Database, Extension
from portal.operations.models import Action, Concern, Hold, Operation, Situation
from tests.browser.conftest import SignIn
from tests.browser.steps import assert_not_reloaded, mark
from tests.cast import PASSWORD, Cast, cluster, pending
from tests.portal.operations.needing import bare, concern_of, grace_passes

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PUT_BACK = "What you had typed here was put back."
HIDDEN = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})"


@pytest.fixture
def concern(cast: Cast) -> Concern:
    """An unclear resize that can be adopted, settled, sent again and given up."""
    there = cluster(cast.service, 1)
    row = bare(cast, cluster=there, name=there.name)
    grace_passes(row)
    action = Action.objects.create(
        upstream_id=201, process="POSTGRESQL_RESIZE", status="IN_PROGRESS", resource_name=there.name
    )
    return concern_of(row, action, situation=Situation.SEVERAL_FIT)


def act(tab: Page, name: str) -> Locator:
    return tab.locator(f"#act-{name}")


def why(place: Locator) -> Locator:
    return place.get_by_label("Why")


def write(tab: Page, name: str, words: str) -> None:
    """Open an act and type a reason."""
    place = act(tab, name)
    if not why(place).is_visible():
        place.locator("summary").click()
    why(place).fill(words)


def stored(tab: Page) -> str:
    """What is kept, once the scripts of the page have run: they forget what has arrived."""
    tab.wait_for_load_state()
    return str(tab.evaluate("JSON.stringify(sessionStorage)"))


def session_ends(tab: Page) -> None:
    """Let the person notice by what they do: a poll would lead to the sign-in page at a moment of its own."""
    tab.evaluate(HIDDEN)
    tab.context.clear_cookies(name="sessionid")


def sign_in_again(tab: Page, person: str) -> None:
    tab.get_by_label("Email").fill(f"{person}@example.com")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in", exact=True).click()
    expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
    # What is typed before the scripts of the page have run is not kept.
    tab.wait_for_load_state()


def test_what_was_typed_about_a_matter_outlives_a_refresh_a_reload_and_a_session(
    cast: Cast, concern: Concern, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    tab = browser_of("approver", live_server.url)
    tab.goto(concern.get_absolute_url())
    reasons = {name: f"It is {name}." for name in ("adopt", "done", "failed", "send", "release")}
    for name, words in reasons.items():
        write(tab, name, words)
    act(tab, "send").get_by_label("Name of the cluster").fill("cluster00001")
    mark(tab)
    Action.objects.update(status="ERROR")
    Concern.objects.update(changed_at=Now())
    expect(tab.locator("#live")).to_contain_text("The evidence has changed")
    assert_not_reloaded(tab)
    for name, words in reasons.items():
        expect(why(act(tab, name))).to_have_value(words)

    tab.reload()
    for name, words in reasons.items():
        expect(why(act(tab, name))).to_be_visible()
        expect(why(act(tab, name))).to_have_value(words)
        expect(act(tab, name).get_by_role("status")).to_contain_text(PUT_BACK)
    expect(act(tab, "send").get_by_label("Name of the cluster")).to_have_value("cluster00001")

    session_ends(tab)
    act(tab, "done").get_by_role("button", name="Mark as done").click()
    sign_in_again(tab, "approver")
    expect(tab).to_have_url(f"{live_server.url}{concern.get_absolute_url()}")
    expect(why(act(tab, "done"))).to_have_value("It is done.")
    act(tab, "release").get_by_role("button", name="Start afresh").click()
    expect(why(act(tab, "release"))).to_have_value("")
    expect(why(act(tab, "send"))).to_have_value("It is send.")

    # What the page brought itself is not kept: it would hide that the evidence has moved.
    assert "seen" not in stored(tab)
    act(tab, "done").get_by_role("button", name="Mark as done").click()
    expect(tab.locator(".messages")).to_contain_text("Mark as done")
    assert Operation.objects.get().message == "Marked as done by approver@example.com: It is done."
    assert "It is done." not in stored(tab)
    assert said == []


def test_what_was_refused_is_kept_until_it_has_arrived(
    cast: Cast, concern: Concern, live_server: LiveServer, browser_of: SignIn
) -> None:
    tab = browser_of("approver", live_server.url)
    tab.goto(concern.get_absolute_url())
    write(tab, "done", "It runs.")
    write(tab, "send", "It does not.")
    act(tab, "send").get_by_role("button", name="Send again").click()
    expect(tab.locator("#form-errors")).to_be_focused()
    expect(why(act(tab, "send"))).to_have_value("It does not.")
    expect(why(act(tab, "done"))).to_have_value("It runs.")
    tab.goto("/attention/")
    tab.get_by_role("link", name="Mark as done").click()
    expect(act(tab, "done")).to_be_visible()
    tab.wait_for_load_state()
    expect(why(act(tab, "done"))).to_have_value("It runs.")
    expect(why(act(tab, "send"))).to_have_value("It does not.")


def test_another_person_in_the_same_window_sees_nothing_of_it(
    cast: Cast, concern: Concern, live_server: LiveServer, browser_of: SignIn
) -> None:
    tab = browser_of("approver", live_server.url)
    tab.goto(concern.get_absolute_url())
    write(tab, "done", "I know it.")
    session_ends(tab)
    tab.reload()
    sign_in_again(tab, "approver2")
    expect(act(tab, "adopt")).to_be_visible()
    expect(why(act(tab, "done"))).to_have_value("")


def test_a_note_is_kept_and_signing_out_forgets_it(
    cast: Cast, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    concern = concern_of(bare(cast), situation=Situation.LATE_ACTION)
    tab = browser_of("approver", live_server.url)
    tab.goto(concern.get_absolute_url())
    write(tab, "noted", "We know.")
    tab.reload()
    expect(why(act(tab, "noted"))).to_have_value("We know.")
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/accounts/login/**")
    assert "We know." not in stored(tab)
    assert said == []


def test_what_was_typed_at_the_switch_outlives_a_reload_and_a_session(
    cast: Cast, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    tab = browser_of("admin", live_server.url)
    tab.goto("/attention/")
    place = tab.locator("#switch")
    place.locator("summary").click()
    why(place).fill("Maintenance.")
    tab.reload()
    expect(why(place)).to_be_visible()
    expect(why(place)).to_have_value("Maintenance.")
    session_ends(tab)
    tab.get_by_role("button", name="Hold all sends").click()
    sign_in_again(tab, "admin")
    expect(why(place)).to_have_value("Maintenance.")
    tab.get_by_role("button", name="Hold all sends").click()
    expect(place).to_contain_text("All sends are held")
    tab.wait_for_load_state()
    expect(why(place)).to_have_value("")
    why(place).fill("It is over.")
    tab.reload()
    expect(why(place)).to_have_value("It is over.")
    tab.get_by_role("button", name="Let sends go again").click()
    expect(tab.locator(".messages")).to_contain_text("Operations are sent again")
    assert Hold.objects.values_list("why", "outcome").get() == ("Maintenance.", "It is over.")
    tab.reload()
    place.locator("summary").click()
    expect(why(place)).to_have_value("")
    assert said == []


def test_the_comment_of_a_decision_outlives_a_reload_and_a_session(
    cast: Cast, live_server: LiveServer, browser_of: SignIn
) -> None:
    change = pending(cast.developer)
    tab = browser_of("approver", live_server.url)
    tab.goto(change.get_absolute_url())
    tab.get_by_label("Comment").fill("Too large.")
    tab.reload()
    expect(tab.get_by_label("Comment")).to_have_value("Too large.")
    session_ends(tab)
    tab.get_by_role("button", name="Reject").click()
    sign_in_again(tab, "approver")
    expect(tab.get_by_label("Comment")).to_have_value("Too large.")
    tab.get_by_role("button", name="Reject").click()
    expect(tab.locator("#live")).to_have_attribute("data-state", "rejected")
    assert change.decisions.get().comment == "Too large."
    assert "Too large." not in stored(tab)


def ticks(tab: Page) -> list[str]:
    return [box.get_attribute("value") or "" for box in tab.get_by_role("checkbox", checked=True).all()]


def test_ticks_outlive_a_reload_and_a_session_until_one_is_no_longer_offered(
    cast: Cast, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    there = cluster(cast.service, 1, read_at=Now())
    Database.objects.create(cluster=there, name="postgres")
    Extension.objects.bulk_create(Extension(cluster=there, name=name) for name in ("citext", "hstore", "postgis"))
    tab = browser_of("developer", live_server.url)
    tab.goto(f"/requests/new/install_extension/?cluster={there.pk}")
    tab.get_by_label("Database").select_option("postgres")
    for name in ("citext", "postgis"):
        tab.get_by_role("checkbox", name=name).check()
    tab.reload()
    expect(tab.get_by_role("status").filter(has_text=PUT_BACK)).to_have_text(f"{PUT_BACK}Start afresh")
    assert ticks(tab) == ["citext", "postgis"]

    tab.get_by_role("checkbox", name="citext").uncheck()
    session_ends(tab)
    tab.get_by_role("button", name="Check and go on").click()
    sign_in_again(tab, "developer")
    expect(tab.get_by_role("status").filter(has_text=PUT_BACK)).to_have_text(f"{PUT_BACK}Start afresh")
    assert ticks(tab) == ["postgis"]
    expect(tab.get_by_label("Database")).to_have_value("postgres")

    Extension.objects.filter(name="postgis").delete()
    tab.reload()
    gone = "Some of it is no longer offered: please choose again."
    expect(tab.get_by_role("status").filter(has_text=PUT_BACK)).to_contain_text(gone)
    assert ticks(tab) == []
    tab.get_by_role("checkbox", name="hstore").check()
    tab.get_by_label("Why").fill("A search needs it.")
    tab.get_by_role("button", name="Check and go on").click()
    expect(tab.locator("#live")).to_have_attribute("data-state", "draft")
    assert Change.objects.get().parameters["extensions"] == ["hstore"]
    assert "hstore" not in stored(tab)
    assert said == []


def test_what_was_chosen_of_several_outlives_a_reload(cast: Cast, live_server: LiveServer, browser_of: SignIn) -> None:
    tab = browser_of("developer", live_server.url)
    tab.goto("/requests/new/create/")
    tab.get_by_role("radio", name="High availability").check()
    tab.get_by_label("Prefix of the node names").fill("pg")
    tab.reload()
    expect(tab.get_by_role("status").filter(has_text="put back")).to_be_visible()
    expect(tab.get_by_role("radio", name="High availability")).to_be_checked()
    expect(tab.get_by_label("Prefix of the node names")).to_have_value("pg")
