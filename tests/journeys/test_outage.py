"""ITCare is away while much is approved, and comes back: the portal as real processes."""

import pytest

from portal.operations.models import Attempt, Operation
from portal.upstream.circuit import Way, way
from tests.cast import Cast, queued
from tests.faults.outside import end_and_judge
from tests.faults.table import Row, told
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

RATE = 5.0
MANY = 30


@told(
    Row(
        "ITCare cannot be reached, or does not let the portal in",
        "an outage while much is approved",
        "the stand-in is stopped while thirty requests are approved, and comes back",
        "after a few calls nothing but a probe is made; then all are sent once, in the order of their approval, at "
        "the rate of SENDS_PER_SECOND",
        "A banner: ITCare cannot be reached. Pages answer as before.",
    )
)
def test_after_an_outage_all_are_sent_in_the_order_of_their_approval_at_the_pace_and_once(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox
) -> None:
    portal.environment = {**portal.environment, "SENDS_PER_SECOND": f"{RATE:g}"}
    upstream.stop()
    portal.start_worker()
    portal.start_sweep()
    names = [f"name{number:05}" for number in range(MANY)]
    for name in names:
        queued(running_cast.developer, running_cast.approver, name=name)
    # It is found to be away, by the very operations that wait.
    until(lambda: way() != Way.OPEN, seconds=60)
    assert not Attempt.objects.exists()
    upstream.start()
    until(lambda: not Operation.objects.filter(state__in=["queued", "sending"]).exists(), seconds=120)

    writes = upstream.writes()
    assert sorted(write["body"]["name"] for write in writes) == names
    rows = [(row.name, row.sent_at.timestamp()) for row in Operation.objects.order_by("sent_at") if row.sent_at]
    assert [name for name, _ in rows] == names
    seconds = [at for _, at in rows]
    most = max(sum(1 for other in seconds if at <= other < at + 1) for at in seconds)
    assert most <= RATE + 1
    assert seconds[-1] - seconds[0] >= (MANY - 1) / RATE - 1
    assert set(Operation.objects.values_list("state", flat=True)) <= {"running", "succeeded"}
    assert Attempt.objects.count() == MANY
    end_and_judge(portal, upstream)
