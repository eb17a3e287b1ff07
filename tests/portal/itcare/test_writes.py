"""What each outcome of a write proves: the table of SAFETY 2, over real sockets."""

import socket
import threading
import time
import traceback
from typing import Any

import pytest
import urllib3.util.connection

from portal.itcare import (
    Accepted,
    Client,
    Conflict,
    Forbidden,
    ItcareError,
    NotFound,
    NotSent,
    Paused,
    Refused,
    Retry,
    Throttled,
    TokenUnavailable,
    Unauthenticated,
    Unclear,
)
from portal.sealing import SecretText
from tests.portal.itcare.conftest import Setting, Tokens
from tests.portal.itcare.scripted import Answer, answer, cut, drip, drop, scripted, silence

PASSWORD = "Sesame-Open!2026"


def failure_of(client: Client) -> ItcareError:
    with pytest.raises(ItcareError) as caught:
        client.patch(7, "stop")
    return caught.value


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(drop, id="closed without a word"),
        pytest.param(b"HTTP/1.1 2", id="cut within the status line"),
        pytest.param(b"220 mail.example.com ESMTP\r\n", id="not HTTP"),
        pytest.param(answer(100), id="informational only"),
        pytest.param(answer(103), id="early hints only"),
        pytest.param(answer(408), id="408"),
        pytest.param(answer(500), id="500"),
        pytest.param(answer(501), id="501"),
        pytest.param(answer(502, body=b"<html>"), id="502"),
        pytest.param(answer(503, Retry_After="2"), id="503"),
        pytest.param(answer(504), id="504"),
    ],
)
def test_an_outcome_that_nobody_can_tell_is_unclear_and_sent_once(bench: Setting, lost: Answer) -> None:
    it = bench(lost, total=0.5)
    assert type(failure_of(it.client)) is Unclear
    assert [(known.method, known.path) for known in it.server.received] == [("PATCH", "/itcare/databases/postgresql/7")]


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(silence, id="silent"),
        pytest.param(drip(b"HTTP/1.1", b" "), id="dripping status line"),
        pytest.param(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="dripping continuations"),
    ],
)
def test_a_write_ends_at_its_deadline_and_leaves_no_thread(bench: Setting, endless: Answer) -> None:
    it = bench(endless, total=0.2)
    threads = {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}
    error = failure_of(it.client)
    assert (type(error), error.reason) == (Unclear, "deadline")
    assert {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)} == threads
    assert len(it.server.received) == 1


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(drip(b"HTTP/1.1 202 Accepted\r\n", b"X: y\r\n"), id="headers"),
        pytest.param(drip(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9999\r\n\r\n", b" "), id="body"),
        pytest.param(drip(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), id="chunks"),
    ],
)
def test_what_drips_past_the_deadline_after_a_2xx_is_accepted_without_an_id(bench: Setting, endless: Answer) -> None:
    it = bench(endless, total=0.2)
    assert it.client.patch(7, "stop").action is None
    assert len(it.server.received) == 1


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(202), id="empty"),
        pytest.param(answer(204), id="no content"),
        pytest.param(answer(200, body=b"<html>done</html>"), id="not JSON"),
        pytest.param(answer(202, {"status": "IN_PROGRESS"}), id="no id"),
        pytest.param(answer(202, {"id": "77"}), id="id of a wrong type"),
        pytest.param(answer(202, {"id": -77}), id="negative id"),
        pytest.param(answer(202, {"id": 2**63}), id="id beyond int64"),
        pytest.param(answer(202, {"id": True}), id="id that is a boolean"),
        pytest.param(answer(202, body=b"[" * 100_000), id="nested beyond reason"),
        pytest.param(answer(202, body=b"9" * 5000), id="a number beyond reason"),
        pytest.param(cut(b'HTTP/1.1 202 Accepted\r\nContent-Length: 400\r\n\r\n{"id": 7'), id="cut off"),
        pytest.param(answer(202, body=b" " * 1_000_001), id="longer than is read"),
        pytest.param(answer(202, [{"id": 1}, {"id": 2}]), id="two actions"),
    ],
)
def test_a_success_without_a_readable_id_is_accepted(bench: Setting, reply: Answer) -> None:
    it = bench(reply)
    accepted = it.client.delete(7)
    assert accepted == Accepted(
        accepted.status, None, it.server.received[0].headers["x-correlation-id"], finished=False
    )
    assert accepted.status in (200, 202, 204)
    assert [known.method for known in it.server.received] == ["DELETE"]


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_accepted_write_brings_its_action(bench: Setting, status: int) -> None:
    document = {
        "id": 77120,
        "internalId": 9,
        "status": "IN_PROGRESS",
        "message": "Stop\x00ping",
        "resourceName": "a" * 6,
    }
    accepted = bench(answer(status, document)).client.patch(7, "stop")
    assert accepted.action is not None
    assert (accepted.status, accepted.finished) == (status, False)
    assert (accepted.action.id, accepted.action.internal_id, accepted.action.status) == (77120, 9, "IN_PROGRESS")
    assert (accepted.action.message, accepted.action.resource_name) == ("Stop ping", "aaaaaa")


