"""One HTTP call: sent once, ended by its deadline, bounded in size, followed nowhere.

urllib3 is used without requests between, because the difference between "not sent" and "unclear" (SAFETY 2) hangs
on whether the request had begun to leave, which is known here and not from the class of an exception. It also reads
neither netrc nor proxies from the environment, and keeps no cookies.
"""

import contextlib
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError

from portal.itcare import reading

_CHUNK = 65_536
# What a call can raise; anything else, such as a task's time limit, is not ours to keep.
_FAILURES = (HTTPError, HTTPException, OSError, ValueError)


@dataclass(frozen=True)
class Timeouts:
    """Limits of one call, in seconds.

    Attributes:
        connect: for a connection with its TLS handshake, per address of the host.
        read: between two pieces of an answer.
        total: for a whole call, also when the answer keeps dripping. Only the resolver of the operating system may take
            longer, which cannot be interrupted; then nothing is sent.
    """

    connect: float = 5.0
    read: float = 20.0
    total: float = 30.0


@dataclass(frozen=True)
class Call:
    """A request, ready to be sent. Headers and body do not print: they hold the token and the password.

    Attributes:
        path: below the address of the transport, with its query.
        limit: bytes of the answer's body that are read; a longer one counts as cut off.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    limit: int = 20_000_000


@dataclass(frozen=True)
class Reply:
    """An answer, at least its status line.

    Attributes:
        whole: the body came to its end within the limit.
        too_long: the body went over the limit.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    whole: bool = True
    too_long: bool = False

    @property
    def server_time(self) -> datetime | None:
        """The server's clock when it answered."""
        return reading.http_date(self.headers.get("Date"))

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait."""
        return reading.seconds_to_wait(self.headers.get("Retry-After"), self.server_time or datetime.now(UTC))


@dataclass(frozen=True)
class Failure:
    """No answer.

    Attributes:
        sent: whether the request had begun to leave.
        reason: the class of the cause.
    """

    sent: bool
    reason: str

    @property
    def late(self) -> bool:
        """Whether it was sent, and no answer came within the limits of the call."""
        return self.sent and self.reason in ("deadline", ReadTimeoutError.__name__)


class DeadlinePassedError(TimeoutError):
    """The connection was ready only after the call's deadline; nothing was sent."""


class _Watch:
    """Ends a call at its deadline by shutting its socket down, which wakes whoever reads from it."""

    _of_thread: ClassVar[threading.local] = threading.local()

    def __init__(self, seconds: float) -> None:
        self.sent = False
        self.expired = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._of_thread.watch = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self._of_thread.watch = None

    @classmethod
    def current(cls) -> "_Watch":
        watch = cls._of_thread.watch
        if not isinstance(watch, _Watch):
            message = "a connection was used outside of a transport"
            raise TypeError(message)
        return watch

    def begin(self, connected: socket.socket) -> None:
        """Note that the request is about to leave on a connection."""
        with self._lock:
            if self.expired:
                raise DeadlinePassedError
            self._socket = connected
            self.sent = True

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # Of the plain socket: SSLSocket.shutdown would take the TLS layer from under a reading thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Watched:
    """Connection that tells the watch of its thread when a request begins to leave."""

    # Never a second connection under one request, and never headers on standard output.
    auto_open = 0
    debuglevel = 0

    def request(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - urllib3's own signature
        if self.sock is None:
            self.connect()
        _Watch.current().begin(self.sock)
        super().request(*arguments, **options)  # type: ignore[misc]


class _PlainConnection(_Watched, HTTPConnection):
    pass


class _TlsConnection(_Watched, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Transport:
    """Sends calls to one address; certificates are verified against the system's authorities.

    Args:
        address: URL with http or https, a host, and neither user, query nor fragment.
        timeouts: limits of each call.

    Raises:
        ValueError: the address is not such a URL.
    """

    def __init__(self, address: str, timeouts: Timeouts) -> None:
        parts = urlsplit(address)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or "@" in parts.netloc
            or parts.query
            or parts.fragment
        ):
            message = "an ITCare address is http(s)://host[:port][/path], without user, query or fragment"
            raise ValueError(message)
        self._tls = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port
        self._path = parts.path
        self._timeouts = timeouts
        self._pool = self._open()

    def exchange(self, call: Call, *, seconds: float | None = None, alone: bool = False) -> Reply | Failure:
        """Send a call once and read its answer.

        Args:
            call: what to send.
            seconds: deadline of this call, at most the total of the time-outs.
            alone: on a connection of its own, so that one gone stale while idle cannot make the outcome unclear.
        """
        limit = self._timeouts.total if seconds is None else min(seconds, self._timeouts.total)
        if limit <= 0:
            return Failure(sent=False, reason="deadline")
        pool = self._open() if alone else self._pool
        try:
            with _Watch(limit) as watch:
                return self._exchange(pool, call, watch)
        finally:
            if alone:
                pool.close()

    def _open(self) -> urllib3.HTTPConnectionPool:
        # 10 idle connections: as many as threads that share a client, and no more.
        if self._tls:
            return _TlsPool(self._host, self._port, maxsize=10, cert_reqs="CERT_REQUIRED")
        return _PlainPool(self._host, self._port, maxsize=10)

    def _exchange(self, pool: urllib3.HTTPConnectionPool, call: Call, watch: _Watch) -> Reply | Failure:
        # Returned, not raised: an exception would carry urllib3's frames, with headers and body, into a traceback.
        try:
            response = pool.urlopen(
                call.method,
                self._path + call.path or "/",
                body=call.body,
                headers=call.headers,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=self._timeouts.connect, read=self._timeouts.read),
                preload_content=False,
                decode_content=False,
            )
        except _FAILURES as error:
            return Failure(sent=watch.sent, reason="deadline" if watch.expired else type(error).__name__)
        except BaseException as error:  # noqa: BLE001 - raised again
            # A time limit or a defect passes, without those frames.
            raise error.with_traceback(None) from None
        return _read(response, call.limit, watch)


def _read(response: urllib3.BaseHTTPResponse, limit: int, watch: _Watch) -> Reply:
    body = bytearray()
    whole = True
    try:
        while len(body) <= limit and (chunk := response.read(_CHUNK)):
            body += chunk
    except _FAILURES:
        whole = False
    too_long = len(body) > limit
    if too_long or not whole:
        response.close()
    return Reply(
        status=response.status,
        headers=response.headers,
        body=bytes(body[:limit]),
        # A socket that the watch shut down ends a body of unknown length just as its own end does.
        whole=whole and not too_long and not watch.expired,
        too_long=too_long,
    )
