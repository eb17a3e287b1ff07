"""The circuit: what does not answer is soon asked no more, then by one call at a time, and by all once it answers."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal.itcare import Client, ItcareError, NotSent, Paused, Refused, TokenUnavailable, Unclear
from portal.upstream.circuit import FAILURES, Circuit, Way, way
from portal.upstream.client import client
from portal.upstream.models import Pause, Token
from portal.upstream.pause import hold
from portal.upstream.status import status
from tests.portal.itcare.scripted import Answer, answer, cut, drop, scripted, silence
from tests.portal.operations.engine import answering

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "The portal tries again from time to time; what was approved waits for it."
THREADS = 4


@pytest.fixture
def quick(settings: Settings) -> None:
    settings.ITCARE_CONNECT_SECONDS = settings.ITCARE_READ_SECONDS = settings.ITCARE_TOTAL_SECONDS = 1.0


def fails(times: int) -> None:
    for _ in range(times):
        Circuit().reached("ITCare does not answer.")


def time_is_over() -> None:
    Pause.objects.update(until=Now() - timedelta(seconds=1))


def seconds_shut() -> int:
    row = Pause.objects.annotate(now=Now()).get()
    assert row.until is not None
    return round((row.until - row.now).total_seconds())


def tried(call: Callable[[], object]) -> type[BaseException] | None:
    try:
        call()
    except ItcareError as error:
        return type(error)
    return None


def all_at_once(seconds: float) -> list[type[BaseException] | None]:
    """Let four threads ask again and again for so long; answers what came of each call."""
    end = time.monotonic() + seconds

    def ask() -> list[type[BaseException] | None]:
        try:
            found, mine = [], client()
            while time.monotonic() < end:
                found.append(tried(mine.actions))
                time.sleep(0.02)
            return found
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return [result for asking in [pool.submit(ask) for _ in range(THREADS)] for result in asking.result(30)]


def test_an_upstream_that_hangs_is_asked_by_few_then_by_one_and_then_by_all(settings: Settings, quick: None) -> None:
    with answering(settings, silence) as api:
        found = all_at_once(4.0)
        # Those under way when it shut, and no more, however often they ask; the others are refused at once.
        assert FAILURES <= len(api.received) < FAILURES + THREADS
        assert found.count(Paused) > 100
        assert (way(), status().ok) == (Way.SHUT, False)
        asked = len(api.received)
        time_is_over()
        assert way() == Way.TRIED
        # Shut for ten seconds by one that tried.
        all_at_once(1.0)
        assert len(api.received) == asked + 1
        assert 5 < seconds_shut() <= 10
        api.script = [answer(200, [])]
        time_is_over()
        found = all_at_once(1.0)
        assert set(found) <= {None, Paused}
        assert found[-1] is None
        assert (way(), status().ok, Pause.objects.get().failures) == (Way.OPEN, True, 0)


def test_each_time_it_answers_no_better_it_is_left_alone_for_longer() -> None:
    fails(FAILURES - 1)
    assert (way(), Pause.objects.get().until) == (Way.OPEN, None)
    seen = []
    for _ in range(6):
        fails(1)
        seen.append(seconds_shut())
        time_is_over()
    assert seen == [5, 10, 20, 40, 60, 60]
    Circuit().gate()
    circuit = Circuit()
    Pause.objects.update(trying_until=None)
    circuit.gate()
    circuit.reached("")
    assert way() == Way.OPEN
    fails(FAILURES)
    assert seconds_shut() == 5


def test_it_is_told_in_words_and_since_when() -> None:
    fails(1)
    began = Pause.objects.get().since
    fails(FAILURES - 1)
    told = status()
    assert told == (False, f"ITCare does not answer. {WORDS}", began)
    # Also while it is only tried.
    time_is_over()
    assert status() == told


def test_what_comes_of_calls_under_way_does_not_shut_it_for_longer() -> None:
    fails(FAILURES + 3)
    assert (seconds_shut(), Pause.objects.get().strikes) == (5, 1)


def test_whoever_tries_and_dies_leaves_the_turn_to_another(settings: Settings) -> None:
    fails(FAILURES)
    time_is_over()
    Circuit().gate()
    with pytest.raises(Paused) as caught:
        Circuit().gate()
    assert (caught.value.retry_after, caught.value.sentence) == (1.0, f"ITCare does not answer. {WORDS}")
    Pause.objects.update(trying_until=F("trying_until") - timedelta(seconds=2 * settings.ITCARE_TOTAL_SECONDS))
    Circuit().gate()


def test_only_failures_in_a_row_count() -> None:
    for _ in range(3):
        fails(FAILURES - 1)
        circuit = Circuit()
        circuit.gate()
        circuit.reached("")
    assert (way(), Pause.objects.get().failures) == (Way.OPEN, 0)


def test_an_answer_does_not_end_the_pause_that_itcare_asked_for() -> None:
    circuit = Circuit()
    fails(1)
    circuit.gate()
    hold("ITCare asks the portal to slow down.", seconds=60)
    circuit.reached("")
    with pytest.raises(Paused, match="slow down"):
        circuit.gate()


def test_a_call_that_is_answered_costs_one_question_and_writes_nothing(settings: Settings) -> None:
    with answering(settings, answer(200, [])):
        mine = client()
        mine.actions()
        with CaptureQueriesContext(connection) as asked:
            mine.actions()
    about = [query["sql"] for query in asked if "upstream_pause" in query["sql"]]
    assert [statement.partition(" ")[0] for statement in about] == ["SELECT"]
    assert not Pause.objects.exists()


@pytest.fixture
def once_failed(settings: Settings, quick: None) -> Iterator[Callable[[Answer], Client]]:
    """A client of which one request has failed, and what the next is answered."""
    with scripted(answer(200, {"access_token": "t", "expires_in": 1200, "token_type": "bearer"})) as accounts:
        settings.ITCARE_TOKEN_URL = accounts.url
        with scripted() as api:
            settings.ITCARE_BASE_URL = api.url

            def build(reply: Answer) -> Client:
                api.script = [reply]
                fails(1)
                return client()

            yield build


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(202, {"id": 7}), None),
        (answer(400), Refused),
        (answer(404), Refused),
        (answer(409), Refused),
        (answer(500), Unclear),
        (answer(200, body=b"<html>"), None),
    ],
)
def test_whatever_is_answered_in_time_is_an_answer(
    once_failed: Callable[[Answer], Client], reply: bytes, error: type[ItcareError] | None
) -> None:
    found = tried(lambda: once_failed(reply).delete(7))
    assert found is error or (found is not None and error is not None and issubclass(found, error))
    assert Pause.objects.get().failures == 0


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (silence, "ITCare does not answer."),
        (drop, "ITCare does not answer."),
        (answer(502), "ITCare does not answer."),
        (answer(504), "ITCare does not answer."),
        (cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "ITCare does not answer in time."),
    ],
)
def test_a_write_that_is_not_answered_in_time_counts(
    once_failed: Callable[[Answer], Client], reply: Answer, trouble: str
) -> None:
    tried(lambda: once_failed(reply).delete(7))
    assert Pause.objects.get().failures == 2
    fails(FAILURES - 3)
    tried(lambda: client().delete(7))
    assert Pause.objects.get().reason == f"{trouble} {WORDS}"


def test_what_cannot_be_reached_counts(once_failed: Callable[[Answer], Client], settings: Settings) -> None:
    once_failed(answer(200))
    settings.ITCARE_BASE_URL = "http://127.0.0.1:1"
    assert tried(lambda: client().delete(7)) is NotSent
    assert Pause.objects.get().failures == 2


def test_a_sign_in_that_is_not_answered_shuts_it_at_once(settings: Settings, quick: None) -> None:
    with scripted(answer(200, [])) as api, scripted(silence) as accounts:
        settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL = api.url, accounts.url
        assert tried(lambda: client().actions()) is TokenUnavailable
        assert (len(api.received), len(accounts.received)) == (0, 1)
        assert (way(), seconds_shut()) == (Way.SHUT, 5)
        assert Pause.objects.get().reason == f"The sign-in service of ITCare cannot be reached. {WORDS}"
        assert tried(lambda: client().actions()) is Paused
        assert len(accounts.received) == 1
        time_is_over()
        Token.objects.update(failed_at=None)
        assert tried(lambda: client().actions()) is TokenUnavailable
        assert (way(), seconds_shut()) == (Way.SHUT, 10)
