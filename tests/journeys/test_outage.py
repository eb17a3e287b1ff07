"""ITCare is away while much is approved, and comes back: the portal as real processes."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from django.db.models.functions import Now

from portal.operations.models import Attempt, Operation
from portal.upstream.circuit import FAILURES, Way, way
from portal.upstream.models import Pause
from tests.browsing import banners, signed_in
from tests.cast import Cast, queued
from tests.faults.outside import end_and_judge
from tests.faults.table import Row, told
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

RATE = 5.0
MANY = 20
BANNER = (
    "The sign-in service of ITCare cannot be reached. "
    "The portal tries again from time to time; what was approved waits for it."
)
PAGES = ("/", "/clusters/", "/requests/", "/approvals/", "/operations/", "/attention/", "/audit/", "/readyz")


class Away:
    """Stands where ITCare was, hangs up on everybody, and counts them."""

    def __init__(self, root: str) -> None:
        address = urlsplit(root)
        self._listener = socket.create_server((address.hostname or "", address.port or 0))
        self.calls = 0
        self._thread = threading.Thread(target=self._hang_up, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Make room for ITCare."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _hang_up(self) -> None:
        with suppress(OSError):
            while True:
                self._listener.accept()[0].close()
                self.calls += 1


@told(
    Row(
        "ITCare cannot be reached, or does not let the portal in",
        "an outage while much is approved",
        "the stand-in is stopped while twenty requests are approved, and comes back",
        f"after {FAILURES} calls at most nothing but a probe is made, each time later; then all are sent once, taken "
        "up in the order of their approval, at the rate of SENDS_PER_SECOND",
        f"A banner: {BANNER} Pages answer as before.",
    )
)
def test_after_an_outage_all_are_sent_in_the_order_of_their_approval_at_the_pace_and_once(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox
) -> None:
    # One process sends: of several, one that is held up may be overtaken after it has taken an operation up.
    portal.environment = {
        **portal.environment,
        "SENDS_PER_SECOND": f"{RATE:g}",
        "SWEEP_PATIENCE_SECONDS": "600",
    }
    upstream.stop()
    away = Away(upstream.root)
    portal.start_worker("--concurrency", "1")
    portal.start_sweep()
    names = [f"name{number:05}" for number in range(MANY)]
    for name in names:
        queued(running_cast.developer, running_cast.approver, name=name)
    # It is found to be away, by the very operations that wait, and tried again.
    until(lambda: Pause.objects.filter(strikes__gt=1).exists(), seconds=120)
    assert (way() == Way.OPEN, Attempt.objects.exists()) == (False, False)
    browser = signed_in(running_cast.developer)
    assert [browser.get(page).status_code for page in PAGES] == [200] * len(PAGES)
    assert BANNER in banners(running_cast.developer)
    away.close()
    assert away.calls <= FAILURES + Pause.objects.get().strikes
    upstream.start()
    # The pause until the next probe is over.
    Pause.objects.update(until=Now())
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
