"""The pause: when it begins, how long it lasts, and what it holds back."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal.itcare import ItcareError, Paused, Refused, Throttled, Unauthenticated, Unavailable, Unclear
from portal.upstream.circuit import Circuit
from portal.upstream.models import Pause, Token
from portal.upstream.pause import hold, noticed
from portal.upstream.status import Status, status

pytestmark = pytest.mark.django_db(transaction=True)


def lasting() -> float:
    """Seconds that the pause goes on, rounded to what a slow machine does not change."""
    row = Pause.objects.annotate(now=Now()).get()
    assert row.until is not None
    return round((row.until - row.now).total_seconds(), -1 if (row.until - row.now).total_seconds() > 30 else 0)


def ended(ago: timedelta = timedelta(seconds=1)) -> None:
    Pause.objects.update(until=Now() - ago)


def test_without_a_pause_everything_passes() -> None:
    Circuit().gate()
    assert status() == Status(ok=True, words="ITCare has not been asked yet.", since=None)


def test_a_pause_holds_back_until_it_ends() -> None:
    hold("Because.", seconds=20)
    with pytest.raises(Paused) as caught:
        Circuit().gate()
    assert caught.value.sentence == "Because."
    assert caught.value.retry_after is not None
    assert 19 < caught.value.retry_after <= 20
    assert status() == Status(ok=False, words="Because.", since=Pause.objects.get().since)
    ended()
    Circuit().gate()
    assert status().ok


@pytest.mark.parametrize(("asked", "held"), [(0.0, 1), (-5.0, 1), (7.0, 7), (86_400.0, 300)])
def test_what_itcare_asks_for_is_kept_within_limits(asked: float, held: float) -> None:
    hold("Because.", seconds=asked)
    assert lasting() == held


def test_pauses_in_close_succession_grow_and_then_start_over() -> None:
    seen, since = [], set()
    for _ in range(8):
        hold("Because.")
        seen.append(lasting())
        since.add(Pause.objects.get().since)
        ended()
    assert seen == [5, 10, 20, 40, 80, 160, 300, 300]
    (first,) = since
    ended(timedelta(seconds=61))
    hold("Because.")
    assert lasting() == 5
    assert first is not None
    assert Pause.objects.get().since != first


def test_the_same_news_from_calls_under_way_does_not_lengthen_the_next_pause() -> None:
    for _ in range(5):
        hold("Because.")
    assert (lasting(), Pause.objects.get().strikes) == (5, 1)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    hold("Long.", seconds=200)
    hold("Short.", seconds=1)
    assert lasting() == 200


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (Throttled("Slow down.", status=429, retry_after=9), True),
        (Unavailable("Not now.", status=503), True),
        (Unclear("Not now.", status=503), True),
        (Unavailable("Not now.", status=500), False),
        (Unavailable("Not now."), False),
        (Unauthenticated("Who?", status=401), False),
        (Refused("No.", status=400), False),
    ],
)
def test_only_what_asks_to_slow_down_pauses(error: ItcareError, pauses: bool) -> None:  # noqa: FBT001 - what is expected
    noticed(error)
    assert Pause.objects.filter(until__gt=Now()).exists() is pauses


def test_nothing_is_sent_while_a_transaction_is_open() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        Circuit().gate()


def test_status_tells_of_a_token_that_cannot_be_had() -> None:
    token = Token.objects.create(failed_at=Now(), failure="ITCare's sign-in service refuses the portal's account.")
    token.refresh_from_db()
    assert status() == Status(ok=False, words=token.failure, since=token.failed_at)


@pytest.mark.parametrize(
    ("values", "name"), [({"id": 2}, "upstream_pause_one_row"), ({"until": Now()}, "upstream_pause_has_reason")]
)
def test_forbidden_rows(values: dict[str, object], name: str) -> None:
    with pytest.raises(IntegrityError, match=name):
        Pause.objects.create(**values)
