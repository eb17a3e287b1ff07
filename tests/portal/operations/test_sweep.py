"""The sweep's loop."""

from threading import Event

import pytest

from portal.operations.sweep import Job, sweep

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_heartbeat_comes_between_any_two_jobs() -> None:
    stop = Event()
    done: list[str] = []
    jobs = [
        Job("heartbeat", lambda: done.append("beat"), 0),
        Job("slow", lambda: done.append("slow"), 60),
        Job("last", stop.set, 60),
    ]
    sweep(jobs, stop)
    assert done[-3:] == ["beat", "slow", "beat"]
