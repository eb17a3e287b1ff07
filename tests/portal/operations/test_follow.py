"""Following: each message once with ITCare's own time, one pass for all, and what the ends leave behind."""

from datetime import UTC, datetime
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from pytest_django import Settings

from portal.audit.models import Entry
from portal.operations import follow
from portal.operations.models import Action, ActionMessage, Operation, Secret
from portal.operations.states import State
from tests.cast import Cast, cluster, queued
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import LISTS_ACTIONS, answering, fault, followed, sent, tells, time_passes
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def new(cast: Cast, **changes: str | None) -> Operation:
    return queued(cast.developer, cast.approver, **changes)


def told(number: int, message: str, minute: int, **changes: object) -> dict[str, Any]:
    action = {
        "id": number,
        "status": "IN_PROGRESS",
        "message": message,
        "resourceName": "newpostgre01",
        "lastUpdatedAt": AT.replace(minute=minute).isoformat(),
    }
    return {**action, **changes}


def pass_by() -> int:
    time_passes(60.0)
    return follow.follow()


def timeline() -> list[tuple[str, str, datetime | None]]:
    return list(ActionMessage.objects.order_by("pk").values_list("text", "status", "said_at"))


def test_each_message_is_told_once_with_the_time_of_itcare(cast: Cast, upstream: Sandbox) -> None:
    row = sent(new(cast))
    number = row.upstream_action_id or 0
    (ordered,) = timeline()
    for message, minute in [("Checking", 1), ("Checking", 1), ("Creating", 2), ("Checking", 3), ("Creating", 4)]:
        upstream.set_faults(tells([told(number, message, minute)]))
        assert pass_by() == 1
    assert timeline() == [
        ordered,
        ("Checking", "IN_PROGRESS", AT.replace(minute=1)),
        ("Creating", "IN_PROGRESS", AT.replace(minute=2)),
    ]
    assert ordered[:2] == ("Order received", "IN_PROGRESS")


def test_a_page_that_watches_moves_only_when_there_is_news(cast: Cast, upstream: Sandbox) -> None:
    row = sent(new(cast))
    number = row.upstream_action_id or 0
    upstream.set_faults(tells([told(number, "Checking", 1)]))
    pass_by()
    before = Operation.objects.get().changed_at
    pass_by()
    assert Operation.objects.get().changed_at == before
    upstream.set_faults(tells([told(number, "Creating", 2)]))
    pass_by()
    assert Operation.objects.get().changed_at > before


def test_to_the_end_everything_is_told_and_the_cluster_is_linked(cast: Cast, upstream: Sandbox) -> None:
    row = followed(sent(new(cast)))
    ended = Caller(upstream).get(f"/actions/{row.upstream_action_id}")
    action = Action.objects.get()
    assert (row.state, action.status, row.message) == ("succeeded", "SUCCESS", "")
    assert action.completed_at == action.last_updated_at == datetime.fromisoformat(ended["completedAt"])
    assert timeline()[-1] == ("Cluster newpostgre01 is ready", "SUCCESS", action.completed_at)
    assert row.cluster is not None
    facts = (row.cluster.name, row.cluster.status, row.cluster.service, row.cluster.nodes.count())
    assert facts == ("newpostgre01", "ACTIVE", cast.service, 1)
    assert (row.look_at, row.lease_until, row.ended_at is not None) == (None, None, True)
    assert list(Secret.objects.values_list("pk", flat=True)) == [row.reveal_id]
    assert Entry.objects.order_by("-number")[0].verb == "operation.succeeded"
    assert pass_by() == 0


def test_an_action_that_ends_in_error_fails_it_with_what_itcare_said(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("action_error", message="Not enough capacity"))
    row = followed(sent(new(cast)))
    assert (row.state, row.reason) == ("failed", "failed_upstream")
    assert row.message == "ITCare could not finish it: Not enough capacity"
    assert (Secret.objects.count(), row.reveal_id) == (0, None)
    assert timeline()[-1][:2] == ("Not enough capacity", "ERROR")


def test_words_for_a_status_that_are_not_documented_go_on_running(cast: Cast, upstream: Sandbox) -> None:
    row = sent(new(cast))
    upstream.set_faults(tells([told(row.upstream_action_id or 0, "Waiting", 1, status="ON_HOLD")]))
    pass_by()
    assert (Operation.objects.get().state, Action.objects.get().status) == ("running", "ON_HOLD")


