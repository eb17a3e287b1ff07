"""Sent again by people after an unclear attempt: a refusal may mean that the first one worked (SAFETY 2)."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from portal.audit.models import Entry
from portal.inventory.models import Cluster
from portal.operations.models import Concern, Operation
from portal.operations.states import State
from tests.cast import Cast
from tests.portal.catalog.asking import TARGET, Values, approved, placed
from tests.portal.operations.engine import LISTS_ACTIONS, evidence, fault, followed, sent, settled, tells, time_passes
from tests.portal.operations.test_settle_by_effect import FIRST_ACTION
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

SIZE: Values = {"sizing": "4cpu8gb"}
MAYBE = "An earlier attempt may have done it: that one is looked for."
MAYBE_MOVED = "An earlier attempt may have done that: it is looked for."
PATCHES = {"method": "PATCH", "path": "/databases/postgresql"}
DELETES = {"method": "DELETE", "path": "/databases/postgresql"}


def released(cast: Cast, row: Operation) -> Operation:
    """Sent again by as many people as its kind asks for."""
    second = cast.approver2 if row.kind == "delete" else None
    row.move(State.QUEUED, actor=cast.approver, released_by=cast.approver, also_released_by=second, look_at=Now())
    return row


def lost(cast: Cast, upstream: Sandbox, kind: str, how: str) -> Operation:
    """Sent, and nobody knows; the list of actions does not show it yet."""
    row = approved(cast, kind, placed(upstream, cast.service, TARGET), SIZE if kind == "resize" else {})
    upstream.set_faults(
        fault(how, match=DELETES if kind == "delete" else PATCHES),
        fault("hide_newest", times=None, match=LISTS_ACTIONS),
    )
    row = sent(row)
    assert (row.state, row.last_proof) == ("unclear", "unknown")
    return row


def states(row: Operation) -> list[str]:
    """The moves that the audit log tells."""
    told = Entry.objects.filter(subject_id=str(row.pk), verb__startswith="operation.").order_by("number")
    return [verb.removeprefix("operation.") for verb in told.values_list("verb", flat=True)]


def test_a_conflict_after_an_unclear_attempt_lets_that_one_be_looked_for(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, "resize", "drop_before")
    upstream.set_faults(fault("refuse", match=PATCHES, status=409), tells([]))
    row = sent(released(cast, row))
    assert (row.state, row.reason, row.last_proof) == ("unclear", "", "unknown")
    assert row.message.endswith(MAYBE)
    assert evidence(row) == [("unknown", None), ("refused", 409)]
    # It is as unclear as it was: never queued again by itself, found when it shows.
    row = settled(row)
    assert (row.state, len(upstream.writes())) == ("unclear", 2)
    upstream.change_cluster(TARGET, sizing="4cpu8gb")
    row = settled(row)
    assert row.state == "succeeded"
    assert states(row) == ["queued", "sending", "unclear", "queued", "sending", "unclear", "succeeded"]


def test_its_first_attempt_is_adopted_by_its_own_watermark(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, "resize", "drop")
    Caller(upstream).ended(FIRST_ACTION)
    # The action shows up between the release and the second call, which is then not made.
    upstream.change_cluster(TARGET, sizing="2cpu4gb")
    upstream.set_faults()
    row = sent(released(cast, row))
    assert (row.state, evidence(row)) == ("unclear", [("unknown", None)])
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("running", FIRST_ACTION)
    assert (followed(row).state, len(upstream.writes())) == ("succeeded", 1)


def test_of_two_unclear_attempts_the_first_one_is_found_too(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, "resize", "drop")
    Caller(upstream).ended(FIRST_ACTION)
    upstream.change_cluster(TARGET, sizing="2cpu4gb")
    # The list lacks it just when it is looked for before the second call.
    upstream.set_faults(fault("drop_before", match=PATCHES), fault("hide_newest", match=LISTS_ACTIONS))
    row = sent(released(cast, row))
    assert evidence(row) == [("unknown", None), ("unknown", None)]
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("running", FIRST_ACTION)


def test_a_cluster_that_is_not_there_after_an_unclear_delete_settles_it(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, "delete", "drop_before")
    upstream.set_faults(fault("refuse", match=DELETES, status=404), tells([]))
    row = sent(released(cast, row))
    assert (row.state, row.last_proof) == ("unclear", "unknown")
    assert evidence(row) == [("unknown", None), ("refused", 404)]
    upstream.remove_cluster(TARGET)
    settled(row)
    Cluster.objects.update(missed_at=F("missed_at") - timedelta(minutes=3))
    row = settled(row)
    assert (row.state, len(upstream.writes())) == ("succeeded", 2)


@pytest.mark.parametrize(("kind", "status"), [("resize", 409), ("delete", 409), ("delete", 404)])
def test_the_first_attempt_is_refused_and_failed(cast: Cast, upstream: Sandbox, kind: str, status: int) -> None:
    row = approved(cast, kind, placed(upstream, cast.service, TARGET), SIZE if kind == "resize" else {})
    upstream.set_faults(fault("refuse", match=DELETES if kind == "delete" else PATCHES, status=status))
    row = sent(row)
    assert (row.state, row.reason, evidence(row)) == ("failed", "refused", [("refused", status)])


def test_a_refusal_after_an_attempt_that_was_not_executed_is_failed(cast: Cast, upstream: Sandbox) -> None:
    row = approved(cast, "resize", placed(upstream, cast.service, TARGET), SIZE)
    upstream.set_faults(fault("refuse", match=PATCHES, status=429), fault("refuse", match=PATCHES, status=409))
    row = sent(row)
    assert row.state == "queued"
    time_passes()
    row = sent(row)
    assert (row.state, evidence(row)) == ("failed", [("refused", 429), ("refused", 409)])


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_another_refusal_says_nothing_about_the_first_attempt_of_a_resize(
    cast: Cast, upstream: Sandbox, status: int
) -> None:
    row = lost(cast, upstream, "resize", "drop_before")
    upstream.set_faults(fault("refuse", match=PATCHES, status=status))
    row = sent(released(cast, row))
    assert (row.state, row.reason) == ("failed", "refused")


def test_a_cluster_that_moved_since_an_unclear_attempt_is_not_called_failed(cast: Cast, upstream: Sandbox) -> None:
    """Released although it had worked: the second time, the look before sending finds what the first one did."""
    row = lost(cast, upstream, "resize", "drop")
    Caller(upstream).ended(FIRST_ACTION)
    row = sent(released(cast, row))
    assert (row.state, row.reason, row.last_proof) == ("unclear", "", "unknown")
    assert row.message == (f"The cluster moved since the approval: what was approved no longer fits. {MAYBE_MOVED}")
    row = settled(row)
    assert (row.state, len(upstream.writes()), Concern.objects.count()) == ("succeeded", 1, 0)


def test_a_late_answer_that_the_second_was_refused_does_not_fail_the_first(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, "resize", "drop_before")
    upstream.set_faults(fault("drop_before", match=PATCHES), tells([]))
    row = sent(released(cast, row))
    row.attempts.filter(number=2).update(proof="refused", message="Refused after all.")
    assert settled(row).state == "unclear"
    row.attempts.filter(number=1).update(proof="not_sent")
    row = settled(row)
    assert (row.state, row.reason, row.message) == ("failed", "refused", "Refused after all. Ask again.")
