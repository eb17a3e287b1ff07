"""The checker refuses what the contract does not permit, and passes the contract's own examples."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contracts.openapi import ContractBrokenError, check_answer, check_exchange, check_request, document, resolved

VENDOR = {"Content-Type": "application/vnd.cegedim-it.v1+json"}
CREATE: dict[str, Any] = document()["paths"]["/databases/postgresql"]["post"]["requestBody"]["content"][
    "application/json"
]["examples"]
ACTION = {"id": 1, "status": "SUCCESS", "submittedAt": "2026-11-23T10:00:00.000Z"}


def examples() -> Iterator[tuple[str, str, str, object]]:
    """Method, path, status and value of each example of an answer."""
    for path, item in document()["paths"].items():
        for method in ("get", "post", "patch", "delete"):
            for status, answer in item.get(method, {}).get("responses", {}).items():
                for content in resolved(answer).get("content", {}).values():
                    given = [content["example"]] if "example" in content else []
                    given += [resolved(each)["value"] for each in content.get("examples", {}).values()]
                    for value in given:
                        yield method.upper(), path.replace("{id}", "1").replace("{actionId}", "1"), status, value


def test_the_contracts_own_examples_pass() -> None:
    checked = list(examples())
    for method, path, status, value in checked:
        check_answer(method, path, int(status), VENDOR, json.dumps(value), closed=True)
    assert len(checked) == 34
    for example in CREATE.values():
        check_request("POST", "/databases/postgresql", example["value"])
    operations = document()["paths"]["/databases/postgresql/{id}"]["patch"]["requestBody"]["content"]
    for example in operations["application/json"]["examples"].values():
        check_request("PATCH", "/databases/postgresql/1", example["value"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/databases/mariadb/1", None),
        ("GET", "/databases/postgresql", None),
        ("GET", "/databases/postgresql/one", None),
        ("GET", "/actions?page=1", None),
        ("GET", "/actions?statuses=DONE", None),
        ("GET", "/compute/resources?size=many", None),
        ("GET", "/compute/resources?services=1,x", None),
        ("GET", "/compute/resources?backupStatus=yes", None),
        ("GET", "/regions", {}),
        ("DELETE", "/databases/postgresql/1", {"changeReference": "x"}),
        ("PATCH", "/databases/postgresql/1", None),
        ("PATCH", "/databases/postgresql/1", {"operation": "restart"}),
        ("POST", "/databases/postgresql", {**CREATE["standalone"]["value"], "colour": "blue"}),
        ("POST", "/databases/postgresql", {**CREATE["standalone"]["value"], "diskSize": 39}),
    ],
)
def test_requests_that_are_refused(method: str, path: str, body: object) -> None:
    with pytest.raises(ContractBrokenError):
        check_exchange(method, path, body, 404, {}, b"")


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body"),
    [
        ("GET", "/actions/1", 418, {}, b""),
        ("GET", "/actions/1", 200, {}, b""),
        ("GET", "/actions/1", 200, VENDOR, b"{"),
        ("GET", "/actions/1", 200, {"Content-Type": "application/json"}, json.dumps(ACTION)),
        ("GET", "/actions/1", 200, VENDOR, json.dumps([ACTION])),
        ("GET", "/actions/1", 200, VENDOR, json.dumps({**ACTION, "id": "1"})),
        ("GET", "/actions/1", 200, VENDOR, json.dumps({**ACTION, "id": 2**63})),
        ("GET", "/actions/1", 200, VENDOR, json.dumps({**ACTION, "status": "DONE"})),
        ("GET", "/actions/1", 200, VENDOR, json.dumps({**ACTION, "submittedAt": "yesterday"})),
        ("GET", "/actions", 200, VENDOR, json.dumps(ACTION)),
        ("GET", "/compute/resources", 200, VENDOR, json.dumps([])),
        ("GET", "/databases/postgresql/1", 200, VENDOR, json.dumps({"name": "x"})),
        ("GET", "/databases/postgresql/1/versions", 200, VENDOR, json.dumps(["16"])),
        ("GET", "/compute/resources/1/history", 200, VENDOR, json.dumps({})),
    ],
)
def test_answers_that_are_refused(
    method: str, path: str, status: int, headers: dict[str, str], body: bytes | str
) -> None:
    with pytest.raises(ContractBrokenError):
        check_exchange(method, path, None, status, headers, body)


def test_empty_answers_that_are_documented() -> None:
    check_exchange("DELETE", "/databases/postgresql/1", None, 202, {}, b"")
    for status in (400, 401, 403, 404, 500, 503):
        check_exchange("GET", "/databases/postgresql/1", None, status, {}, b"")


def test_unknown_fields_are_refused_on_demand_only() -> None:
    body = json.dumps({**ACTION, "colour": "blue"})
    check_exchange("GET", "/actions/1", None, 200, VENDOR, body)
    with pytest.raises(ContractBrokenError, match="colour"):
        check_exchange("GET", "/actions/1", None, 200, VENDOR, body, closed=True)
    page = json.dumps({"content": [{"id": 1}], "colour": "blue"})
    check_exchange("GET", "/compute/resources", None, 200, VENDOR, page)
    with pytest.raises(ContractBrokenError, match="colour"):
        check_exchange("GET", "/compute/resources", None, 200, VENDOR, page, closed=True)


def test_a_guessed_list_that_is_switched_off_has_to_be_missing() -> None:
    check_exchange("GET", "/regions", None, 404, {}, b"", without=("regions",))
    with pytest.raises(ContractBrokenError):
        check_exchange("GET", "/regions", None, 200, VENDOR, b"[]", without=("regions",))
    with pytest.raises(ContractBrokenError):
        check_exchange("GET", "/regions", None, 404, {}, b"")
