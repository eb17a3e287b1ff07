"""A plain HTTP client of the stand-in, for its own tests."""

import json
from typing import Any

import requests

from tests.contracts.openapi import check_exchange
from tests.sandbox_server import ANSWER_SECONDS, Sandbox, until

VENDOR_TYPE = "application/vnd.cegedim-it.v1+json"

EXAMPLE: dict[str, Any] = {
    "productCode": "deb12pg16",
    "serviceId": 123,
    "nodeSizing": "2cpu4gb",
    "networkId": 132,
    "area": "EB-QA",
    "az": "EB-A",
    "diskSize": 40,
    "admPassword": "Test123@2022",
    "allowedReplicationLag": 10,
    "topology": "STANDALONE",
    "trigram": "tri",
    "tls": True,
    "name": "newpostgre01",
}
HA_EXAMPLE = {**EXAMPLE, "topology": "HA", "name": "newpostgre02", "nodePrefix": "NEWPG"}


class Caller:
    """Calls the stand-in with a token and checks each exchange, unless told not to."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.without: tuple[str, ...] = ()
        self._token = ""

    def token(self) -> str:
        """Fetch a token once."""
        if not self._token:
            self._token = self.ask_token().json()["access_token"]
        return self._token

    def ask_token(self, *, secret: str | None = None, form: dict[str, str] | None = None) -> requests.Response:
        return requests.post(
            self.sandbox.token_url,
            data=form or {"grant_type": "client_credentials"},
            auth=(self.sandbox.client_id, secret or self.sandbox.client_secret),
            timeout=ANSWER_SECONDS,
        )

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        check: bool = True,
    ) -> requests.Response:
        """Call, and hold the exchange against the contract; `check=False` for calls that break it on purpose."""
        sent = {"Authorization": f"Bearer {self.token()}", "Accept": VENDOR_TYPE, **(headers or {})}
        data = None
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            data = json.dumps(body)
        answer = requests.request(method, self.sandbox.base_url + path, data=data, headers=sent, timeout=ANSWER_SECONDS)
        if check:
            check_exchange(
                method,
                path,
                body,
                answer.status_code,
                answer.headers,
                answer.content,
                without=self.without,
                closed=True,
            )
        return answer

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """What a read answers, which has to be 200."""
        answer = self.call("GET", path)
        assert answer.status_code == requests.codes.ok, (path, answer.status_code)
        return answer.json()

    def create(self, **changes: object) -> requests.Response:
        """Create the example with some attributes changed; None leaves one out."""
        wanted = {**EXAMPLE, **changes}
        body = {name: value for name, value in wanted.items() if value is not None}
        return self.call("POST", "/databases/postgresql", body)

    def clusters(self, query: str = "") -> list[dict[str, Any]]:
        """The PostgreSQL clusters of the first page of two hundred."""
        content = self.get(f"/compute/resources?types=POSTGRESQL&size=200{query}")["content"]
        return list(content)

    def named(self, name: str) -> dict[str, Any]:
        """The list item of that name."""
        (found,) = self.clusters(f"&names={name}")
        return dict(found)

    def ended(self, action_id: int) -> dict[str, Any]:
        """The action, once it has ended."""

        def look() -> dict[str, Any] | None:
            action: dict[str, Any] = self.get(f"/actions/{action_id}")
            return None if action["status"] == "IN_PROGRESS" else action

        return dict(until(look))
