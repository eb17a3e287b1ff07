"""The stand-in without its listener, under a clock that the test turns."""

import base64
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sandbox.application import Application, Options
from sandbox.exchange import Reply, Request
from tests.contracts.openapi import CONTRACT, check_exchange

START = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> float:
        return self.time


class Inside:
    """The stand-in without its listener."""

    def __init__(self, folder: Path, clock: Clock, **options: Any) -> None:  # noqa: ANN401 - any option
        given = Options(
            state=folder / "state.json", contract=CONTRACT, client_id="account", client_secret="secret", **options
        )
        self.application = Application(given, clock=clock)
        credentials = base64.b64encode(b"account:secret").decode()
        headers = {"authorization": f"Basic {credentials}", "content-type": "application/x-www-form-urlencoded"}
        token = self.application.answer_token(
            Request("POST", "/auth", {}, headers, b"grant_type=client_credentials")
        ).body["access_token"]
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401 - any JSON
        sent = b"" if body is None else json.dumps(body).encode()
        listed = {name: [value] for name, value in query.items()}
        return self.application.answer(Request(method, path, listed, self.headers, sent)).body

    def patch(self, number: int, operation: str, **options: object) -> Reply:
        """Ask for an operation, and hold the exchange against the contract."""
        body: dict[str, object] = {"operation": operation, **({"options": options} if options else {})}
        path = f"/databases/postgresql/{number}"
        reply = self.application.answer(Request("PATCH", path, {}, self.headers, json.dumps(body).encode()))
        headers = {**reply.headers, "Content-Type": reply.media_type}
        check_exchange("PATCH", path, body, reply.status, headers, reply.encoded(), closed=True)
        return reply

    def ordered(self, number: int, operation: str, **options: object) -> int:
        """Return the action that an operation led to."""
        reply = self.patch(number, operation, **options)
        assert reply.status == HTTPStatus.ACCEPTED, reply.body
        return int(reply.body["id"])

    def refused(self, number: int, operation: str, **options: object) -> tuple[int, str]:
        """Return the status and the field of a refusal, which has the documented body."""
        reply = self.patch(number, operation, **options)
        assert reply.body["status"] == HTTPStatus(reply.status).name
        assert set(reply.body) == {"status", "errorCode", "errorDesc", "errorMessage"}
        return reply.status, reply.body["errorDesc"]

    def control(self, method: str, number: int, /, **fields: object) -> Reply:
        """Show, place, change or remove a cluster."""
        body = json.dumps(fields).encode() if fields else b"{}"
        return self.application.answer_control(Request(method, f"/_sandbox/clusters/{number}", {}, {}, body))

    def hasten(self, how: str) -> Any:  # noqa: ANN401 - any JSON
        """Let the `next` step of what is under way happen, or the `end`."""
        return self.application.answer_control(Request("POST", f"/_sandbox/actions/{how}", {}, {}, b"")).body

    def place(self, number: int, **fields: object) -> None:
        """Put a cluster there."""
        reply = self.control("PUT", number, **fields)
        assert reply.status == HTTPStatus.OK, reply.body

    def detail(self, number: int) -> Any:  # noqa: ANN401 - any JSON
        return self.call("GET", f"/databases/postgresql/{number}")

    def part(self, number: int, part: str) -> Any:  # noqa: ANN401 - any JSON
        return self.call("GET", f"/databases/postgresql/{number}/{part}")

    def summary(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        content = self.call("GET", "/compute/resources", names=name)["content"]
        return content[0] if content else None


def told(sandbox: Inside, clock: Clock, action_id: int, *, tick: float) -> list[tuple[float, str, str]]:
    """Seconds since now, status and message each time the message changes, to the end."""
    begun = clock.time
    seen: list[tuple[float, str, str]] = []
    while not seen or seen[-1][1] == "IN_PROGRESS":
        action = sandbox.call("GET", f"/actions/{action_id}")
        if not seen or seen[-1][2] != action["message"]:
            seen.append((clock.time - begun, action["status"], action["message"]))
        clock.time += tick
        assert clock.time < begun + 3600
    return seen