def test_what_the_list_does_not_show_is_asked_for_by_its_number(cast: Cast, upstream: Sandbox) -> None:
    row = sent(new(cast))
    Caller(upstream).ended(row.upstream_action_id or 0)
    upstream.set_faults(tells([]))
    pass_by()
    assert Operation.objects.get().state == "succeeded"


@pytest.mark.parametrize("path", ["/actions$", r"/actions(/\d+)?$"])
def test_a_list_or_an_action_that_cannot_be_read_slows_the_next_look_down(
    cast: Cast, upstream: Sandbox, path: str
) -> None:
    row = sent(new(cast))
    listed = tells([]) if path != "/actions$" else fault("refuse", times=None, match=LISTS_ACTIONS, status=404)
    upstream.set_faults(listed, fault("refuse", times=None, match={"method": "GET", "path": path}, status=404))
    for failures in (1, 2):
        pass_by()
        row.refresh_from_db()
        assert (row.state, row.failures, row.lease_until) == ("running", failures, None)
    upstream.set_faults()
    assert followed(row).state == "succeeded"


def test_one_pass_reads_the_list_once_for_all(cast: Cast, settings: Settings) -> None:
    rows = [row_of(cast, State.RUNNING, upstream_action_id=number) for number in range(1, 31)]
    actions = [told(row.upstream_action_id or 0, "Creating", 1, resourceName=row.name) for row in rows]
    for row in rows:
        action = Action.objects.create(upstream_id=row.upstream_action_id or 0, operation=row)
        ActionMessage.objects.create(action=action, text="Creating", status="IN_PROGRESS")
    with answering(settings, answer(200, actions)) as api:
        assert pass_by() == 30
    assert [(call.method, call.path) for call in api.received] == [("GET", "/itcare/actions?statuses=IN_PROGRESS")]
    # Nobody holds the rows any more, and each is looked at again.
    assert Operation.objects.filter(lease_until=None, look_at__isnull=False).count() == 30


def test_one_that_cannot_be_followed_does_not_hold_up_the_others(cast: Cast, upstream: Sandbox) -> None:
    first, second = sent(new(cast)), sent(new(cast, name="another01"))
    for row in (first, second):
        Caller(upstream).ended(row.upstream_action_id or 0)
    path = rf"/actions/{first.upstream_action_id}$"
    upstream.set_faults(fault("refuse", times=None, match={"method": "GET", "path": path}, status=500))
    pass_by()
    states = Operation.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["running", "succeeded"]


def test_a_create_that_ended_unread_gets_its_cluster_when_the_inventory_knows_it(cast: Cast) -> None:
    earlier = cluster(cast.service, 1, name="newpostgre01", gone_at=datetime.now(UTC))
    row = new(cast)
    Operation.objects.filter(pk=row.pk).update(
        state=State.SUCCEEDED, look_at=None, ended_at=datetime.now(UTC), password=None
    )
    elsewhere = cluster(cast.other_service, 2, name="newpostgre01")
    assert follow.link() == 0
    elsewhere.delete()
    made = cluster(cast.service, 3, name="newpostgre01")
    assert follow.link() == 1
    row.refresh_from_db()
    assert (row.cluster_id, earlier.pk != made.pk) == (made.pk, True)
    assert follow.link() == 0


def test_a_worker_whose_time_is_over_ends_its_pass(
    cast: Cast, upstream: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first01", "second01"):
        Caller(upstream).ended(sent(new(cast, name=name)).upstream_action_id or 0)
    tried: list[int] = []

    def one(_client: object, operation: Operation, _action: object) -> None:
        tried.append(operation.pk)
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(follow, "_follow_one", one)
    with pytest.raises(SoftTimeLimitExceeded):
        pass_by()
    assert len(tried) == 1
    # Held until their leases end, and then free for the next pass.
    assert Operation.objects.exclude(lease_until=None).count() == 2
    monkeypatch.undo()
    assert pass_by() == 0
    time_passes()
    assert follow.follow() == 2
    assert not Operation.objects.exclude(lease_until=None).exists()
