"""What an unclear operation asks of a person, when, and how a later look settles it all the same."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal.audit.models import Entry
from portal.operations import settle
from portal.operations.models import Action, Attempt, Concern, Operation
from portal.operations.states import Reason, State
from tests.cast import Cast
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row
from tests.faults.table import told as tells_of
from tests.portal.operations.engine import (
    LISTS_ACTIONS,
    everybody_tries,
    fault,
    followed,
    meanwhile,
    posts,
    sent,
    settled,
    tells,
    time_passes,
)
from tests.portal.operations.test_settle import NOT_YET, new, told, unclear
from tests.portal.operations.test_settle_by_effect import FIRST_ACTION
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

A_PERSON = "ITCare shows nothing of it: a person must find out. It is not sent again."
SEVERAL = "2 actions of ITCare fit: a person must say which one it is."
NOT_WHOLE = "ITCare's list of actions cannot be read in whole."
READS = {"method": "GET"}


def accepted_without_id(cast: Cast, upstream: Sandbox) -> Operation:
    """Accepted, says ITCare, and no more; nothing of it is done."""
    upstream.set_faults(fault("refuse", status=202))
    row = sent(new(cast))
    assert (row.state, row.upstream_action_id) == ("running", None)
    return row


def nobody_knows(cast: Cast, upstream: Sandbox) -> Operation:
    """Sent into a connection that breaks; nothing of it is done."""
    return unclear(cast, upstream)


both_ways = pytest.mark.parametrize("begin", [nobody_knows, accepted_without_id])
Begin = Callable[[Cast, Sandbox], Operation]


def unread_for_long(settings: Settings) -> None:
    """Let the grace time pass since ITCare was last read."""
    span = timedelta(seconds=settings.SETTLE_GRACE_SECONDS)
    Operation.objects.update(sent_at=F("sent_at") - span, searched_at=F("searched_at") - span)


def concerns() -> list[tuple[str, list[int], str]]:
    """Situation, actions and outcome of each concern, the oldest first."""
    return [
        (concern.situation, sorted(action.upstream_id for action in concern.actions.all()), concern.outcome)
        for concern in Concern.objects.order_by("pk")
    ]


@both_ways
def test_several_that_fit_are_for_a_person_at_once(cast: Cast, upstream: Sandbox, begin: Begin) -> None:
    row = begin(cast, upstream)
    before = row.state
    upstream.set_faults(tells([told(90_001), told(90_002)]))
    for _ in range(2):
        row = settled(row)
        assert (row.state, row.upstream_action_id, row.message) == (before, None, SEVERAL)
    concern = Concern.objects.get()
    assert (concern.operation, concern.service_id, concern.closed_at) == (row, row.service_id, None)
    assert concern.words == (
        f"{SEVERAL} Action 90001 (IN_PROGRESS: Order received); 90002 (IN_PROGRESS: Order received)."
    )
    assert concerns() == [("several_fit", [90_001, 90_002], "")]
    # Noted with what they tell, and nobody's.
    noted = Action.objects.filter(operation=None).order_by("upstream_id").values_list("upstream_id", "status")
    assert list(noted) == [(90_001, "IN_PROGRESS"), (90_002, "IN_PROGRESS")]
    assert Entry.objects.filter(verb="concern.raised").count() == 1


def test_that_several_fitted_is_not_taken_back_because_none_is_shown(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    row = unclear(cast, upstream)
    upstream.set_faults(tells([told(90_001), told(90_002)]))
    settled(row)
    time_passes(settings.SETTLE_GRACE_SECONDS)
    upstream.set_faults(tells([]))
    row = settled(row)
    assert concerns() == [("several_fit", [90_001, 90_002], "")]


def test_a_later_single_fit_settles_it_and_closes_the_concern(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    upstream.set_faults(tells([told(90_001), told(90_002)]))
    row = settled(row)
    other = new(cast, name="another01")
    Action.objects.filter(upstream_id=90_001).update(operation=other)
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("running", 90_002)
    words = "Found at ITCare: the only action on this name since it was sent."
    assert concerns() == [("several_fit", [90_001, 90_002], words)]
    assert Concern.objects.get().closed_by is None
    assert Action.objects.get(upstream_id=90_001).operation == other


@both_ways
def test_nothing_there_counts_after_the_grace_period_only(
    cast: Cast, upstream: Sandbox, settings: Settings, begin: Begin
) -> None:
    row = begin(cast, upstream)
    before = row.state
    row = settled(row)
    assert (row.state, row.message, row.failures, concerns()) == (before, NOT_YET, 1, [])
    time_passes(settings.SETTLE_GRACE_SECONDS - 300)
    assert (settled(row).message, concerns()) == (NOT_YET, [])
    time_passes(300)
    for failures in (3, 4):
        row = settled(row)
        assert (row.state, row.message, row.failures) == (before, A_PERSON, failures)
    assert concerns() == [("nothing_found", [], "")]
    assert Concern.objects.get().words == (
        f"{A_PERSON} No action since then can be its own. The cluster does not show that it was done."
    )
    everybody_tries(row)
    assert (posts(upstream), concerns()) == (1, [("nothing_found", [], "")])
    # It is looked for all the same, and found when it shows at last.
    upstream.set_faults(tells([told(90_001)]))
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("running", 90_001)
    words = "Found at ITCare: the only action on this name since it was sent."
    assert concerns() == [("nothing_found", [], words)]


def test_looks_come_ever_more_slowly_up_to_a_bound(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    row = unclear(cast, upstream)
    waits = []
    for _ in range(14):
        time_passes(400)
        began = datetime.now(UTC)
        row = settled(row)
        assert row.look_at is not None
        waits.append((row.look_at - began).total_seconds())
    assert all(settings.SETTLE_SECONDS <= wait < 365 for wait in waits)
    assert min(waits[-5:]) > 200 > max(waits[:4])


def test_a_write_that_arrives_late_is_found(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.ITCARE_READ_SECONDS = settings.ITCARE_TOTAL_SECONDS = 1.0
    upstream.set_faults(fault("late", seconds=2.5, before=True))
    row = sent(new(cast))
    assert row.state == "unclear"
    row = settled(row)
    assert (row.state, row.message) == ("unclear", NOT_YET)
    caller = Caller(upstream)
    until(lambda: caller.call("GET", f"/actions/{FIRST_ACTION}", check=False).ok)
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("running", FIRST_ACTION)
    assert (followed(row).state, posts(upstream)) == ("succeeded", 1)


@both_ways
def test_an_upstream_that_cannot_be_read_for_longer_than_the_grace_is_for_a_person(
    cast: Cast, upstream: Sandbox, settings: Settings, begin: Begin
) -> None:
    row = begin(cast, upstream)
    settled(row)
    upstream.set_faults(fault("refuse", times=None, match=READS, status=403))
    settled(row)
    assert concerns() == []
    unread_for_long(settings)
    for _ in range(2):
        settled(row)
    assert concerns() == [("unsettled", [], "")]
    assert Concern.objects.get().words == (
        "What became of it cannot be looked for. ITCare does not allow the portal's account to do this. It is tried "
        "again all the time."
    )
    upstream.set_faults()
    assert settled(row).message == NOT_YET
    assert concerns() == [("unsettled", [], "ITCare can be read again.")]


def test_a_person_who_is_asked_already_is_not_asked_that_it_cannot_be_read(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    row = unclear(cast, upstream)
    time_passes(settings.SETTLE_GRACE_SECONDS)
    settled(row)
    upstream.set_faults(fault("refuse", times=None, match=READS, status=403))
    unread_for_long(settings)
    settled(row)
    assert concerns() == [("nothing_found", [], "")]


def test_an_operation_whose_attempt_is_missing_is_for_a_person(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream, "drop")
    Attempt.objects.filter(operation=row).delete()
    for _ in range(2):
        row = settled(row)
    words = "The record of its sending is missing: a person must find out. It is not sent again."
    assert (row.state, row.message, row.failures) == ("unclear", words, 2)
    assert concerns() == [("stuck", [], "")]
    assert Concern.objects.get().words == (
        "The record of its sending is missing, so nothing at ITCare can be told to be its own."
    )


def test_an_operation_that_keeps_failing_to_be_looked_for_is_for_a_person(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    row = unclear(cast, upstream, "drop")
    # No such number can be asked for.
    Attempt.objects.filter(operation=row).update(upstream_action_id=-1)
    assert (settled(row).state, concerns()) == ("unclear", [])
    unread_for_long(settings)
    for _ in range(2):
        settled(row)
    assert concerns() == [("stuck", [], "")]
    assert Concern.objects.get().words == "The search for it keeps failing; the log of the worker says why."


def test_an_action_that_fits_an_earlier_operation_too_is_for_a_person(cast: Cast, upstream: Sandbox) -> None:
    first = unclear(cast, upstream)
    first.move(
        State.FAILED, actor=cast.approver, settled_by=cast.approver, reason=Reason.SETTLED, message="It was not done."
    )
    second = unclear(cast, upstream)
    upstream.set_faults(tells([told(90_001)]))
    second = settled(second)
    words = "An action of ITCare fits this and an earlier operation: a person must say whose it is."
    assert (second.state, second.upstream_action_id, second.message) == ("unclear", None, words)
    assert concerns() == [("several_fit", [90_001], "")]
    assert Concern.objects.get().words == (
        f"{words} Action 90001 (IN_PROGRESS: Order received). It fits operation {first.pk}, Create newpostgre01 too, "
        "which ended without its action."
    )


@tells_of(
    Row(
        "Clocks",
        "the portal's clock ten minutes off while it is waited for",
        "time is shifted in the portal's process, either way",
        "the time of grace goes by the database's clock, neither shorter nor longer",
        "nothing out of the ordinary",
    )
)
@pytest.mark.parametrize("minutes", [-10, 10])
def test_the_clock_of_the_portal_neither_shortens_nor_lengthens_the_grace(
    cast: Cast, upstream: Sandbox, settings: Settings, minutes: int
) -> None:
    row = unclear(cast, upstream)
    time_passes(settings.SETTLE_GRACE_SECONDS / 2)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=minutes), tick=True):
        assert (settled(row).message, concerns()) == (NOT_YET, [])
        time_passes(settings.SETTLE_GRACE_SECONDS / 2)
        assert (settled(row).message, concerns()) == (A_PERSON, [("nothing_found", [], "")])
    settle_down()
    judge(upstream)


@pytest.mark.parametrize(("answer", "state"), [("drop", "unclear"), ("empty", "running")])
def test_who_lost_the_row_meanwhile_writes_nothing(cast: Cast, upstream: Sandbox, answer: str, state: str) -> None:
    upstream.set_faults(fault(answer))
    row = sent(new(cast))
    upstream.set_faults(fault("late", seconds=1.0, match=LISTS_ACTIONS))
    time_passes(60)
    mine = Operation.objects.filter(pk=row.pk)
    with meanwhile(settle.settle):
        until(lambda: mine.filter(lease_until__gt=Now()).exists())
        mine.update(fence=F("fence") + 1)
    row = mine.get()
    assert (row.state, row.upstream_action_id, Action.objects.count(), concerns()) == (state, None, 0, [])
    # The other's lease is left alone.
    assert mine.filter(lease_until__gt=Now()).exists()
