"""Actions that show up after their operation has ended without them raise an alarm, once."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal.audit.models import Entry
from portal.home.management.commands.sweep import jobs
from portal.inventory.models import Cluster
from portal.operations import history, late
from portal.operations.models import Action, Attempt, Concern, Operation
from portal.operations.states import Reason, State
from portal.operations.sweep import once
from portal.upstream.client import client
from tests.cast import Cast, queued
from tests.portal.catalog.asking import TARGET, approved, placed
from tests.portal.operations.engine import LISTS_ACTIONS, at_once, fault, followed, sent, settled, tells
from tests.portal.operations.test_settle import new, told, unclear
from tests.portal.operations.test_settle_by_effect import CASES, FIRST_ACTION, lost
from tests.portal.operations.test_settle_person import accepted_without_id, concerns
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

CARRIED_OUT = "What was asked for may have been carried out after all: look at the cluster."


def given_up(cast: Cast, row: Operation) -> Operation:
    """A person found out, or so they say, that it was not done."""
    row.move(State.FAILED, actor=cast.approver, settled_by=cast.approver, reason=Reason.SETTLED, message="Not done.")
    return row


def called_done(cast: Cast, row: Operation) -> Operation:
    """A person found out that it was done."""
    row.move(State.SUCCEEDED, actor=cast.approver, settled_by=cast.approver, message="Done, by another way.")
    return row


def watched() -> int:
    """Watch as if the time for each had come; answers how many were asked about."""
    Operation.objects.update(searched_at=F("searched_at") - timedelta(hours=1))
    return late.watch()


def test_the_action_of_one_that_was_given_up_raises_an_alarm_once(cast: Cast, upstream: Sandbox) -> None:
    row = given_up(cast, unclear(cast, upstream))
    assert (watched(), concerns()) == (1, [])
    upstream.set_faults(tells([told(90_001)]))
    for _ in range(2):
        assert watched() == 1
    assert concerns() == [("late_action", [90_001], "")]
    concern = Concern.objects.get()
    assert (concern.operation, concern.service_id) == (row, row.service_id)
    assert concern.words == (
        "ITCare shows action 90001, and it can only be that of this operation, which a person had settled. "
        f"{CARRIED_OUT}"
    )
    # The operation stays what it was said to be, and the action nobody's.
    assert Operation.objects.get().state == "failed"
    assert Action.objects.get().operation is None
    # Dealt with, it is not told again; a second one is.
    Concern.objects.update(closed_at=Now(), outcome="Deleted by hand.")
    watched()
    upstream.set_faults(tells([told(90_001), told(90_002)]))
    watched()
    assert concerns() == [("late_action", [90_001], "Deleted by hand."), ("late_action", [90_002], "")]
    assert Entry.objects.filter(verb="concern.raised").count() == 2


def test_a_second_one_joins_an_open_alarm(cast: Cast, upstream: Sandbox) -> None:
    given_up(cast, unclear(cast, upstream))
    for actions in ([told(90_001)], [told(90_002)]):
        upstream.set_faults(tells(actions))
        watched()
    assert concerns() == [("late_action", [90_001, 90_002], "")]


def test_one_that_people_called_done_or_failed_by_itself_counts_too(cast: Cast, upstream: Sandbox) -> None:
    called_done(cast, accepted_without_id(cast, upstream))
    refused = unclear(cast, upstream)
    Operation.objects.filter(pk=refused.pk).update(name="another01")
    refused.move(State.FAILED, reason=Reason.REFUSED, message="The second attempt was refused.")
    upstream.set_faults(tells([told(90_001), told(90_002, resourceName="another01")]))
    assert watched() == 2
    assert concerns() == [("late_action", [90_001], ""), ("late_action", [90_002], "")]
    assert Concern.objects.get(operation=refused).words == (
        "ITCare shows action 90002, and it can only be that of this operation, which had ended as failed. "
        f"{CARRIED_OUT}"
    )


@pytest.mark.parametrize(
    "action",
    [
        told(90_001, submittedBy="portal-account", resourceName="newpostgre011"),
        told(90_001, submittedBy="portal-account", submittedAt="2020-01-01T00:00:00.000Z"),
        told(90_001, submittedBy="somebody else"),
    ],
    ids=["name", "time", "account"],
)
def test_what_does_not_fit_raises_none(cast: Cast, upstream: Sandbox, action: dict[str, object]) -> None:
    followed(sent(new(cast, name="another01")))
    given_up(cast, unclear(cast, upstream))
    upstream.set_faults(tells([action]))
    assert (watched(), concerns()) == (1, [])


def test_what_a_person_had_before_them_is_not_told_again(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    upstream.set_faults(tells([told(90_001), told(90_002)]))
    given_up(cast, settled(row))
    watched()
    assert concerns() == [("several_fit", [90_001, 90_002], "")]


def test_nobody_watches_what_has_its_action_or_was_never_sent(cast: Cast, upstream: Sandbox) -> None:
    followed(sent(new(cast)))
    upstream.set_faults(fault("refuse", status=422))
    assert sent(new(cast, name="another01")).state == "failed"
    adopted = settled(unclear_of(cast, upstream, "another02"))
    assert followed(adopted).state == "succeeded"
    queued(cast.developer, cast.approver, name="another03").move(State.CANCELLED, actor=cast.developer)
    assert watched() == 0


def unclear_of(cast: Cast, upstream: Sandbox, name: str) -> Operation:
    upstream.set_faults(fault("drop"))
    return sent(new(cast, name=name))


def test_the_first_of_two_calls_is_watched_although_the_second_has_its_action(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET)
    row = approved(cast, "resize", cluster, {"sizing": "4cpu8gb"})
    upstream.set_faults(fault("drop_before", match={"method": "PATCH"}))
    row = sent(row)
    row.move(State.QUEUED, actor=cast.approver, released_by=cast.approver, look_at=Now())
    row = followed(sent(row))
    assert (row.state, row.attempts.count()) == ("succeeded", 2)
    own = Caller(upstream).ended(row.upstream_action_id or 0)
    upstream.set_faults(tells([own]))
    assert (watched(), concerns()) == (1, [])
    upstream.set_faults(tells([own, told(90_001, resourceName=cluster.name, submittedBy="portal-account")]))
    watched()
    assert concerns() == [("late_action", [90_001], "")]


def test_the_action_of_one_that_the_cluster_settled_is_no_surprise(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, CASES[0], "drop")
    Caller(upstream).ended(FIRST_ACTION)
    assert settled(row).state == "succeeded"
    upstream.set_faults()
    watched()
    row = Operation.objects.get()
    assert (row.upstream_action_id, Action.objects.get().operation, concerns()) == (FIRST_ACTION, row, [])
    assert Entry.objects.get(verb="operation.found").detail["action"] == FIRST_ACTION
    assert watched() == 0


def test_an_action_that_failed_does_not_go_with_an_effect(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, CASES[0], "drop")
    Caller(upstream).ended(FIRST_ACTION)
    assert settled(row).state == "succeeded"
    upstream.set_faults(tells([told(FIRST_ACTION, status="ERROR")]))
    watched()
    assert concerns() == [("late_action", [FIRST_ACTION], "")]


def test_nothing_is_told_while_another_operation_on_the_name_waits_for_its_own(cast: Cast, upstream: Sandbox) -> None:
    given_up(cast, unclear(cast, upstream))
    second = unclear(cast, upstream)
    upstream.set_faults(tells([told(90_001)]))
    watched()
    assert concerns() == []
    given_up(cast, second)
    watched()
    # One alarm for one action, although it may belong to either.
    assert [(situation, actions) for situation, actions, _ in concerns()] == [("late_action", [90_001])]


def test_it_ends_after_some_days(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    given_up(cast, unclear(cast, upstream))
    Operation.objects.update(ended_at=F("ended_at") - timedelta(seconds=settings.LATE_ACTION_SECONDS))
    assert watched() == 0


def test_few_are_asked_about_at_a_time_the_longest_unasked_first(cast: Cast, upstream: Sandbox) -> None:
    rows = [given_up(cast, unclear_of(cast, upstream, f"another{number:02}")) for number in range(late.A_PASS + 1)]
    assert (late.watch(), late.watch(), late.watch()) == (late.A_PASS, 1, 0)
    asked = Operation.objects.order_by("searched_at").values_list("pk", flat=True)
    assert list(asked) == [row.pk for row in rows]


def test_two_sweeps_ask_once(cast: Cast, upstream: Sandbox) -> None:
    given_up(cast, unclear(cast, upstream))
    upstream.set_faults(fault("late", times=None, seconds=0.5, match=LISTS_ACTIONS))
    assert sorted(at_once(late.watch, late.watch), key=str) == [0, 1]


def test_an_upstream_that_cannot_be_read_is_asked_later(cast: Cast, upstream: Sandbox) -> None:
    given_up(cast, unclear(cast, upstream))
    upstream.set_faults(fault("refuse", times=None, match=LISTS_ACTIONS, status=403))
    assert watched() == 0
    upstream.set_faults(tells([told(90_001)]))
    assert (watched(), concerns()) == (1, [("late_action", [90_001], "")])


def test_what_is_read_of_a_clusters_past_counts_too(cast: Cast, upstream: Sandbox) -> None:
    row = given_up(cast, unclear(cast, upstream))
    upstream.set_faults(tells([told(90_001)]))
    cluster = Cluster.objects.create(upstream_id=9, name=row.name, service=cast.service)
    for _ in range(2):
        history.read(client(), cluster)
    assert concerns() == [("late_action", [90_001], "")]


def test_the_sweep_watches(cast: Cast, upstream: Sandbox) -> None:
    given_up(cast, unclear(cast, upstream))
    upstream.set_faults(tells([told(90_001)]))
    once([job for job in jobs() if job.name == "late actions"])
    assert concerns() == [("late_action", [90_001], "")]


def test_one_that_cannot_be_judged_does_not_stop_the_others(cast: Cast, upstream: Sandbox) -> None:
    rows = [given_up(cast, unclear_of(cast, upstream, name)) for name in ("another01", "another02")]
    Attempt.objects.filter(operation=rows[0]).delete()
    upstream.set_faults(tells([told(90_001, resourceName="another01"), told(90_002, resourceName="another02")]))
    assert (watched(), concerns()) == (1, [("late_action", [90_002], "")])
