"""Sends the client's calls: with a token, through the gate, a read repeated, a write once."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Generic, TypeVar

from portal.itcare import judging, reading
from portal.itcare.auth import TokenSource
from portal.itcare.errors import ItcareError, NotSent
from portal.itcare.retry import Retry
from portal.itcare.transport import Call, Failure, Reply, Transport
from portal.itcare.types import Accepted, Action

T = TypeVar("T")

_READ_LIMIT = 20_000_000
_WRITE_LIMIT = 1_000_000
_SECRET_OPTIONS = frozenset({"admPassword"})
# The time was over before anything left: that says nothing of ITCare.
_OWN_DELAY = Failure(sent=False, reason="deadline")
# A gateway that waits for ITCare in vain.
_NOBODY_BEHIND = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
_SLOW_DOWN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True)
class Caller:
    """Sends calls with one account.

    Attributes:
        transport: where to.
        tokens: where the access token comes from.
        retry: rule for repeating reads.
        total: seconds after which a write has begun to leave or does not leave at all, its token's fetching included.
        gate: called before every request; raises `Paused` to hold it back.
        noticed: told of every 401, 429 and 503.
        reached: told after every request what kept it from being answered in time, in a sentence; empty if nothing did.
        accept: the media types asked for.
        as_action: reads an action from JSON.
    """

    transport: Transport
    tokens: TokenSource
    retry: Retry
    total: float
    gate: Callable[[], None]
    noticed: Callable[[ItcareError], None]
    reached: Callable[[str], None]
    accept: str
    as_action: Callable[[object], Action | None] = field(repr=False)

    def read(self, path: str) -> Reply:
        """Send a GET until it is answered in whole, within the budget.

        Args:
            path: below the base address, with its query.

        Raises:
            ItcareError: any but `Unclear`.
        """
        correlation_id = str(uuid.uuid4())
        return self.retry.run(lambda seconds: self._read_once(path, correlation_id, seconds))

    def write(self, method: str, path: str, options: Mapping[str, object] | None) -> Accepted:
        """Send a write once.

        Args:
            method: POST, PATCH or DELETE.
            path: below the base address.
            options: the JSON body; values with a `reveal()` are revealed into it alone.

        Raises:
            ItcareError: any but `Unavailable` and `Unreadable`.
            TypeError: an option cannot be put into JSON; nothing was sent.
        """
        outcome = self._write_once(method, path, options, str(uuid.uuid4()))
        if isinstance(outcome, ItcareError):
            raise outcome
        return outcome

    def _read_once(self, path: str, correlation_id: str, seconds: float) -> Reply | ItcareError:
        end = self.retry.clock() + seconds
        try:
            outcome = self._send("GET", path, correlation_id, None, end)
            if isinstance(outcome, Reply) and outcome.status == HTTPStatus.UNAUTHORIZED:
                # Not executed, and the refused token is dropped: once more with a new one.
                self._told(judging.unauthenticated(outcome, correlation_id))
                outcome = self._send("GET", path, correlation_id, None, end)
        except NotSent as error:
            return error
        failure = judging.of_read(outcome, correlation_id)
        if isinstance(outcome, Reply) and failure is None:
            return outcome
        return self._told(failure or judging.unreadable(correlation_id))

    def _write_once(
        self, method: str, path: str, options: Mapping[str, object] | None, correlation_id: str
    ) -> Accepted | ItcareError:
        # Errors are returned, and the body does not print: no traceback has a frame with a secret in the clear.
        body = None if options is None else _Unseen(_encoded(options))
        end = self.retry.clock() + self.total
        try:
            outcome = self._send(method, path, correlation_id, body, end)
        except NotSent as error:
            return error
        failure = judging.of_write(outcome, correlation_id, _secrets(options))
        if failure is not None:
            return self._told(failure)
        return self._accepted(outcome, correlation_id, options)

    def _send(
        self, method: str, path: str, correlation_id: str, body: "_Unseen[bytes] | None", end: float
    ) -> Reply | Failure:
        self.gate()
        token = _Unseen(self.tokens.get())
        writes = method != "GET"
        headers = {
            "Accept": self.accept,
            "Accept-Encoding": "identity",
            "User-Agent": "postgresql-portal",
            "X-Correlation-ID": correlation_id,
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        if writes:
            headers["Connection"] = "close"
        call = Call(
            method,
            path,
            {**headers, "Authorization": f"Bearer {token.value}"},
            None if body is None else body.value,
            limit=_WRITE_LIMIT if writes else _READ_LIMIT,
        )
        outcome = self.transport.exchange(call, seconds=end - self.retry.clock(), alone=writes)
        if outcome != _OWN_DELAY:
            self.reached(_trouble(outcome))
        if isinstance(outcome, Reply) and outcome.status == HTTPStatus.UNAUTHORIZED:
            self.tokens.refused(token.value)
        return outcome

    def _told(self, failure: ItcareError) -> ItcareError:
        if failure.status in _SLOW_DOWN:
            self.noticed(failure)
        return failure

    def _accepted(self, reply: Reply | Failure, correlation_id: str, options: Mapping[str, object] | None) -> Accepted:
        status, body = (reply.status, reply.body) if isinstance(reply, Reply) else (0, b"")
        found = reading.entries(reading.document(body))
        action = self.as_action(found[0]) if len(found) == 1 else None
        if action and action.message:
            action = replace(action, message=judging.struck(action.message, _secrets(options)))
        return Accepted(status, action, correlation_id, finished=action is not None and not action.running)


@dataclass(frozen=True)
class _Unseen(Generic[T]):
    value: T = field(repr=False)


def _trouble(outcome: Reply | Failure) -> str:
    """What kept a request from being answered in time; a refusal and an error of the server are answers."""
    if isinstance(outcome, Failure):
        return "ITCare does not answer." if outcome.sent else "ITCare cannot be reached."
    if outcome.status in _NOBODY_BEHIND:
        return "ITCare does not answer."
    return "" if outcome.whole or outcome.too_long else "ITCare does not answer in time."


def _encoded(options: Mapping[str, object]) -> bytes:
    return json.dumps(dict(options), default=_revealed, allow_nan=False).encode("ascii")


def _revealed(value: object) -> str:
    reveal = getattr(value, "reveal", None)
    if reveal is None:
        message = f"{type(value).__name__} cannot be put into JSON"
        raise TypeError(message)
    return str(reveal())


def _secrets(options: Mapping[str, object] | None) -> tuple[str, ...]:
    found = (options or {}).items()
    hidden = tuple(_revealed(value) for _, value in found if hasattr(value, "reveal"))
    return hidden + tuple(value for name, value in found if name in _SECRET_OPTIONS and isinstance(value, str))
