"""Cuts what goes over a connection into messages: PostgreSQL's protocol, HTTP/1.1, SMTP, anything else as it comes."""

import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Message:
    """What a client sends at once and waits for the answer to.

    Attributes:
        text: What it is, in words: "commit (operation.sending)", "POST /itcare/databases/postgresql".
        data: Its bytes.
        effect: It can change something on the other side: a commit of something written, any request over HTTP.
        answered: The other side answers it.
    """

    text: str
    data: bytes
    effect: bool = False
    answered: bool = True


class Framing(ABC):
    """The state of one connection. One thread calls `asked`, another `answered`; the client waits for each answer."""

    @abstractmethod
    def asked(self, data: bytes) -> Iterator[Message]:
        """Take bytes of the client; yield the messages that are whole now."""

    @abstractmethod
    def answered(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Take bytes of the server, none at its end; yield what to pass on, and whether an answer begins with it."""


class Raw(Framing):
    """Any protocol: whatever arrives at once is a message."""

    def __init__(self) -> None:
        self._waiting = False

    def asked(self, data: bytes) -> Iterator[Message]:
        """Yield the bytes as they are."""
        self._waiting = True
        yield Message("bytes", data, effect=True)

    def answered(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Pass the bytes on; the first after a question begin its answer."""
        begins, self._waiting = self._waiting, False
        if data:
            yield data, begins


class Http(Framing):
    """HTTP/1.1 as clients without pipelining speak it; a body has a Content-Length."""

    _LENGTH: Final = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting = False

    def asked(self, data: bytes) -> Iterator[Message]:
        """Yield each request with its body."""
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            length = self._LENGTH.search(head)
            body = int(length[1]) if length else 0
            if len(rest) < body:
                return
            whole = self._buffer[: len(head) + 4 + body]
            self._buffer = self._buffer[len(whole) :]
            method, address, *_ = head.decode("latin-1").split(" ")
            self._waiting = True
            yield Message(f"{method} {address.partition('?')[0]}", whole, effect=True)

    def answered(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Pass the bytes on; the first after a request begin its answer."""
        begins, self._waiting = self._waiting, False
        if data:
            yield data, begins


class Smtp(Framing):
    """SMTP as clients without pipelining speak it: commands, each a line, and the mail after DATA."""

    def __init__(self) -> None:
        self._buffer = b""
        self._in_mail = False
        self._waiting = False

    def asked(self, data: bytes) -> Iterator[Message]:
        """Yield each command, and the mail as one."""
        self._buffer += data
        while (end := b"\r\n.\r\n" if self._in_mail else b"\r\n") in self._buffer:
            whole, _, self._buffer = self._buffer.partition(end)
            text = "the mail" if self._in_mail else whole.partition(b" ")[0].decode("latin-1").upper()
            self._in_mail = text == "DATA"
            self._waiting = True
            yield Message(text, whole + end, effect=True)

    def answered(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Pass the bytes on; the first after a command begin its answer."""
        begins, self._waiting = self._waiting, False
        if data:
            yield data, begins


class Postgres(Framing):
    """PostgreSQL's protocol 3 without TLS. Tells commits of something written from all else.

    A statement that writes outside of a transaction is its own commit. A commit is named by the audit entries of its
    transaction, else by the tables that were written.
    """

    _START: Final = 4  # bytes before what the first message holds; the later ones begin with a letter
    _HEAD: Final = 5
    _WRITES: Final = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"', re.IGNORECASE)
    _VERB: Final = re.compile(rb"\b(?:change|cluster|concern|operation|password|sends)\.[a-z_]+\b")
    _LOG: Final = "audit_entry"

    def __init__(self) -> None:
        self._from_client = b""
        self._from_server = b""
        self._started = False
        self._ready = False
        self._in_transaction = False
        self._unit: list[tuple[bytes, bytes]] = []
        self._raw = b""
        self._written: list[str] = []

    def asked(self, data: bytes) -> Iterator[Message]:
        """Yield what PostgreSQL answers at once: a simple query, or all up to a synchronization."""
        self._from_client += data
        while (cut := self._whole()) is not None:
            kind, body, raw = cut
            self._unit.append((kind, body))
            if kind in b"QS":
                pending, self._unit = self._unit, []
                yield self._message(pending, self._raw + raw)
                self._raw = b""
            elif kind in b"PBDECHF":
                self._raw += raw
            else:
                # The start, a password, a farewell.
                self._unit = []
                yield Message("start" if kind == b"0" else "login", raw, answered=False)

    def answered(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Pass an answer on when it is whole; what comes before the first one as it comes."""
        self._from_server += data
        if not data:
            # The last words before the server hangs up.
            if self._from_server:
                yield self._from_server, False
            return
        end = 0
        while len(self._from_server) - end >= self._HEAD:
            (length,) = struct.unpack_from("!i", self._from_server, end + 1)
            if len(self._from_server) < end + 1 + length:
                break
            kind, end = self._from_server[end : end + 1], end + 1 + length
            if kind == b"Z":
                self._in_transaction = self._from_server[end - 1 : end] != b"I"
                if not self._in_transaction:
                    self._written = []
                answer, self._from_server, end = self._from_server[:end], self._from_server[end:], 0
                first, self._ready = not self._ready, True
                yield answer, not first
        if not self._ready and end:
            answer, self._from_server = self._from_server[:end], self._from_server[end:]
            yield answer, False

    def _whole(self) -> tuple[bytes, bytes, bytes] | None:
        """The next message of the client: its letter, what it holds, all of its bytes."""
        head = self._HEAD if self._started else self._START
        if len(self._from_client) < head:
            return None
        (length,) = struct.unpack_from("!i", self._from_client, head - 4)
        size = length + head - 4
        if len(self._from_client) < size:
            return None
        raw, self._from_client = self._from_client[:size], self._from_client[size:]
        kind = raw[:1] if self._started else b"0"
        self._started = True
        return kind, raw[head:], raw

    def _message(self, unit: list[tuple[bytes, bytes]], raw: bytes) -> Message:
        statement = next((_statement(kind, body) for kind, body in unit if kind in b"QP"), "")
        if statement.upper() == "COMMIT":
            return self._commit(raw) if self._written else Message("end of a reading", raw)
        if found := self._WRITES.match(statement):
            verbs = [verb.decode() for kind, body in unit if kind == b"B" for verb in self._VERB.findall(body)]
            self._written.append(verbs[0] if found[1] == self._LOG and verbs else found[1])
            if not self._in_transaction:
                return self._commit(raw)
        return Message(statement.partition("\n")[0][:60] or "statement", raw)

    def _commit(self, raw: bytes) -> Message:
        told = [name for name in self._written if "." in name] or list(dict.fromkeys(self._written))
        self._written = []
        return Message(f"commit ({', '.join(told)})", raw, effect=True)


def _statement(kind: bytes, body: bytes) -> str:
    text = body if kind == b"Q" else body.partition(b"\0")[2]
    return text.partition(b"\0")[0].decode("utf-8", "replace")
