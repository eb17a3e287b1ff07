"""Request bodies checked against the contract, `openapi.yaml`."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from sandbox.exchange import Refusal, invalid

_ADDRESS = "urn:openapi"

# The narrower password rule of the sister products (API.md 7.1).
_NARROW_PASSWORD = re.compile(
    r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#&()–{}:;',?/*~$^+=<>]).{12,20}"  # noqa: RUF001
)


def _pattern(_validator: object, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    # Python's `$` also matches before a final line feed, that of JSON Schema does not.
    strict = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    if isinstance(instance, str) and not re.search(strict, instance):
        yield ValidationError("does not match")


# JSON Schema's date-time, which the page asks of timestamps, is RFC 3339: with an offset, and with a colon in it.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _is_moment(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if _MOMENT.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        return False
    return True


_FORMATS = FormatChecker(formats=())
_FORMATS.checks("date-time")(_is_moment)

_Validator = validators.extend(Draft202012Validator, {"pattern": _pattern})


@cache
def _read(path: Path) -> Mapping[str, Any]:
    # Takes a tenth of a second without the C part of PyYAML, which counts where many are started.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: Mapping[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both are safe
    return document


class Contract:
    """The schemas of request bodies."""

    def __init__(self, path: Path, *, narrow_password: bool) -> None:
        """Read the contract.

        Raises:
            OSError: the file cannot be read.
        """
        document = _read(path)
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_ADDRESS, resource)
        self._narrow_password = narrow_password

    def check_create(self, payload: object) -> Mapping[str, Any]:
        """The body of a create, if it is in order.

        Raises:
            Refusal: 400 naming the field at fault.
        """
        body = self._check(payload, "CreatePostgresql")
        if self._narrow_password and not _NARROW_PASSWORD.fullmatch(body["admPassword"]):
            raise invalid(
                field_name="admPassword", why="12 to 20 characters of the permitted ones, each class at least once"
            )
        return body

    def check_operation(self, payload: object) -> Mapping[str, Any]:
        """The body of a PATCH, if it is in order.

        Raises:
            Refusal: 400 naming the field at fault.
        """
        return self._check(payload, "PostgresqlOperation")

    def _check(self, payload: object, name: str) -> Mapping[str, Any]:
        if not isinstance(payload, dict):
            raise invalid(field_name="body", why="a JSON object is needed")
        # Deciding by the discriminator names the field at fault; `oneOf` alone would only say that no choice fits.
        discriminator = self._schemas[name]["discriminator"]
        key = discriminator["propertyName"]
        if key not in payload:
            raise invalid(field_name=key, why="is missing")
        reference = discriminator["mapping"].get(payload[key]) if isinstance(payload[key], str) else None
        if reference is None:
            raise invalid(field_name=key, why="is none of " + ", ".join(discriminator["mapping"]))
        validator = _Validator({"$ref": _ADDRESS + reference}, registry=self._registry, format_checker=_FORMATS)

        def place(error: ValidationError) -> tuple[int, str]:
            return len(error.absolute_path), _field(error)

        errors = sorted(validator.iter_errors(payload), key=place)
        if errors:
            raise _refused(errors[0])
        return payload


def _refused(error: ValidationError) -> Refusal:
    return invalid(field_name=_field(error), why=_why(error))


def _field(error: ValidationError) -> str:
    """Name of the field at fault, with dots where it lies deeper."""
    path = [str(part) for part in error.absolute_path]
    if error.validator == "required":
        path.append(next(name for name in error.validator_value if name not in error.instance))
    elif error.validator == "additionalProperties":
        path.append(next(name for name in error.instance if name not in error.schema["properties"]))
    elif error.validator == "anyOf" and not path:
        path.append(error.validator_value[0]["required"][0])
    return ".".join(path)


def _why(error: ValidationError) -> str:
    match error.validator:
        case "required" | "anyOf":
            return "is missing"
        case "additionalProperties":
            return "is not known"
        case "type":
            return f"must be of type {error.validator_value}"
        case "enum":
            return "is none of " + ", ".join(map(str, error.validator_value))
        case "minLength" | "maxLength" | "minimum" | "maximum" | "minItems":
            return f"{error.validator} is {error.validator_value}"
        case _:
            return "has a form that is not permitted"
