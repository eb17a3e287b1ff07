"""A client that talks to a scripted server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from portal.itcare import Client, ItcareError, Retry, Timeouts
from tests.portal.itcare.scripted import Answer, Scripted, scripted


@dataclass
class Tokens:
    """Hands out first, second, third ... as tokens are refused."""

    refusals: list[str] = field(default_factory=list, repr=False)

    def get(self) -> str:
        return f"token-{len(self.refusals) + 1}"

    def refused(self, token: str) -> None:
        self.refusals.append(token)


@dataclass
class Bench:
    """A client with all that can be watched of it."""

    server: Scripted
    client: Client
    tokens: Tokens
    noticed: list[ItcareError]
    slept: list[float]
    reached: list[str]


Setting = Callable[..., Bench]


@pytest.fixture
def bench() -> Iterator[Setting]:
    with ExitStack() as stack:

        def build(*script: Answer, total: float = 5.0, **options: object) -> Bench:
            server = stack.enter_context(scripted(*script))
            tokens = Tokens()
            noticed: list[ItcareError] = []
            slept: list[float] = []
            reached: list[str] = []
            retry = Retry(budget=2 * total, sleep=slept.append, chance=lambda: 1.0)
            settings: dict[str, Any] = {
                "base_url": server.url,
                "tokens": tokens,
                # The deadline, not the wait for a piece of an answer, is what ends a call.
                "timeouts": Timeouts(connect=1.0, read=10 * total, total=total),
                "noticed": noticed.append,
                "reached": reached.append,
                "retry": retry,
            }
            client = Client(**(settings | options))
            return Bench(server, client, tokens, noticed, slept, reached)

        yield build
