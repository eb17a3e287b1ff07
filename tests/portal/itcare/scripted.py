"""A server that does over a socket exactly what a test says, HTTP or not."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def document(self) -> object:
        return json.loads(self.body)


Answer = bytes | Callable[[socket.socket], None]


def answer(status: int = 200, document: object = None, *, body: bytes | None = None, **headers: str) -> bytes:
    """Spell out a whole answer; `Retry_After="3"` becomes a header."""
    body = (b"" if document is None else json.dumps(document).encode()) if body is None else body
    told = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status} Something\r\n{head}\r\n".encode() + body


def drop(connection: socket.socket) -> None:
    """Close without a word."""
    connection.shutdown(socket.SHUT_RDWR)


def cut(start: bytes) -> Callable[[socket.socket], None]:
    """Send the start of an answer and close."""

    def run(connection: socket.socket) -> None:
        connection.sendall(start)
        drop(connection)

    return run


def drip(start: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Send a start, then a piece every 20 ms until the other side has enough."""

    def sending(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.settimeout(0.02)
        with suppress(OSError):
            while True:
                connection.sendall(piece)
                with suppress(TimeoutError):
                    if not connection.recv(1):
                        return

    return sending


def silence(connection: socket.socket) -> None:
    """Say nothing until the other side closes."""
    with suppress(OSError):
        connection.recv(1)


@dataclass
class Scripted:
    """Answers request after request from `script`; its last entry answers all further ones.

    What comes in no certain order is answered by the end of its path instead, from `by_end`.
    """

    listener: socket.socket
    script: list[Answer] = field(default_factory=list)
    by_end: Mapping[str, Answer] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list, repr=False)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/itcare"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection, self.connections), daemon=True).start()

    def stop(self) -> None:
        """Refuse whoever connects from now on; twice does no harm."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)

    def _talk(self, connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError, ValueError), connection.makefile("rb") as stream:
            while line := stream.readline():
                method, path, _ = line.decode().split(" ", 2)
                headers: dict[str, str] = {}
                while (header := stream.readline().decode().strip()) != "":
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                body = stream.read(int(headers.get("content-length", "0")))
                self.received.append(Received(method, path, headers, body, number))
                reply = self.by_end.get(path.rpartition("/")[2]) or self._following()
                if callable(reply):
                    reply(connection)
                    return
                connection.sendall(reply)
                if b"Content-Length" not in reply:
                    return

    def _following(self) -> Answer:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def scripted(*script: Answer) -> Iterator[Scripted]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(listener, list(script) or [answer()])
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        yield server
        server.stop()
        thread.join()
