"""What pages say when there is nothing, when something is wrong, and to whom."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.changes import decide
from portal.home.cluster_page import PARTS
from portal.inventory.models import Cluster, Node, Sync
from portal.operations import heartbeat
from portal.operations.models import Heartbeat, Operation
from portal.operations.states import Proof, Reason, State
from portal.upstream import pause
from portal.upstream.circuit import FAILURES, Circuit
from portal.upstream.models import Pause
from portal.web.times import short
from tests.browsing import signed_in
from tests.cast import Cast, cluster, draft, pending, queued, sending
from tests.markup import Element, Page


def main_of(browser: Client, address: str) -> Element:
    answer = browser.get(address)
    assert answer.status_code == 200
    return Page.of(answer.content).one("main")


def banners(page: Element) -> list[str]:
    return [note.text for box in page.with_class("banners") for note in box.with_class("note")]


@pytest.fixture
def newcomer(cast: Cast) -> User:
    return User.objects.create_user("newcomer@example.com")


@pytest.mark.parametrize(
    ("address", "titles"),
    [
        ("/", ["Nothing is running", "You have asked for nothing yet"]),
        ("/clusters/", ["No clusters yet"]),
        ("/requests/", ["No requests yet"]),
        ("/approvals/", ["Nothing waits for you"]),
        ("/operations/", ["No operations yet"]),
        ("/attention/", ["Nothing needs a person"]),
        ("/audit/", ["No entries"]),
        ("/clusters/?q=nothing", ["No cluster fits"]),
    ],
)
def test_an_empty_list_says_so_and_what_will_stand_there(cast: Cast, address: str, titles: list[str]) -> None:
    empty = main_of(signed_in(cast.developer), address).with_class("empty")
    assert [box.one("h2").text for box in empty] == titles
    assert all(len(box.one("p").text) > len("Nothing.") for box in empty)


def test_who_cannot_ask_is_not_told_that_they_did_not(cast: Cast, newcomer: User) -> None:
    empty = main_of(signed_in(newcomer), "/").with_class("empty")
    assert [box.one("h2").text for box in empty] == ["Nothing is running"]


def test_a_cluster_of_which_only_its_name_is_known_shows_empty_parts(cast: Cast) -> None:
    bare = Cluster.objects.create(upstream_id=1, name="bare01", service=cast.service)
    page = main_of(signed_in(cast.developer), bare.get_absolute_url())
    assert {box.one("h2").text for box in page.with_class("empty")} == {"No host known", "Nothing lately"}
    for part in PARTS:
        address = f"{bare.get_absolute_url()}{part}/"
        assert main_of(signed_in(cast.developer), address).with_class("empty")[0].one("h2").text == "Not read yet"
    assert "Not read yet: ITCare is being asked" in page.text
    row = main_of(signed_in(cast.developer), "/clusters/").one("tr", data_id=str(bare.pk))
    assert "Not read yet" in row.text


def test_only_who_may_ask_is_offered_to_ask(cast: Cast, newcomer: User) -> None:
    offered: dict[str, set[int]] = {}
    for person in (cast.developer, cast.stranger, cast.approver, cast.support, cast.administrator, newcomer):
        for address in ("/", "/clusters/", "/requests/"):
            links = main_of(signed_in(person), address).all("a", href="/requests/new/create/")
            offered.setdefault(person.email, set()).add(len(links))
    assert offered == {
        "developer@example.com": {1},
        "stranger@example.com": {1},
        "approver@example.com": {0},
        "support@example.com": {0},
        "admin@example.com": {0},
        "newcomer@example.com": {0},
    }


def test_a_page_that_is_not_yours_says_why(cast: Cast) -> None:
    answer = signed_in(cast.support).get("/requests/new/create/")
    assert answer.status_code == 403
    assert "Only developers of a team that has a service can ask for this." in Page.of(answer.content).text


def test_home_shows_what_waits_what_runs_and_what_is_mine(cast: Cast) -> None:
    waiting, running = pending(cast.developer), queued(cast.colleague, cast.approver2, name="running01")
    mine = draft(cast.developer, name="mine01")
    page = main_of(signed_in(cast.approver), "/")
    assert [row.attributes["data-id"] for row in page.one("section", aria_labelledby="waiting").all("li")] == [
        str(waiting.pk)
    ]
    assert [row.attributes["data-id"] for row in page.one("section", aria_labelledby="running").all("li")] == [
        str(running.pk)
    ]
    page = main_of(signed_in(cast.developer), "/")
    assert page.all("section", aria_labelledby="waiting") == []
    assert [row.attributes["data-id"] for row in page.one("section", aria_labelledby="mine").all("li")] == [
        str(mine.pk),
        str(waiting.pk),
    ]
    stranger = main_of(signed_in(cast.stranger), "/")
    assert "newpostgre01" not in stranger.text
    assert "running01" not in stranger.text


def test_the_navigation_counts_what_waits_and_names_the_role(cast: Cast) -> None:
    pending(cast.developer)
    pending(cast.colleague, name="another01")
    expected = {
        cast.approver: ("2 waiting", "Approver in Team Alpha"),
        cast.developer: ("", "Developer in Team Alpha"),
        cast.support: ("", "Support"),
        cast.administrator: ("", "Administrator"),
    }
    for person, (count, role) in expected.items():
        side = Page.of(signed_in(person).get("/").content).one("aside")
        assert [each.text for each in side.with_class("count")] == ([count] if count else [])
        assert role in side.with_class("me")[0].text
        administers = [link for link in side.all("a") if link.text == "Administration"]
        assert len(administers) == (1 if person.is_administrator else 0)


def test_a_list_that_could_not_be_read_says_so(cast: Cast) -> None:
    browser = signed_in(cast.developer)
    assert "ITCare has not been read yet" in main_of(browser, "/clusters/").text
    Sync.objects.create(name="resources", read_at=timezone.now())
    assert "As ITCare told just now" in main_of(browser, "/clusters/").text
    Sync.objects.update(failed="ITCare <did> not answer in time.")
    assert "ITCare could not be read: ITCare <did> not answer in time." in main_of(browser, "/clusters/").text


def test_a_cluster_that_could_not_be_read_keeps_what_is_known_and_says_since_when(cast: Cast) -> None:
    told = timezone.now() - timedelta(hours=3)
    shown = cluster(cast.service, 1, read_at=told, tried_at=timezone.now(), read_failed="ITCare did not answer.")
    page = main_of(signed_in(cast.developer), shown.get_absolute_url())
    assert "The last reading failed: ITCare did not answer." in page.text
    assert "Read 3 h ago" in page.text
    assert "PostgreSQL 16" in page.text


def test_an_ended_support_stands_out_in_the_list(cast: Cast) -> None:
    now = timezone.now()
    old = cluster(cast.service, 1, read_at=now, end_of_support_at=now - timedelta(days=1))
    young = cluster(cast.service, 2, read_at=now, end_of_support_at=now + timedelta(days=400))
    page = main_of(signed_in(cast.developer), "/clusters/")
    supported = {row.attributes["data-id"]: row.all("td")[-1] for row in page.all("tr") if "data-id" in row.attributes}
    assert "This version is no longer supported: plan an upgrade." in supported[str(old.pk)].text
    assert "Ended" not in supported[str(young.pk)].text


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("ACTIVE", "Active"),
        ("INACTIVE", "Stopped"),
        ("CREATING", "Creating"),
        ("", "Not known yet"),
        ("FROZEN_SOLID", "Frozen solid"),
        ("<b>", "<b>"),
    ],
)
def test_any_status_is_shown_documented_or_not(cast: Cast, status: str, word: str) -> None:
    shown = cluster(cast.service, 1, status=status, read_at=timezone.now())
    Node.objects.create(cluster=shown, name="node01", status=status)
    browser = signed_in(cast.developer)
    for address, times in ((shown.get_absolute_url(), 1), (f"{shown.get_absolute_url()}nodes/", 2)):
        words = [each.with_class("word")[0].text for each in main_of(browser, address).with_class("status")]
        assert words == [word] * times
    assert word in main_of(browser, "/clusters/").one("tr", data_id=str(shown.pk)).text


def test_a_cluster_that_is_gone_is_shown_as_it_was(cast: Cast) -> None:
    gone = cluster(cast.service, 1, read_at=timezone.now(), gone_at=timezone.now())
    page = main_of(signed_in(cast.developer), gone.get_absolute_url())
    assert "ITCare no longer knows it; this is its last known state." in page.all("h1")[0].text


def test_an_unclear_operation_says_that_it_is_not_sent_again_and_what_to_do(cast: Cast) -> None:
    operation = queued(cast.developer, cast.approver)
    sending(operation)
    words = "ITCare shows nothing of it: a person must find out. It is not sent again."
    operation.move(State.UNCLEAR, last_proof=Proof.UNKNOWN, message=words)
    for person in (cast.developer, cast.approver, cast.support):
        page = main_of(signed_in(person), operation.get_absolute_url())
        assert page.one(id="live").attributes["data-state"] == "unclear"
        assert "Nobody can tell whether ITCare received it." in page.text
        assert "It is not sent again." in page.text
        assert "if nothing was created, ask anew" in page.text
        assert words in page.text
        assert "hx-get" in page.one(id="live").attributes


def test_a_failed_operation_says_why_and_leads_to_its_request(cast: Cast) -> None:
    change = pending(cast.developer)
    operation = decide.approve(change, cast.approver, "")
    operation.move(State.FAILED, reason=Reason.REFUSED, message="ITCare refused this. ITCare says: <quota> exceeded")
    page = main_of(signed_in(cast.developer), operation.get_absolute_url())
    told = (
        "ITCare refused this. ITCare says: <quota> exceeded Ask again with other values. The evidence below names the"
    )
    assert page.one(id="outcome").text.startswith(told)
    assert page.all("a", href=change.get_absolute_url())
    request = main_of(signed_in(cast.developer), change.get_absolute_url())
    assert request.one(id="outcome").text.startswith(told)


def test_what_takes_too_long_says_so(cast: Cast) -> None:
    operation = sending(queued(cast.developer, cast.approver))
    browser = signed_in(cast.developer)
    assert "Overdue." not in main_of(browser, operation.get_absolute_url()).text
    Operation.objects.update(queued_at=timezone.now() - timedelta(hours=5), sent_at=timezone.now() - timedelta(hours=5))
    assert (
        "Overdue. It takes much longer than such an operation should."
        in main_of(browser, operation.get_absolute_url()).text
    )


def test_the_usual_time_is_told_once_there_is_a_history(cast: Cast) -> None:
    operation = queued(cast.developer, cast.approver)
    browser = signed_in(cast.developer)
    assert "usually" not in main_of(browser, operation.get_absolute_url()).text
    for number, minutes in enumerate((10, 12, 14, 16)):
        ended = queued(cast.developer, cast.approver, name=f"ended0{number}")
        sending(ended)
        ended.move(State.SUCCEEDED)
        now = timezone.now()
        Operation.objects.filter(pk=ended.pk).update(sent_at=now - timedelta(minutes=minutes), ended_at=now)
    assert "usually 12 min to 16 min" in main_of(browser, operation.get_absolute_url()).text


def test_the_portal_says_when_its_own_processes_are_silent(cast: Cast) -> None:
    browser = signed_in(cast.developer)
    stopped = "The portal's own clock has stopped: nothing is sent or followed until the sweep runs again."
    assert banners(main_of(browser, "/")) == [stopped]
    heartbeat.beat(heartbeat.SWEEP)
    slower = "No worker answers: approved requests are carried out all the same, but slower."
    assert banners(main_of(browser, "/")) == [slower]
    heartbeat.beat(heartbeat.WORKER)
    assert banners(main_of(browser, "/")) == []
    Heartbeat.objects.update(at=timezone.now() - heartbeat.STALE)
    assert banners(main_of(browser, "/clusters/")) == [stopped]


@pytest.mark.django_db(transaction=True)
def test_the_portal_says_when_itcare_asked_it_to_wait(transactional_db: None, request: pytest.FixtureRequest) -> None:
    cast: Cast = request.getfixturevalue("cast")
    for process in (heartbeat.SWEEP, heartbeat.WORKER):
        heartbeat.beat(process)
    pause.hold("ITCare has <too> much to do.", seconds=60)
    since = Pause.objects.get().since
    assert since is not None
    told = f"ITCare has <too> much to do. Since {short(since, timezone.now())} ."
    assert banners(main_of(signed_in(cast.developer), "/")) == [told]


@pytest.mark.django_db(transaction=True)
def test_the_portal_says_since_when_itcare_does_not_answer(
    transactional_db: None, request: pytest.FixtureRequest
) -> None:
    cast: Cast = request.getfixturevalue("cast")
    for process in (heartbeat.SWEEP, heartbeat.WORKER):
        heartbeat.beat(process)
    for _ in range(FAILURES):
        Circuit().reached("ITCare does not answer.")
    since = timezone.now() - timedelta(hours=3)
    Pause.objects.update(since=since)
    told = "ITCare does not answer. The portal tries again from time to time; what was approved waits for it."
    for until in (timedelta(seconds=5), timedelta(seconds=-1)):  # shut, and while one call at a time tries it
        Pause.objects.update(until=timezone.now() + until)
        assert banners(main_of(signed_in(cast.developer), "/clusters/")) == [
            f"{told} Since {short(since, timezone.now())} ."
        ]
