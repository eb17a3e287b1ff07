"""Settling: what is unclear is looked for, adopted on evidence, and never sent again (SAFETY 1 rule 6)."""

import time
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import F

from portal.audit.models import Entry
from portal.inventory.models import Cluster
from portal.operations import settle
from portal.operations.models import Action, Attempt, Operation
from tests.cast import Cast, queued
from tests.portal.operations.engine import fault, followed, posts, sent, settled, story, tells, time_passes
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

NOT_YET = "ITCare shows nothing of it yet; it is looked for again."


def new(cast: Cast, **changes: str | None) -> Operation:
    return queued(cast.developer, cast.approver, **changes)


def told(number: int, **changes: object) -> dict[str, Any]:
    """An action as the list tells it, long after anything in these tests was sent."""
    action = {
        "id": number,
        "status": "IN_PROGRESS",
        "message": "Order received",
        "resourceName": "newpostgre01",
        "submittedAt": "2199-01-01T00:00:00.000Z",
        "submittedBy": "account",
        "lastUpdatedAt": "2199-01-01T00:00:00.000Z",
    }
    return {**action, **changes}


def unclear(cast: Cast, upstream: Sandbox, kind: str = "drop_before") -> Operation:
    upstream.set_faults(fault(kind))
    row = sent(new(cast))
    assert row.state == "unclear"
    return row


def test_the_only_action_since_it_was_sent_is_adopted_and_followed(cast: Cast, upstream: Sandbox) -> None:
    row = settled(unclear(cast, upstream, "drop"))
    action = Action.objects.get()
    told = [entry.text for entry in story(row)]
    assert "Found at ITCare: the only action on this name since it was sent" in told
    assert (row.state, row.last_proof, row.upstream_action_id) == ("running", "accepted", action.upstream_id)
    assert (action.operation, row.failures, row.lease_until) == (row, 0, None)
    assert row.message == "Found at ITCare: the only action on this name since it was sent."
    # The attempt stays what it was: unknown to its sender.
    assert Attempt.objects.get().proof == "unknown"
    entry = Entry.objects.get(verb="operation.running")
    assert (entry.actor, entry.detail["action"]) == ("portal", action.upstream_id)
    row = followed(row)
    assert (row.state, posts(upstream)) == ("succeeded", 1)
    # How it was found stays in its story.
    assert [entry.text for entry in story(row)][:4] == told[:4]


def test_an_accepted_one_without_an_id_is_found_and_recorded(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("empty"))
    row = settled(sent(new(cast)))
    assert (row.state, row.upstream_action_id) == ("running", Action.objects.get().upstream_id)
    assert Entry.objects.get(verb="operation.found").detail["action"] == row.upstream_action_id
    assert (followed(row).state, posts(upstream)) == ("succeeded", 1)


def test_an_older_action_of_the_same_name_is_not_adopted(cast: Cast, upstream: Sandbox) -> None:
    caller = Caller(upstream)
    upstream.set_faults(fault("action_error"))
    older = caller.ended(caller.create(name="newpostgre01").json()["id"])
    # ITCare's Date header counts whole seconds: within one, it could be the operation's own.
    time.sleep(1.1)
    row = settled(unclear(cast, upstream))
    assert (row.state, row.message, row.upstream_action_id) == ("unclear", NOT_YET, None)
    assert (Attempt.objects.get().watermark_action_id, Action.objects.count()) == (older["id"], 0)


@pytest.mark.parametrize(
    "action",
    [
        # Of another cluster.
        told(900, resourceName="newpostgre011"),
        # From before the watermark, by its time.
        told(900, submittedAt="2020-01-01T00:00:00.000Z"),
    ],
)
def test_an_action_that_does_not_fit_is_not_adopted(cast: Cast, upstream: Sandbox, action: dict[str, Any]) -> None:
    row = unclear(cast, upstream)
    upstream.set_faults(tells([action]))
    row = settled(row)
    assert (row.state, row.message) == ("unclear", NOT_YET)


def test_an_action_of_another_account_is_not_adopted_once_ours_is_known(cast: Cast, upstream: Sandbox) -> None:
    followed(sent(new(cast, name="another01")))
    row = unclear(cast, upstream)
    upstream.set_faults(tells([told(90_000, submittedBy="somebody else")]))
    assert settled(row).state == "unclear"
    ours = Action.objects.values_list("submitted_by", flat=True).get()
    upstream.set_faults(tells([told(90_000, submittedBy=ours)]))
    assert settled(row).state == "running"


def test_an_action_of_another_operation_is_not_adopted(cast: Cast, upstream: Sandbox) -> None:
    other = sent(new(cast, name="another01"))
    row = unclear(cast, upstream)
    upstream.set_faults(tells([told(other.upstream_action_id or 0)]))
    row = settled(row)
    assert (row.state, Action.objects.get().operation) == ("unclear", other)


def test_the_cluster_itself_is_evidence_once_it_is_active(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(tells([]), fault("drop"))
    row = sent(new(cast))
    Caller(upstream).ended(77_001)
    half_made = {"name": "newpostgre01", "status": "CREATING"}
    own_page = {"method": "GET", "path": r"/databases/postgresql/\d+$"}
    upstream.set_faults(tells([]), fault("refuse", match=own_page, status=200, body=half_made))
    row = settled(row)
    assert (row.state, row.message) == ("unclear", NOT_YET)
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("succeeded", None)
    assert row.cluster == Cluster.objects.get(name="newpostgre01", status="ACTIVE")
    assert row.message == (
        "ITCare shows that it was done: the cluster is there and active. The action itself was not found."
    )
    assert (row.password_id, row.reveal_id is not None) == (None, True)


def test_a_cluster_that_is_older_than_the_sending_is_no_evidence(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(tells([]), fault("drop"))
    row = sent(new(cast))
    Caller(upstream).ended(77_001)
    Attempt.objects.update(watermark_at=F("watermark_at") + timedelta(hours=1))
    assert settled(row).state == "unclear"


def test_an_upstream_that_cannot_be_asked_leaves_it_as_it_is(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream, "drop")
    words = row.message
    upstream.set_faults(fault("refuse", times=None, match={"method": "GET"}, status=403))
    row = settled(row)
    assert (row.state, row.message, row.failures, row.lease_until) == ("unclear", words, 1, None)
    upstream.set_faults()
    assert settled(row).state == "running"


def test_one_that_cannot_be_settled_does_not_hold_up_the_others(cast: Cast, upstream: Sandbox) -> None:
    first = unclear(cast, upstream, "drop")
    # No such number can be asked for.
    other = sent(new(cast, name="another02"))
    Attempt.objects.filter(operation=first).update(upstream_action_id=-1)
    upstream.set_faults(fault("drop"))
    second = sent(new(cast, name="another01"))
    settled(first)
    states = Operation.objects.order_by("pk").values_list("pk", "state")
    assert list(states) == [(first.pk, "unclear"), (other.pk, "running"), (second.pk, "running")]
    assert Action.objects.get(operation=other).upstream_id == other.upstream_action_id


def test_a_worker_whose_time_is_over_ends_its_pass(
    cast: Cast, upstream: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = unclear(cast, upstream, "drop")

    def one(*_: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(settle, "_settle_one", one)
    with pytest.raises(SoftTimeLimitExceeded):
        settled(row)
    monkeypatch.undo()
    time_passes()
    assert settled(row).state == "running"
