"""The proxy sees what it should see: which messages there are, and when."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Semaphore, Thread

import psycopg
import pytest
from django.db import connection

from tests.faults.framing import Framing, Http, Message, Postgres, Raw
from tests.faults.proxy import LOOPBACK, Moment, Proxy, Rule, cut, hold, starting, wait
from tests.sandbox_server import until

pytestmark = pytest.mark.django_db(transaction=True)

REQUEST = b"PATCH /a/1?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
# Seconds in which a busy machine gets there: a limit, not a measure.
PATIENCE = 10.0


@contextmanager
def server() -> Iterator[tuple[tuple[str, int], list[bytes], Semaphore]]:
    """Answers "ok" to a whole request; tells what it received, and of each connection that has ended for it."""
    received: list[bytes] = []
    ended = Semaphore(0)
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, suppress(ConnectionError):
                    while data := client.recv(1000):
                        received.append(data)
                        if b"".join(received).endswith(b"body"):
                            client.sendall(b"ok")
                ended.release()

        Thread(target=serve, daemon=True).start()
        yield listener.getsockname(), received, ended
        listener.shutdown(socket.SHUT_RDWR)


def asked(port: int, data: bytes = REQUEST) -> bytes:
    """Send it, and return what comes back before the end, or the first two bytes."""
    with socket.create_connection((LOOPBACK, port), timeout=5) as client:
        client.sendall(data)
        try:
            return client.recv(2)
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    ("moment", "arrived", "answer"),
    [(Moment.BEFORE, b"", b""), (Moment.HALFWAY, REQUEST[: len(REQUEST) // 2], b""), (Moment.AFTER, REQUEST, b"")],
)
def test_a_connection_is_cut_at_each_moment(moment: Moment, arrived: bytes, answer: bytes) -> None:
    rule = Rule(starting("PATCH /a/1"), moment, cut)
    with server() as (address, received, ended), Proxy(address, Http, rule) as proxy:
        assert asked(proxy.port) == answer
        assert rule.done.is_set()
        # The client knows of the cut before the server does: only at its end nothing more can come.
        assert ended.acquire(timeout=PATIENCE)
        assert b"".join(received) == arrived
        received.clear()
        # Once only: the next one passes.
        assert (asked(proxy.port), b"".join(received)) == (b"ok", REQUEST)


def test_a_request_in_pieces_is_one_message() -> None:
    framing = Http()
    assert list(framing.asked(REQUEST[:30])) == []
    assert list(framing.asked(REQUEST[30:50])) == []
    assert list(framing.asked(REQUEST[50:] + REQUEST)) == [Message("PATCH /a/1", REQUEST, effect=True)] * 2


@pytest.mark.parametrize("framing", [Http, Raw])
def test_an_answer_comes_late_or_when_it_is_let_go(framing: type[Framing]) -> None:
    go = Event()
    rules = [Rule(lambda _: True, Moment.BEFORE, wait(0.01)), Rule(lambda _: True, Moment.AFTER, hold(go))]
    with (
        server() as (address, received, _),
        Proxy(address, framing, *rules) as proxy,
        socket.create_connection((LOOPBACK, proxy.port), timeout=0.3) as client,
    ):
        client.sendall(REQUEST)
        with pytest.raises(TimeoutError):
            client.recv(2)
        until(lambda: b"".join(received) == REQUEST, seconds=PATIENCE)
        go.set()
        client.settimeout(PATIENCE)
        assert client.recv(2) == b"ok"


def test_a_server_that_is_not_there_and_a_proxy_that_is_closed() -> None:
    with server() as (address, *_):
        pass
    with Proxy(address, Raw) as proxy:
        assert asked(proxy.port) == b""
    with pytest.raises(ConnectionError):
        asked(proxy.port)


def test_commits_of_something_written_are_told_from_all_else() -> None:
    database = connection.settings_dict
    seen: list[str] = []

    def note(message: Message, moment: Moment) -> None:
        if message.effect and moment is Moment.BEFORE:
            seen.append(message.text)

    with (
        Proxy((database["HOST"], int(database["PORT"])), Postgres, note) as proxy,
        psycopg.connect(
            host=LOOPBACK,
            port=proxy.port,
            dbname=database["NAME"],
            user=database["USER"],
            password=database["PASSWORD"],
            sslmode="disable",
        ) as client,
    ):
        client.execute("SELECT 1")
        client.commit()
        client.execute('DELETE FROM "upstream_token" WHERE id = %s', [1])
        client.execute('UPDATE "upstream_pause" SET strikes = 0')
        client.commit()
        client.execute('DELETE FROM "upstream_token"')
        client.rollback()
        client.execute("SELECT 2")
        client.commit()
        client.autocommit = True
        client.execute('UPDATE "upstream_pause" SET strikes = 1')
    assert seen == ["commit (upstream_token, upstream_pause)", "commit (upstream_pause)"]
