"""One token for all processes: who fetches it, who waits, and what happens when that goes wrong."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from portal.itcare import Paused, TokenUnavailable
from portal.itcare import Token as Fetched
from portal.sealing import Sealer
from portal.upstream.circuit import Circuit
from portal.upstream.models import Token
from portal.upstream.tokens import SharedTokens

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
LIFETIME = timedelta(minutes=20)


@dataclass
class Fetches:
    """A token server: token-1, token-2 ... or failures; notes whether a transaction was open."""

    fails: bool = False
    within: Callable[[], object] = field(default=lambda: None)
    asked: list[bool] = field(default_factory=list)

    def __call__(self) -> Fetched:
        self.asked.append(connection.in_atomic_block)
        self.within()
        if self.fails:
            message = "The sign-in service of ITCare cannot be reached."
            raise TokenUnavailable(message)
        return Fetched(f"token-{len(self.asked)}", datetime.now(UTC) + LIFETIME, LIFETIME)


def shared(fetch: Callable[[], Fetched], *keys: str, patience: float = 0.0) -> SharedTokens:
    return SharedTokens(Sealer(keys or [OLD]), fetch, lease=35.0, patience=patience)


def test_a_token_is_fetched_once_and_outside_of_a_transaction() -> None:
    fetch = Fetches()
    assert [shared(fetch).get(), shared(fetch).get(), shared(fetch).get()] == ["token-1"] * 3
    assert fetch.asked == [False]


def test_the_stored_token_is_sealed_and_renewed_a_minute_early() -> None:
    shared(Fetches()).get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text, wrapped_key, ciphertext FROM upstream_token t")
        (row,) = cursor.fetchall()
    assert not any(b"token-1" in bytes(part) for part in (row[0].encode(), row[1], row[2]))
    token = Token.objects.get()
    assert token.renew_at is not None
    assert token.expires_at is not None
    assert token.fetched_at is not None
    assert token.expires_at - token.renew_at == timedelta(seconds=60)
    assert timedelta(seconds=-1) < token.expires_at - token.fetched_at - LIFETIME <= timedelta(0)


def test_threads_with_connections_of_their_own_fetch_once() -> None:
    # Long enough for the others to come while one still fetches.
    fetch = Fetches(within=lambda: time.sleep(0.2))
    tokens = shared(fetch, patience=10.0)

    def ask(_: int) -> str:
        try:
            return tokens.get()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == ["token-1"] * 4
    assert len(fetch.asked) == 1


def test_a_token_near_its_end_is_renewed_and_serves_as_standby_if_that_fails() -> None:
    fetch = Fetches()
    shared(fetch).get()
    Token.objects.update(renew_at=Now())
    fetch.fails = True
    assert shared(fetch).get() == "token-1"
    assert shared(fetch).get() == "token-1"
    # The failure is remembered: the server was not asked a third time.
    assert len(fetch.asked) == 2
    fetch.fails = False
    Token.objects.update(failed_at=Now() - timedelta(seconds=6))
    assert shared(fetch).get() == "token-3"
    assert (Token.objects.get().failed_at, Token.objects.get().failure) == (None, "")


def test_a_failed_fetch_is_told_to_all_without_asking_again() -> None:
    fetch = Fetches(fails=True)
    for _ in range(2):
        with pytest.raises(TokenUnavailable, match="cannot be reached"):
            shared(fetch).get()
    assert len(fetch.asked) == 1


def test_while_another_fetches_one_waits_only_so_long() -> None:
    Token.objects.create(fetching_until=Now() + timedelta(seconds=30))
    fetch = Fetches()
    with pytest.raises(TokenUnavailable, match="still signing in"):
        shared(fetch, patience=0.15).get()
    assert fetch.asked == []
    # The fetcher died: its lease ends, and another takes over.
    Token.objects.update(fetching_until=Now())
    assert shared(fetch).get() == "token-1"


def test_while_another_renews_the_old_token_will_do() -> None:
    fetch = Fetches()
    shared(fetch).get()
    Token.objects.update(renew_at=Now(), fetching_until=Now() + timedelta(seconds=30))
    assert shared(fetch).get() == "token-1"
    Token.objects.update(expires_at=Now())
    with pytest.raises(TokenUnavailable, match="still signing in"):
        shared(fetch).get()


def test_a_fetcher_that_was_overtaken_keeps_its_token_to_itself() -> None:
    late = Fetches(within=lambda: Token.objects.update(fence=F("fence") + 1, fetching_until=None))
    assert shared(late).get() == "token-1"
    assert Token.objects.get().fetched_at is None


def test_only_the_stored_token_is_dropped() -> None:
    fetch = Fetches()
    tokens = shared(fetch)
    tokens.refused("token-1")
    tokens.get()
    tokens.refused("token-0")
    assert tokens.get() == "token-1"
    tokens.refused("token-1")
    tokens.refused("token-1")
    assert tokens.get() == "token-2"
    Circuit().gate()


def test_a_second_refused_token_in_a_row_pauses_everything() -> None:
    fetch = Fetches()
    tokens = shared(fetch)
    tokens.refused(tokens.get())
    tokens.refused(tokens.get())
    with pytest.raises(Paused, match="administrator") as caught:
        Circuit().gate()
    assert caught.value.retry_after is not None
    assert 50 < caught.value.retry_after <= 60


def test_refusals_far_apart_pause_nothing() -> None:
    tokens = shared(Fetches())
    tokens.refused(tokens.get())
    Token.objects.update(refused_at=Now() - timedelta(minutes=2))
    tokens.refused(tokens.get())
    Circuit().gate()


def test_a_token_under_a_retired_key_is_fetched_anew() -> None:
    fetch = Fetches()
    shared(fetch, OLD).get()
    assert shared(fetch, NEW, OLD).get() == "token-1"
    assert shared(fetch, NEW).get() == "token-2"


def test_a_token_is_not_fetched_within_a_transaction() -> None:
    fetch = Fetches()
    with transaction.atomic(), pytest.raises(RuntimeError):
        shared(fetch).get()
    assert fetch.asked == []


@pytest.mark.parametrize(
    ("values", "name"),
    [({"id": 2}, "upstream_token_one_row"), ({"ciphertext": b"x"}, "upstream_token_whole_or_absent")],
)
def test_forbidden_rows(values: dict[str, object], name: str) -> None:
    with pytest.raises(IntegrityError, match=name):
        Token.objects.create(**values)
