"""Access tokens: OAuth 2.0 client credentials (API.md 2)."""

import base64
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from portal.itcare import reading
from portal.itcare.errors import TokenUnavailable
from portal.itcare.transport import Call, Failure, Reply, Timeouts, Transport

# Assumed where the answer does not say how long a token lives; the documented one lives 20 minutes.
_UNSAID_LIFETIME = 300.0
_LONGEST_LIFETIME = 86_400.0
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}", re.ASCII)


class Hidden(Protocol):
    """A secret that is read only where it is used."""

    def reveal(self) -> str:
        """Return the secret itself."""


@dataclass(frozen=True)
class Token:
    """An access token.

    Attributes:
        access: the token itself; does not print.
        expires_at: its end by this machine's clock, aware; nothing is subtracted from it.
        lifetime: from the moment it was asked for.
    """

    access: str = field(repr=False)
    expires_at: datetime
    lifetime: timedelta


class TokenSource(Protocol):
    """Where the client takes its token from."""

    def get(self) -> str:
        """Return a token that is still good for a call.

        Raises:
            TokenUnavailable: there is none to be had.
        """

    def refused(self, token: str) -> None:
        """Forget the token that ITCare answered 401 to, if it still is the stored one."""


def _now() -> datetime:
    return datetime.now(UTC)


def fetch_token(
    *,
    token_url: str,
    client_id: str,
    client_secret: str | Hidden,
    timeouts: Timeouts,
    now: Callable[[], datetime] = _now,
) -> Token:
    """Ask for a new token, once.

    Args:
        token_url: the token endpoint.
        client_id: the API account.
        client_secret: its secret.
        timeouts: limits of the call.
        now: the clock.

    Raises:
        TokenUnavailable: refused, unanswered, or an answer without a usable token.
    """
    asked_at = now()
    outcome = Transport(token_url, timeouts).exchange(_question(client_id, client_secret), alone=True)
    token = _token(outcome, asked_at)
    if token is None:
        raise _unavailable(outcome)
    return token


def _question(client_id: str, client_secret: str | Hidden) -> Call:
    secret = client_secret if isinstance(client_secret, str) else client_secret.reveal()
    # Joined as they are: API.md 2 prints it so, RFC 6749 2.3.1 would form-encode both parts first.
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode("ascii")
    headers = {
        "Authorization": f"Basic {pair}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-www-form-urlencoded",
        "Connection": "close",
        "User-Agent": "postgresql-portal",
    }
    return Call("POST", "", headers, b"grant_type=client_credentials", limit=100_000)


def _token(outcome: Reply | Failure, asked_at: datetime) -> Token | None:
    if isinstance(outcome, Failure) or outcome.status != 200 or not outcome.whole:  # noqa: PLR2004 - HTTP's "OK"
        return None
    body = reading.document(outcome.body)
    if not isinstance(body, dict):
        return None
    access, kind = body.get("access_token"), body.get("token_type", "bearer")
    # Anything but visible ASCII could end the header that it is put into.
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        return None
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return None
    said = reading.whole(body.get("expires_in"))
    seconds = min(float(said), _LONGEST_LIFETIME) if said and said > 0 else _UNSAID_LIFETIME
    lifetime = timedelta(seconds=seconds)
    return Token(access, asked_at + lifetime, lifetime)


def _unavailable(outcome: Reply | Failure) -> TokenUnavailable:
    if isinstance(outcome, Failure):
        return TokenUnavailable("The sign-in service of ITCare cannot be reached.", reason=outcome.reason)
    if outcome.status in (400, 401, 403):
        return TokenUnavailable("ITCare's sign-in service refuses the portal's account.", status=outcome.status)
    return TokenUnavailable(
        "ITCare's sign-in service gave no usable token.", status=outcome.status, retry_after=outcome.retry_after
    )


class MemoryTokens:
    """A token source for one process, safe to share between threads; one thread fetches, the others wait for it.

    Args:
        fetch: brings a new token, e.g. `fetch_token` with its credentials.
        now: the clock.
    """

    def __init__(self, fetch: Callable[[], Token], now: Callable[[], datetime] = _now) -> None:
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = datetime.min.replace(tzinfo=UTC)

    def get(self) -> str:
        """Return the token, a new one if the stored one is about to end.

        Raises:
            TokenUnavailable: a new one was needed and could not be had.
        """
        with self._lock:
            if self._token is None or self._now() >= self._renew_at:
                self._token = self._fetch()
                self._renew_at = self._token.expires_at - renewal_margin(self._token.lifetime)
            return self._token.access

    def refused(self, token: str) -> None:
        """Forget the token, if it still is the stored one."""
        with self._lock:
            if self._token is not None and self._token.access == token:
                self._token = None


def renewal_margin(lifetime: timedelta) -> timedelta:
    """Return how long before its end a token is renewed: a tenth of its life, at most a minute."""
    return min(lifetime / 10, timedelta(seconds=60))
