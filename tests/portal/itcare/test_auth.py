"""Fetching a token and keeping it in memory."""

import base64
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from portal.itcare import MemoryTokens, Timeouts, Token, TokenUnavailable, fetch_token
from portal.sealing import SecretText
from tests.portal.itcare.scripted import Answer, answer, cut, drip, drop, scripted

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
GOOD = {"access_token": "abc", "expires_in": 1200, "refresh_token": "x", "token_type": "bearer"}


def fetch(url: str) -> Token:
    secret = SecretText("the-s3cret")
    timeouts = Timeouts(connect=1, read=0.3, total=0.3)
    return fetch_token(token_url=url, client_id="portal", client_secret=secret, timeouts=timeouts, now=lambda: NOW)


def test_a_token_is_asked_for_as_documented() -> None:
    with scripted(answer(200, GOOD)) as server:
        token = fetch(server.url + "/token")
    (asked,) = server.received
    assert (token.access, token.expires_at) == ("abc", NOW + timedelta(minutes=20))
    assert (asked.method, asked.path, asked.body) == ("POST", "/itcare/token", b"grant_type=client_credentials")
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"portal:the-s3cret").decode()
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "abc" not in repr(token)


@pytest.mark.parametrize(("said", "seconds"), [(None, 300), ("1200", 300), (-5, 300), (10**30, 300), (10**9, 86_400)])
def test_an_odd_lifetime_is_a_short_one(said: object, seconds: int) -> None:
    with scripted(answer(200, {**GOOD, "expires_in": said})) as server:
        assert fetch(server.url).expires_at == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(drop, id="dropped"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "), id="dripping"),
        pytest.param(answer(401), id="401"),
        pytest.param(answer(500), id="500"),
        pytest.param(answer(302, Location="/"), id="redirection"),
        pytest.param(answer(200, body=b"<html>"), id="not JSON"),
        pytest.param(answer(200, []), id="a list"),
        pytest.param(answer(200, {}), id="no token"),
        pytest.param(answer(200, {**GOOD, "access_token": "a\r\nX: y"}), id="a token with a line break"),
        pytest.param(answer(200, {**GOOD, "access_token": "a b"}), id="a token with a blank"),
        pytest.param(answer(200, {**GOOD, "access_token": 5}), id="a number"),
        pytest.param(answer(200, {**GOOD, "token_type": "mac"}), id="another kind of token"),
        pytest.param(answer(200, body=b" " * 100_001), id="too long"),
        pytest.param(cut(answer(200, GOOD, Content_Length="500")), id="cut off"),
    ],
)
def test_without_a_usable_token_there_is_none(reply: Answer) -> None:
    with scripted(reply) as server:
        with pytest.raises(TokenUnavailable) as caught:
            fetch(server.url)
        assert len(server.received) == 1
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "the-s3cret" not in shown
    assert base64.b64encode(b"portal:the-s3cret").decode() not in shown


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    now = [NOW]
    fetched: list[Token] = []

    def fetch_one() -> Token:
        fetched.append(Token(f"token-{len(fetched)}", now[0] + timedelta(minutes=20), timedelta(minutes=20)))
        return fetched[-1]

    tokens = MemoryTokens(fetch_one, now=lambda: now[0])
    seen = []
    for seconds in (0, 1139, 1140, 1141):
        now[0] = NOW + timedelta(seconds=seconds)
        seen.append(tokens.get())
    assert seen == ["token-0", "token-0", "token-1", "token-1"]


def test_only_the_stored_token_can_be_refused() -> None:
    numbers = iter(range(9))
    tokens = MemoryTokens(lambda: Token(f"token-{next(numbers)}", NOW + DAY, DAY), now=lambda: NOW)
    tokens.refused("token-0")
    assert tokens.get() == "token-0"
    tokens.refused("token-7")
    assert tokens.get() == "token-0"
    tokens.refused("token-0")
    assert tokens.get() == "token-1"


def test_threads_share_one_fetch() -> None:
    start = threading.Barrier(8)
    fetched: list[int] = []

    def fetch_one() -> Token:
        fetched.append(1)
        return Token("token", NOW + DAY, DAY)

    tokens = MemoryTokens(fetch_one, now=lambda: NOW)

    def ask(_: int) -> str:
        start.wait()
        return tokens.get()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"token"}
    assert fetched == [1]
