"""Calls that threads make at once: what they need is asked for before, by one thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from portal.itcare import Client, Paused, Unavailable
from tests.portal.itcare.conftest import Setting, Tokens
from tests.portal.itcare.scripted import answer


class Asked(Tokens):
    """Hands tokens out, and counts how often."""

    asked = 0

    def get(self) -> str:
        self.asked += 1
        return super().get()


def in_thread(client: Client) -> object:
    """Read in a thread of its own; answers what came of it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(client.versions, 1).exception() or "read"


def test_gate_and_token_are_asked_for_before_and_not_by_the_threads(bench: Setting) -> None:
    passed: list[str] = []
    tokens = Asked()
    it = bench(answer(200, [15]), answer(200, [15]), gate=lambda: passed.append("gate"), tokens=tokens)
    clients = it.client.at_once(2)
    assert (passed, tokens.asked) == (["gate"], 1)
    assert [in_thread(client) for client in clients] == ["read", "read"]
    assert (passed, tokens.asked) == (["gate"], 1)
    assert [request.headers["authorization"] for request in it.server.received] == ["Bearer token-1"] * 2


def test_a_gate_that_is_shut_is_told_at_once(bench: Setting) -> None:
    def shut() -> None:
        message = "Not now."
        raise Paused(message)

    it = bench(gate=shut)
    with pytest.raises(Paused):
        it.client.at_once(1)
    assert it.server.received == []


def test_who_is_sent_away_asks_the_gate_before_the_next_try(bench: Setting) -> None:
    passed: list[str] = []

    def gate() -> None:
        passed.append("gate")
        if len(passed) > 1:
            message = "Not now."
            raise Paused(message)

    it = bench(answer(503), answer(200, [15]), gate=gate)
    assert isinstance(in_thread(*it.client.at_once(1)), Unavailable)
    assert (len(passed), len(it.server.received)) == (2, 1)


def test_a_refused_token_is_replaced(bench: Setting) -> None:
    it = bench(answer(401), answer(200, [15]), answer(200, [15]))
    clients = it.client.at_once(2)
    assert [in_thread(client) for client in clients] == ["read", "read"]
    assert it.tokens.refusals == ["token-1"]
    sent = [request.headers["authorization"] for request in it.server.received]
    assert sent == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]
