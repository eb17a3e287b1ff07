"""A mail server that takes every mail."""

import socketserver
import threading
from email import message_from_bytes
from email.message import Message
from typing import Self

from tests.faults.proxy import LOOPBACK


class _Session(socketserver.StreamRequestHandler):
    server: "Post"

    def handle(self) -> None:
        """Say yes to everything; a mail counts when its last line has come."""
        self._say("220 here")
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._say("354 go on")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    if not part:
                        return
                    lines.append(part)
                self.server.letters.append(message_from_bytes(b"".join(lines)))
            self._say("221 good-bye" if verb == b"QUIT" else "250 taken")

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode("ascii"))


class Post(socketserver.ThreadingTCPServer):
    """Listens on a free port of loopback; a context manager that stops it.

    Attributes:
        letters: Every mail that it took.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.letters: list[Message] = []
        super().__init__((LOOPBACK, 0), _Session)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])
