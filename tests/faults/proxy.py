"""A TCP proxy that does something before, in the middle of, or after chosen messages: cut, wait, signal a process.

It stands between the real portal and a real server, so that a fault is caused where it happens in life and nothing of
the code under test is replaced.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

from django.test import override_settings

from tests.faults.framing import Framing, Http, Message
from tests.sandbox_server import Sandbox

LOOPBACK = "127.0.0.1"
_CHUNK = 65_536


class Moment(StrEnum):
    """When, seen from a message: nothing of it left, half of its bytes did, it was answered and nobody knows yet."""

    BEFORE = "before"
    HALFWAY = "in the middle of"
    AFTER = "after"


class CutError(Exception):
    """Close both ends of this connection."""


# Told of each moment of each message; raises CutError to close the connection.
Watcher = Callable[[Message, Moment], None]
Action = Callable[[], None]


class Proxy:
    """Listens on a free port of loopback and passes everything on; a context manager that stops it.

    Args:
        to: Host and port of the server.
        framing: Makes the state of a new connection.
        watchers: Told of everything in turn.
    """

    def __init__(self, to: tuple[str, int], framing: Callable[[], Framing], *watchers: Watcher) -> None:
        self._to = to
        self._framing = framing
        self.watchers = list(watchers)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more, and cut every connection."""
        self._closed = True
        with contextlib.suppress(OSError):
            # Closing alone would leave the accepting thread where it waits.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection; new ones are taken."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()

    def seen(self, message: Message, moment: Moment) -> None:
        """Tell the watchers."""
        for watcher in list(self.watchers):
            watcher(message, moment)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._to, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            link = _Link(self, client, server, self._framing())
            with self._lock:
                self._links.add(link)
            link.start()

    def forget(self, link: "_Link") -> None:
        """Drop a connection that has ended."""
        with self._lock:
            self._links.discard(link)


class _Link:
    """One connection, with a thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket, framing: Framing) -> None:
        self._proxy, self._client, self._server, self._framing = proxy, client, server, framing
        self._unanswered: deque[Message] = deque()
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for direction in (self._up, self._down):
            threading.Thread(target=self._until_it_ends, args=[direction], daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._proxy.forget(self)

    def _until_it_ends(self, direction: Callable[[], None]) -> None:
        try:
            with contextlib.suppress(OSError, CutError):
                direction()
        finally:
            self.close()

    def _up(self) -> None:
        while data := self._client.recv(_CHUNK):
            for message in self._framing.asked(data):
                self._proxy.seen(message, Moment.BEFORE)
                if message.answered:
                    self._unanswered.append(message)
                half = len(message.data) // 2
                self._server.sendall(message.data[:half])
                self._proxy.seen(message, Moment.HALFWAY)
                self._server.sendall(message.data[half:])

    def _down(self) -> None:
        data = b" "
        while data:
            data = self._server.recv(_CHUNK)
            for answer, begins in self._framing.answered(data):
                if begins and self._unanswered:
                    self._proxy.seen(self._unanswered.popleft(), Moment.AFTER)
                self._client.sendall(answer)


@dataclass
class Rule:
    """A watcher that acts once, at the chosen moment of the n-th message that fits.

    Attributes:
        fits: Which messages count.
        moment: When.
        do: What; it may raise CutError.
        number: At which of those that fit.
        done: Set when it has acted.
    """

    fits: Callable[[Message], bool]
    moment: Moment
    do: Action
    number: int = 1
    done: threading.Event = field(default_factory=threading.Event)
    _count: int = 0

    def __call__(self, message: Message, moment: Moment) -> None:
        """Count, and act if it is time."""
        if moment != self.moment or not self.fits(message):
            return
        self._count += 1
        if self._count == self.number:
            try:
                self.do()
            finally:
                self.done.set()


def cut() -> None:
    """Close the connection."""
    raise CutError


def kill(process: Callable[[], int]) -> Action:
    """End the process as a power cut would; nothing more goes either way."""

    def do() -> None:
        os.kill(process(), signal.SIGKILL)
        raise CutError

    return do


def freeze(process: Callable[[], int]) -> Action:
    """Stop the process where it is; what it sent goes on, and the answer waits for it."""
    return lambda: os.kill(process(), signal.SIGSTOP)


def hold(go: threading.Event, *first: Action) -> Action:
    """Do the first things, and pass nothing on until the test lets go."""

    def do() -> None:
        for action in first:
            action()
        go.wait(60)

    return do


def wait(seconds: float) -> Action:
    """Pass on late."""
    return lambda: time.sleep(seconds)


@contextlib.contextmanager
def before_itcare(upstream: Sandbox, *watchers: Watcher) -> Iterator[None]:
    """Let the portal in this process reach ITCare, and its sign-in, through a proxy."""
    address = urlsplit(upstream.root)
    assert address.hostname
    assert address.port
    with Proxy((address.hostname, address.port), Http, *watchers) as proxy:
        here = f"http://{LOOPBACK}:{proxy.port}"
        with override_settings(
            ITCARE_BASE_URL=upstream.base_url.replace(upstream.root, here),
            ITCARE_TOKEN_URL=upstream.token_url.replace(upstream.root, here),
        ):
            yield


def starting(*beginnings: str) -> Callable[[Message], bool]:
    """Fits messages whose text starts with one of these."""
    return lambda message: message.text.startswith(beginnings)
