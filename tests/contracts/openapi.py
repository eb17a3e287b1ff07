"""Holds an exchange with ITCare, request and answer, against `docs/itcare/openapi.yaml`."""

import copy
import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

CONTRACT = Path(__file__).parent.parent.parent / "docs" / "itcare" / "openapi.yaml"
GUESSED = {"services": "/compute/services", "networks": "/networks", "regions": "/regions"}
WRITES = ("POST", "PATCH", "DELETE")

# Described in API.md 6 and not in the contract: the history of a resource, whose items look like actions.
UNLISTED: dict[str, Any] = {
    "/compute/resources/{id}/history": {
        "parameters": [{"$ref": "#/components/parameters/PostgresqlId"}],
        "get": {
            "responses": {
                "200": {
                    "content": {
                        "application/vnd.cegedim-it.v1+json": {
                            "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Action"}}
                        }
                    }
                },
                "401": {"$ref": "#/components/responses/Unauthenticated"},
                "404": {"$ref": "#/components/responses/NotFound"},
            }
        },
    }
}

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)")


class ContractBrokenError(AssertionError):
    """An exchange that the contract does not permit."""


def _int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


def _int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _date_time(value: object) -> bool:
    return not isinstance(value, str) or _MOMENT.fullmatch(value) is not None


FORMATS = FormatChecker(formats=())
for _name, _holds in (("int32", _int32), ("int64", _int64), ("date-time", _date_time)):
    FORMATS.checks(_name)(_holds)


def check_exchange(
    method: str,
    path: str,
    request_body: object,
    status: int,
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    without: Collection[str] = (),
    closed: bool = False,
) -> None:
    """Hold one exchange against the contract.

    Args:
        method: in capitals.
        path: below the API's base, with its query.
        request_body: as JSON that has been read, None for none.
        status: of the answer.
        headers: of the answer.
        body: of the answer, as it came.
        without: guessed lists (services, networks, regions) that are switched off: they have to answer 404.
        closed: also refuse fields of the answer that the contract does not name.

    Raises:
        ContractBrokenError: the contract does not permit it.
    """
    if request_body is not None or method in {"POST", "PATCH"}:
        check_request(method, path, request_body)
    else:
        check_query(method, path)
    if urlsplit(path).path in {GUESSED[name] for name in without}:
        _demand(status == HTTPStatus.NOT_FOUND, f"{path} is switched off and answers {status}")
        return
    check_answer(method, path, status, headers, body, closed=closed)


def check_request(method: str, path: str, request_body: object) -> None:
    """Hold a request's query and body against the contract.

    Raises:
        ContractBrokenError: the contract does not permit it.
    """
    check_query(method, path)
    declared = _operation(method, path)[0].get("requestBody")
    if declared is None:
        _demand(request_body is None, f"{method} {path} takes no body")
        return
    schema = declared["content"]["application/json"]["schema"]
    _check(request_body, schema, f"body of {method} {path}", closed=False)


def check_query(method: str, path: str) -> None:
    """Hold the parameters in path and query against the contract.

    Raises:
        ContractBrokenError: one is unknown or of the wrong type.
    """
    operation, item, in_path = _operation(method, path)
    declared = [resolved(each) for each in [*item.get("parameters", ()), *operation.get("parameters", ())]]
    schemas = {(each["in"], each["name"]): each["schema"] for each in declared}
    given = [("path", name, value) for name, value in in_path.items()]
    given += [("query", name, value) for name, value in parse_qsl(urlsplit(path).query, keep_blank_values=True)]
    for where, name, value in given:
        _demand((where, name) in schemas, f"{method} {path}: unknown {where} parameter {name}")
        schema = schemas[where, name]
        _check(_typed(value, schema), schema, f"{where} parameter {name}", closed=False)


def check_answer(
    method: str, path: str, status: int, headers: Mapping[str, str], body: bytes | str, *, closed: bool = False
) -> None:
    """Hold an answer against the contract.

    Raises:
        ContractBrokenError: the contract does not permit it.
    """
    operation = _operation(method, path)[0]
    _demand(str(status) in operation["responses"], f"{method} {path} may not answer {status}")
    if not body:
        # Errors are documented with empty bodies, and so are accepted orders (API.md 4).
        _demand(
            status >= HTTPStatus.BAD_REQUEST or method in WRITES, f"{method} {path} answers {status} without a body"
        )
        return
    content = resolved(operation["responses"][str(status)])["content"]
    lowered = {name.lower(): value for name, value in headers.items()}
    media_type = lowered.get("content-type", "").partition(";")[0].strip()
    _demand(media_type in content, f"{method} {path} answers {status} as {media_type!r}")
    try:
        read = json.loads(body)
    except ValueError as error:
        message = f"{method} {path} answers {status} with something that is not JSON"
        raise ContractBrokenError(message) from error
    _check(read, content[media_type]["schema"], f"{method} {path}, answer {status}", closed=closed)


@cache
def document() -> dict[str, Any]:
    """The contract, with the addresses that only API.md describes."""
    read: dict[str, Any] = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    read["paths"] |= UNLISTED
    return read


@cache
def _registry(*, closed: bool) -> Registry[Any]:
    contents = _closed(document()) if closed else document()
    empty: Registry[Any] = Registry()
    registry: Registry[Any] = empty.with_resource("urn:contract", Resource.from_contents(contents, DRAFT202012))
    return registry


def _closed(contents: dict[str, Any]) -> dict[str, Any]:
    """The contract with every open object closed to fields it does not name."""
    made = copy.deepcopy(contents)
    for name, schema in made["components"]["schemas"].items():
        if "allOf" in schema or schema.get("additionalProperties") is True:
            schema.pop("additionalProperties", None)
            # PageBase is a part of each page, which is what has to be closed. Unlike additionalProperties this sees the
            # properties that the parts name.
            if name != "PageBase":
                schema["unevaluatedProperties"] = False
    return made


def _operation(method: str, path: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """The operation, its path item and the parameters in the path."""
    plain = urlsplit(path).path
    for template, item in document()["paths"].items():
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), plain)
        if found is not None and method.lower() in item:
            return item[method.lower()], item, found.groupdict()
    message = f"{method} {plain} is not in the contract"
    raise ContractBrokenError(message)


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What a part of the contract refers to, or itself."""
    if "$ref" not in value:
        return value
    found: Any = document()
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _typed(text: str, schema: Mapping[str, Any]) -> object:
    """A parameter's text as the type its schema wants, or as text when it is not of that type."""
    match schema["type"]:
        case "array":
            return [_typed(part, resolved(schema["items"])) for part in text.split(",")]
        case "integer" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "boolean" if text in {"true", "false"}:
            return text == "true"
    return text


def _check(value: object, schema: Mapping[str, Any], what: str, *, closed: bool) -> None:
    absolute = _absolute(schema)
    validator = Draft202012Validator(absolute, registry=_registry(closed=closed), format_checker=FORMATS)
    for error in _causes(validator.iter_errors(value)):
        message = f"{what}: {error.json_path}: {error.message}"
        raise ContractBrokenError(message)


def _causes(errors: Iterator[Any]) -> Iterator[Any]:
    """The innermost error of each, because a choice alone only says that nothing fits."""
    for error in errors:
        if error.context:
            yield max(error.context, key=lambda each: len(each.absolute_path))
        else:
            yield error


def _absolute(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """The schema with references that hold outside of the contract."""
    if isinstance(schema, dict):
        return {key: f"urn:contract{value}" if key == "$ref" else _absolute(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_absolute(each) for each in schema]
    return schema


def _demand(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise ContractBrokenError(message)
