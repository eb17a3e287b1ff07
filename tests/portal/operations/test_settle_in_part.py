"""A list of actions of which something is missing neither settles an operation nor says that nothing is there."""

import time
from typing import Any

import pytest
from pytest_django import Settings

from portal.operations.models import Attempt, Concern
from tests.cast import Cast
from tests.portal.operations.engine import fault, settled, tells, time_passes
from tests.portal.operations.test_settle import told, unclear
from tests.portal.operations.test_settle_by_effect import FIRST_ACTION
from tests.portal.operations.test_settle_person import SEVERAL, Begin, both_ways, concerns, unread_for_long
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

NOT_WHOLE = "ITCare's list of actions cannot be read in whole."


def a_part(*actions: dict[str, Any]) -> dict[str, Any]:
    """A list of actions that says itself that more belongs to it."""
    envelope = {"content": list(actions), "totalElements": len(actions) + 1, "totalPages": 1, "number": 0, "last": True}
    return tells([]) | {"fault": {"kind": "refuse", "status": 200, "body": envelope}}


@both_ways
def test_one_that_fits_in_a_part_of_a_list_waits_for_the_whole(
    cast: Cast, upstream: Sandbox, settings: Settings, begin: Begin
) -> None:
    row = begin(cast, upstream)
    before = row.state
    upstream.set_faults(a_part(told(90_001)))
    row = settled(row)
    assert (row.state, row.upstream_action_id, concerns()) == (before, None, [])
    time_passes(settings.SETTLE_GRACE_SECONDS)
    unread_for_long(settings)
    settled(row)
    assert concerns() == [("unsettled", [90_001], "")]
    assert Concern.objects.get().words == (
        f"What became of it cannot be looked for. {NOT_WHOLE} It is tried again all the time."
    )
    upstream.set_faults(tells([told(90_001)]))
    assert settled(row).upstream_action_id == 90_001
    assert [outcome for _, _, outcome in concerns()] == [
        "Found at ITCare: the only action on this name since it was sent."
    ]


def test_a_part_of_a_list_never_says_that_nothing_is_there(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    row = unclear(cast, upstream, "drop")
    Caller(upstream).ended(FIRST_ACTION)
    upstream.set_faults(a_part())
    time_passes(settings.SETTLE_GRACE_SECONDS)
    # Not even that the cluster is there counts: in the other part there may be another's action.
    row = settled(row)
    assert (row.state, concerns()) == ("unclear", [])
    unread_for_long(settings)
    settled(row)
    assert concerns() == [("unsettled", [], "")]


def test_several_are_several_also_in_a_part_of_a_list(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    upstream.set_faults(a_part(told(90_001), told(90_002)))
    assert settled(row).message == SEVERAL
    assert concerns() == [("several_fit", [90_001, 90_002], "")]


def test_a_list_without_the_watermark_is_a_part(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    caller = Caller(upstream)
    upstream.set_faults(fault("action_error"))
    failed = caller.ended(caller.create(name="newpostgre01").json()["id"])
    # ITCare's Date header counts whole seconds: within one, it could be the operation's own, which then waits.
    time.sleep(1.1)
    row = unclear(cast, upstream)
    assert Attempt.objects.get(operation=row).watermark_action_id == failed["id"]
    upstream.set_faults(tells([told(90_001)]))
    unread_for_long(settings)
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("unclear", None)
    assert concerns() == [("unsettled", [90_001], "")]
    upstream.set_faults(tells([failed, told(90_001)]))
    assert settled(row).upstream_action_id == 90_001