@pytest.mark.parametrize(
    ("word", "finished"), [("SUCCESS", True), ("ERROR", True), ("UNHEARD_OF", False), (None, False)]
)
def test_an_answer_that_tells_of_an_end_is_finished(bench: Setting, word: str | None, finished: bool) -> None:  # noqa: FBT001
    assert bench(answer(200, {"id": 5, "status": word})).client.patch(7, "stop").finished is finished


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (403, Forbidden),
        (404, NotFound),
        (405, Refused),
        (409, Conflict),
        (415, Refused),
        (418, Refused),
        (422, Refused),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 50_000, b'{"errorMessage": 3}'])
def test_a_refusal_is_not_executed_whatever_its_body(
    bench: Setting, status: int, kind: type[ItcareError], body: bytes
) -> None:
    it = bench(answer(status, body=body))
    error = failure_of(it.client)
    assert (type(error), error.status, error.upstream_message) == (kind, status, "")
    assert error.correlation_id == it.server.received[0].headers["x-correlation-id"]
    assert len(it.server.received) == 1


def test_the_documented_error_body_is_told(bench: Setting) -> None:
    document = {
        "status": "BAD_REQUEST",
        "errorCode": "INVALID_FIELD_VALUE",
        "errorDesc": "name",
        "errorMessage": "Error on\r\nfield \u202e'name'" + "!" * 1000,
    }
    error = failure_of(bench(answer(400, document)).client)
    assert (error.code, error.field) == ("INVALID_FIELD_VALUE", "name")
    assert error.upstream_message.startswith("Error on  field 'name'!!!")
    assert len(error.upstream_message) <= 500


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_refused_and_not_followed(bench: Setting, status: int) -> None:
    with scripted(answer()) as elsewhere:
        it = bench(answer(status, Location=elsewhere.url))
        assert type(failure_of(it.client)) is Refused
        assert (len(it.server.received), len(elsewhere.received)) == (1, 0)


def test_an_unaccepted_token_is_dropped_and_the_write_not_repeated(bench: Setting) -> None:
    it = bench(answer(401), answer(202))
    error = failure_of(it.client)
    assert type(error) is Unauthenticated
    assert (it.tokens.refusals, it.noticed) == (["token-1"], [error])
    assert len(it.server.received) == 1
    it.client.patch(7, "stop")
    assert [known.headers["authorization"] for known in it.server.received] == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("", None), ("soon", None), ("-1", None), ("9" * 40, 300.0)]
)
def test_too_many_requests_tells_how_long_to_wait(bench: Setting, header: str, seconds: float | None) -> None:
    it = bench(answer(429, Retry_After=header))
    error = failure_of(it.client)
    assert (type(error), error.retry_after, it.noticed) == (Throttled, seconds, [error])


def test_a_date_to_wait_for_counts_from_the_servers_clock(bench: Setting) -> None:
    reply = answer(429, Date="Mon, 02 Nov 2026 10:00:00 GMT", Retry_After="Mon, 02 Nov 2026 10:00:30 GMT")
    assert failure_of(bench(reply).client).retry_after == 30.0


def test_a_date_far_away_is_waited_for_no_longer_than_all_wait(bench: Setting) -> None:
    reply = answer(429, Date="Mon, 02 Nov 2026 10:00:00 GMT", Retry_After="Tue, 03 Nov 2026 10:00:00 GMT")
    assert failure_of(bench(reply).client).retry_after == 300.0


def test_a_closed_port_and_an_unknown_host_are_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert type(failure_of(Client(base_url=f"http://127.0.0.1:{port}", tokens=Tokens()))) is NotSent
    assert type(failure_of(Client(base_url="http://itcare.invalid", tokens=Tokens()))) is NotSent


def test_a_failed_tls_handshake_is_not_sent(bench: Setting) -> None:
    it = bench(answer())
    client = Client(base_url=it.server.url.replace("http:", "https:"), tokens=it.tokens)
    assert type(failure_of(client)) is NotSent
    assert it.server.received == []


