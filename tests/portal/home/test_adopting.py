"""People adopt an action on the page, where ITCare lost the first or named another operation's: to the end."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.operations import follow, history, watch
from portal.operations.models import Action, Concern, Operation, Situation
from portal.upstream.client import client
from tests.browsing import signed_in
from tests.cast import Cast
from tests.portal.catalog.asking import TARGET, approved, placed
from tests.portal.home.attending import acts_on, page_of
from tests.portal.home.attending import sent as form
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import (
    LISTS_ACTIONS,
    answering,
    fault,
    followed,
    sent,
    settled,
    story,
    tells,
    time_passes,
)
from tests.portal.operations.test_same_action import named
from tests.portal.operations.test_settle import new, told
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


def offered(user: User, concern: Concern) -> list[str]:
    """The buttons by which an action can be adopted."""
    adopt = acts_on(page_of(signed_in(user), concern.get_absolute_url())).get("adopt")
    return [button.text for button in adopt.all("button")] if adopt else []


def adopt(user: User, concern: Concern, number: int) -> None:
    """Press the button of that action."""
    browser = signed_in(user)
    page = page_of(browser, concern.get_absolute_url())
    row = Action.objects.get(upstream_id=number)
    (button,) = [each for each in acts_on(page)["adopt"].all("button") if each.attributes["value"] == str(row.pk)]
    data = form(page, "adopt", action=button.attributes["value"])
    answer = browser.post(f"{concern.get_absolute_url()}adopt/", data)
    assert (answer.status_code, answer["Location"]) == (303, "/attention/")


def gone(row: Operation) -> dict[str, object]:
    """A rule by which ITCare no longer knows the operation's action."""
    one = {"method": "GET", "path": f"/actions/{row.upstream_action_id}$"}
    return fault("refuse", times=None, match=one, status=404)


def follow_until_it_vanished(settings: Settings) -> Concern:
    """Look twice, some time apart."""
    for _ in range(2):
        time_passes()
        follow.follow()
        Operation.objects.update(missed_at=F("missed_at") - timedelta(seconds=settings.VANISHED_SECONDS))
    return Concern.objects.get(situation=Situation.VANISHED)


def resizing(cast: Cast, upstream: Sandbox) -> tuple[Operation, int]:
    """A resize whose action ITCare forgets, and goes on under another number; answers that too."""
    cluster = placed(upstream, cast.service, TARGET)
    row = sent(approved(cast, "resize", cluster, {"sizing": "4cpu8gb"}))
    caller = Caller(upstream)
    caller.ended(row.upstream_action_id or 0)
    again = caller.call(
        "PATCH",
        f"/databases/postgresql/{cluster.upstream_id}",
        {"operation": "resize", "options": {"sizing": "8cpu16gb"}},
    )
    number = int(again.json()["id"])
    caller.ended(number)
    return row, number


def test_the_action_under_which_a_vanished_one_goes_on_is_offered_adopted_and_followed_to_its_end(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    row, number = resizing(cast, upstream)
    upstream.set_faults(gone(row))
    concern = follow_until_it_vanished(settings)
    # Not the one that vanished, although the list may still tell of it.
    assert [action.upstream_id for action in concern.actions.all()] == [number]
    assert offered(cast.approver, concern) == [f"Adopt action {number} (Succeeded)"]
    links = page_of(signed_in(cast.approver), "/attention/").all(
        "a", href=f"{concern.get_absolute_url()}?act=adopt#act-adopt"
    )
    assert len(links) == 1
    adopt(cast.approver, concern, number)
    row.refresh_from_db()
    assert (row.state, row.upstream_action_id, row.missed_at, row.settled_by) == (
        "running",
        number,
        None,
        cast.approver,
    )
    concern.refresh_from_db()
    assert (concern.closed_by, concern.outcome) == (
        cast.approver,
        f"Action {number} was adopted: I asked cegedim.cloud.",
    )
    row = followed(row)
    assert (row.state, Action.objects.get(upstream_id=number).operation) == ("succeeded", row)
    verbs = Entry.objects.filter(subject_id=str(row.pk), subject_type="operation").order_by("number")
    assert list(verbs.values_list("verb", flat=True))[-2:] == ["operation.adopted", "operation.succeeded"]
    watch.watch()
    assert not Concern.objects.open().exists()


def test_why_the_first_was_taken_for_its_own_is_not_told_of_the_second(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    row, number = resizing(cast, upstream)
    first, evidence = row.upstream_action_id, "the only action on this name since it was sent"
    Operation.objects.update(evidence=evidence, found_at=Now())
    row.refresh_from_db()
    assert [(entry.text, entry.note) for entry in story(row) if entry.text.startswith("Found")] == [
        (f"Found at ITCare: {evidence}", f"action {first}")
    ]
    upstream.set_faults(gone(row))
    adopt(cast.approver, follow_until_it_vanished(settings), number)
    row.refresh_from_db()
    told = [(entry.text, entry.note) for entry in story(row)]
    assert [text for text, _ in told if text.startswith("Found at ITCare")] == []
    assert ("Dealt with by approver@example.com", f"Action {number} was adopted: I asked cegedim.cloud.") in told


def test_what_is_told_of_it_later_is_offered_too_and_it_is_listed_only_once(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    row, number = resizing(cast, upstream)
    upstream.set_faults(gone(row), tells([]))
    concern = follow_until_it_vanished(settings)
    assert (offered(cast.approver, concern), list(concern.actions.all())) == ([], [])
    # Read meanwhile for the cluster's page; nothing is listed for the concern again.
    upstream.set_faults()
    assert row.cluster is not None
    history.read(client(), row.cluster)
    upstream.set_faults(gone(row), fault("refuse", times=None, match=LISTS_ACTIONS, status=200, body=[]))
    time_passes()
    follow.follow()
    assert offered(cast.approver, concern) == [f"Adopt action {number} (Succeeded)"]


def test_a_person_is_told_although_the_list_cannot_be_read(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    sent(new(cast))
    look = [answer(200, []), answer(404)]
    with answering(settings, *look, *look, answer(403)) as api:
        concern = follow_until_it_vanished(settings)
        assert len(api.received) == 5
    assert offered(cast.approver, concern) == []


def test_one_for_which_itcare_named_another_s_action_adopts_its_own(cast: Cast, upstream: Sandbox) -> None:
    first = sent(new(cast))
    upstream.set_faults(named(first.upstream_action_id or 0))
    second = sent(new(cast, name="another01"))
    concern = Concern.objects.get(situation=Situation.SAME_ACTION)
    assert offered(cast.approver, concern) == []
    # ITCare did take it, and shows it in a list that is not whole.
    upstream.set_faults()
    caller = Caller(upstream)
    number = int(caller.create(name="another01").json()["id"])
    upstream.set_faults(tells([told(number, resourceName="another01"), {"id": "unreadable"}]))
    second = settled(second)
    assert (second.state, second.upstream_action_id) == ("running", None)
    assert offered(cast.approver, concern) == [f"Adopt action {number} (Running)"]
    upstream.set_faults()
    adopt(cast.approver, concern, number)
    caller.ended(number)
    second = followed(second)
    assert (second.state, second.upstream_action_id) == ("succeeded", number)
    assert (followed(first).state, Concern.objects.open().count()) == ("succeeded", 0)
