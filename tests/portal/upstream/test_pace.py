"""The pace: turns to send, one after the other, over all processes."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from pytest_django import Settings

from portal.upstream.models import Pace
from portal.upstream.pace import PATIENCE, turn

pytestmark = pytest.mark.django_db(transaction=True)


def test_turns_follow_each_other_at_the_pace_however_many_ask(settings: Settings) -> None:
    settings.SENDS_PER_SECOND = 20.0

    def take() -> list[float]:
        try:
            return [time.monotonic() for _ in range(6) if turn()]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        taken = sorted(at for turns in [pool.submit(take) for _ in range(4)] for at in turns.result(30))
    assert len(taken) == 24
    # A thread that wakes late shortens the time to the next one, and never that over several.
    assert taken[-1] - taken[0] >= 23 / 20 - 0.05
    assert all(later - earlier >= 9 / 20 - 0.1 for earlier, later in zip(taken, taken[9:], strict=False))


def test_who_has_not_waited_for_long_goes_at_once() -> None:
    Pace.objects.create(next_at=Now() - timedelta(hours=1))
    began = time.monotonic()
    assert turn()
    assert time.monotonic() - began < 0.5


def test_nobody_waits_longer_than_a_moment_nor_takes_the_turn(settings: Settings) -> None:
    Pace.objects.create(next_at=Now() + timedelta(seconds=PATIENCE + 10))
    before = Pace.objects.get().next_at
    began = time.monotonic()
    assert not turn()
    assert (time.monotonic() - began < 1, Pace.objects.get().next_at) == (True, before)


def test_there_is_one_pace() -> None:
    with pytest.raises(IntegrityError, match="upstream_pace_one_row"):
        Pace.objects.create(pk=2, next_at=Now())