def test_a_connection_that_is_ready_after_the_deadline_is_not_used(
    bench: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = bench(answer(202), total=0.05)
    connect = urllib3.util.connection.create_connection

    def slowly(*arguments: Any, **options: Any) -> socket.socket:  # noqa: ANN401 - handed through
        time.sleep(0.15)
        return connect(*arguments, **options)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", slowly)
    error = failure_of(it.client)
    assert (type(error), error.reason, it.server.received) == (NotSent, "deadline", [])


def test_the_gate_and_a_missing_token_keep_a_write_back(bench: Setting) -> None:
    paused = Paused("Later.")

    def shut() -> None:
        raise paused

    it = bench(answer(202), gate=shut)
    assert failure_of(it.client) is paused

    class NoTokens(Tokens):
        def get(self) -> str:
            message = "None."
            raise TokenUnavailable(message)

    other = bench(answer(202), tokens=NoTokens())
    assert isinstance(failure_of(other.client), NotSent)
    assert (it.server.received, other.server.received) == ([], [])


def test_a_token_that_takes_too_long_keeps_the_write_back(bench: Setting) -> None:
    now = [0.0]

    class SlowTokens(Tokens):
        def get(self) -> str:
            now[0] += 5.0
            return super().get()

    # Whoever holds a lease for the total time must not see the write leave after it.
    it = bench(answer(202), tokens=SlowTokens(), retry=Retry(budget=10.0, clock=lambda: now[0]), total=5.0)
    error = failure_of(it.client)
    assert (type(error), error.reason, it.server.received) == (NotSent, "deadline", [])


def test_a_write_has_a_connection_of_its_own(bench: Setting) -> None:
    it = bench(answer(200, []))
    it.client.actions()
    it.client.actions()
    it.client.patch(7, "stop")
    it.client.delete(7)
    assert [(known.method, known.connection) for known in it.server.received] == [
        ("GET", 1),
        ("GET", 1),
        ("PATCH", 2),
        ("DELETE", 3),
    ]
    assert [known.headers.get("connection") for known in it.server.received] == [None, None, "close", "close"]


def test_bodies_and_headers_are_those_of_the_reference(bench: Setting) -> None:
    it = bench(answer(202))
    it.client.create({"name": "newpostgre01", "diskSize": 40, "tls": True, "admPassword": SecretText(PASSWORD)})
    it.client.patch(7, "start")
    it.client.patch(7, "resize", {"sizing": "2cpu4gb"})
    it.client.delete(7)
    create, start, resize, delete = it.server.received
    assert create.document == {"name": "newpostgre01", "diskSize": 40, "tls": True, "admPassword": PASSWORD}
    assert start.document == {"operation": "start"}
    assert resize.document == {"operation": "resize", "options": {"sizing": "2cpu4gb"}}
    assert (delete.body, delete.headers.get("content-type")) == (b"", None)
    assert {known.headers["content-type"] for known in (create, start, resize)} == {"application/json"}
    assert {known.headers["accept"].split(",")[0] for known in it.server.received} == {
        "application/vnd.cegedim-it.v1+json"
    }
    assert len({known.headers["x-correlation-id"] for known in it.server.received}) == 4


def test_the_environment_changes_neither_token_nor_way(
    bench: Setting, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login stranger password stranger\n")
    with scripted(answer()) as proxy:
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        it = bench(answer(202))
        it.client.delete(7)
        assert proxy.received == []
    assert it.server.received[0].headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    "reply", [drop, answer(500), answer(400, {"errorMessage": f"bad value {PASSWORD}"}), answer(401)]
)
def test_no_failure_shows_password_or_token(bench: Setting, reply: Answer) -> None:
    it = bench(reply)
    shown = _everything_shown_by_a_failed_create(it.client)
    assert "newpostgre01" in shown
    assert (PASSWORD in shown, "token-1" in shown) == (False, False)
    assert PASSWORD.encode() in it.server.received[0].body


def test_nothing_that_interrupts_a_write_shows_password_or_token(
    bench: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        message = "interrupted"
        raise LookupError(message)

    paused = Paused("Later.")

    def shut() -> None:
        raise paused

    shown = [
        _everything_shown_by_a_failed_create(bench(answer(202), gate=interrupt).client, LookupError),
        _everything_shown_by_a_failed_create(bench(answer(202), gate=shut).client, Paused),
        _everything_shown_by_a_failed_create(bench(answer(401), noticed=interrupt).client, LookupError),
    ]
    # As a task's time limit would: in the middle of urllib3.
    monkeypatch.setattr("urllib3.connection.HTTPConnection.getresponse", interrupt)
    it = bench(answer(202))
    shown.append(_everything_shown_by_a_failed_create(it.client, LookupError))
    assert [("newpostgre01" in words, PASSWORD in words, "token-1" in words) for words in shown] == [
        (True, False, False)
    ] * 4


def _everything_shown_by_a_failed_create(client: Client, kind: type[Exception] = ItcareError) -> str:
    options = {"name": "newpostgre01", "admPassword": SecretText(PASSWORD)}
    with pytest.raises(kind) as caught:
        client.create(options)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    return "".join(shown) + repr(vars(caught.value))


def test_an_accepted_answer_does_not_repeat_the_password(bench: Setting) -> None:
    it = bench(answer(202, {"id": 1, "message": f"Setting {PASSWORD}"}))
    for options in ({"admPassword": SecretText(PASSWORD)}, {"admPassword": PASSWORD}):
        accepted = it.client.create(options)
        assert accepted.action is not None
        assert accepted.action.message == "Setting ****"


@pytest.mark.parametrize("number", [0, -1, 2**63, "7", "7/../8", True])
def test_nothing_but_a_number_becomes_part_of_an_address(bench: Setting, number: int) -> None:
    it = bench(answer(202))
    with pytest.raises(ValueError, match="positive int64"):
        it.client.delete(number)
    assert it.server.received == []
