"""The listener: HTTP to Request, Reply to HTTP, and connections that break when a fault wants them to."""

import socket
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.application import Application
from sandbox.auth import TOKEN_PATH
from sandbox.exchange import Reply, Request

BASE = "/itcare"
CONTROL = "/_sandbox/"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
LARGEST_BODY = 1_000_000  # bytes
DRIP_SECONDS = 0.05  # between the bytes of a body that does not end


class _BrokenOffError(ConnectionError):
    """The sender of a request went away in the middle of it: nobody has asked for anything."""


class Server(ThreadingHTTPServer):
    """One thread a connection; a restart does not wait for open ones."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        """Listen there.

        Raises:
            OSError: the address cannot be had.
        """
        self.application = application
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Say nothing of clients that went away; the rest as inherited."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Lines:
    """What a request is read from; remembers the last line, without which a head that broke off looks whole."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - as http.server has it
        self._stream = stream
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        """Return the next line."""
        self.last = self._stream.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


class _Handler(BaseHTTPRequestHandler):
    """Serves every method alike."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    wbufsize = -1  # header and body leave together
    disable_nagle_algorithm = True
    timeout = 120  # seconds that an idle connection is kept
    server: Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Lead do_GET, do_POST and the like, which http.server looks for by name, to one place."""
        if name in {f"do_{method}" for method in METHODS}:
            return self._serve
        raise AttributeError(name)

    def setup(self) -> None:
        """Begin as inherited."""
        super().setup()
        self.rfile: Any = _Lines(self.rfile)

    def _serve(self) -> None:
        if self.rfile.last not in {b"\r\n", b"\n"}:
            raise _BrokenOffError
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            self._send(Reply(HTTPStatus.BAD_REQUEST))
            return
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=False)
        application = self.server.application

        def request(path: str) -> Request:
            return Request(method=self.command, path=path, query=query, headers=headers, body=body)

        if parts.path.startswith(f"{BASE}/"):
            reply = application.answer(request(parts.path.removeprefix(BASE)))
        elif parts.path == TOKEN_PATH and self.command == "POST":
            reply = application.answer_token(request(parts.path))
        elif parts.path.startswith(CONTROL):
            reply = application.answer_control(request(parts.path))
        else:
            reply = Reply(HTTPStatus.NOT_FOUND)
        if reply.dropped:
            self._drop()
        else:
            self._send(reply)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise ValueError
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= LARGEST_BODY:
            raise ValueError
        body: bytes = self.rfile.read(length)
        if len(body) < length:
            raise _BrokenOffError
        return body

    def _send(self, reply: Reply) -> None:
        body = reply.encoded()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", reply.media_type)
        length = len(body) if reply.length is None else reply.length
        # Without a length the body lasts as long as the connection.
        self.close_connection = self.close_connection or reply.endless or length != len(body)
        if reply.status != HTTPStatus.NO_CONTENT and not reply.endless:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        while reply.endless and self.server.application.waited(DRIP_SECONDS):
            self.wfile.write(b" ")
            self.wfile.flush()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header, by the clock of the world."""
        return super().date_time_string(self.server.application.now() if timestamp is None else timestamp)

    def _drop(self) -> None:
        self.log_request("dropped")
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as inherited
        """One line a request; the path without its query."""
        sys.stderr.write(f"{self.log_date_time_string()} {format % arguments}\n")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - as inherited
        """Method, path, status."""
        if self.path.startswith(CONTROL):
            return
        status = code.value if isinstance(code, HTTPStatus) else code
        self.log_message("%s %s %s", self.command, urlsplit(self.path).path, status)
