"""Faults on demand: rules that say which request is answered wrongly, how, and how often.

A new kind of fault is one class here and its line in `KINDS`.
"""

import dataclasses
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Self

from jsonschema import Draft202012Validator, ValidationError

from sandbox.exchange import Reply, Request
from sandbox.world.stories import Order, failing

Wait = Callable[[float], None]  # waits that many seconds, less when the server stops

_STATUS = {"type": "integer", "minimum": 200, "maximum": 599}
_BODY: dict[str, Any] = {}  # any JSON
_HEADERS = {"type": "object", "additionalProperties": {"type": "string"}}
_SECONDS = {"type": "number", "minimum": 0, "maximum": 3600}


@dataclass(frozen=True)
class Fault:
    """Base of all kinds; as it stands it changes nothing. The fields of a kind are those of its JSON."""

    properties: ClassVar[Mapping[str, Any]] = {}
    required: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Build from JSON that has been checked."""
        return cls(**values)

    def instead(self, wait: Wait) -> Reply | None:  # noqa: ARG002 - for kinds that need it
        """An answer without anything being done, or None to go on."""
        return None

    def order(self, order: Order) -> Order:
        """What is carried out, when a write is."""
        return order

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002 - for kinds that need it
        """The answer, once everything has been done."""
        return reply


@dataclass(frozen=True)
class Refuse(Fault):
    """Nothing is done, that status is answered."""

    properties: ClassVar[Mapping[str, Any]] = {"status": _STATUS, "body": _BODY, "headers": _HEADERS}
    required: ClassVar[tuple[str, ...]] = ("status",)

    status: int
    body: object = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def instead(self, wait: Wait) -> Reply:  # noqa: ARG002
        """The refusal."""
        return Reply(self.status, self.body, headers=self.headers)


@dataclass(frozen=True)
class Empty(Fault):
    """Done, and answered without a body."""

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """The answer without its body."""
        return dataclasses.replace(reply, body=None)


@dataclass(frozen=True)
class Drop(Fault):
    """Done, then the connection is closed without an answer."""

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """No answer."""
        return dataclasses.replace(reply, dropped=True)


@dataclass(frozen=True)
class DropBefore(Fault):
    """The connection is closed, nothing is done."""

    def instead(self, wait: Wait) -> Reply:  # noqa: ARG002
        """No answer."""
        return Reply(HTTPStatus.OK, dropped=True)


@dataclass(frozen=True)
class Late(Fault):
    """Done and answered late; with `before`, done late as well."""

    properties: ClassVar[Mapping[str, Any]] = {"seconds": _SECONDS, "before": {"type": "boolean"}}
    required: ClassVar[tuple[str, ...]] = ("seconds",)

    seconds: float
    before: bool = False

    def instead(self, wait: Wait) -> None:
        """Wait before anything is done."""
        if self.before:
            wait(self.seconds)

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:
        """Wait before answering."""
        if not self.before:
            wait(self.seconds)
        return reply


@dataclass(frozen=True)
class StatusAfter(Fault):
    """Done, then that status is answered."""

    properties: ClassVar[Mapping[str, Any]] = {"status": _STATUS, "body": _BODY, "headers": _HEADERS}
    required: ClassVar[tuple[str, ...]] = ("status",)

    status: int
    body: object = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """That status."""
        return dataclasses.replace(reply, status=self.status, body=self.body, headers=self.headers)


@dataclass(frozen=True)
class ActionError(Fault):
    """Accepted, and the action that was started ends in ERROR."""

    properties: ClassVar[Mapping[str, Any]] = {"message": {"type": "string"}}

    message: str = "Not enough capacity"

    def order(self, order: Order) -> Order:
        """The order that fails halfway."""
        return failing(order, self.message)


KINDS: Mapping[str, type[Fault]] = {
    "refuse": Refuse,
    "empty": Empty,
    "drop": Drop,
    "drop_before": DropBefore,
    "late": Late,
    "status_after": StatusAfter,
    "action_error": ActionError,
}

EVERYWHERE = r"(?!/auth/)"  # below the API's base; the token address has to be named
WRITES = ("POST", "PUT", "PATCH", "DELETE")

_RULE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["fault"],
    "properties": {
        "match": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"method": {"type": "string"}, "path": {"type": "string", "format": "regex"}},
        },
        "times": {"type": ["integer", "null"], "minimum": 0},
        "fault": {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": list(KINDS)}}},
    },
    # One after the other instead of oneOf, so that an error names the field and not only that nothing fits.
    "allOf": [
        {
            "if": {"properties": {"fault": {"properties": {"kind": {"const": word}}}}},
            "then": {
                "properties": {
                    "fault": {
                        "additionalProperties": False,
                        "required": ["kind", *kind.required],
                        "properties": {"kind": {}, **kind.properties},
                    }
                }
            },
        }
        for word, kind in KINDS.items()
    ],
}
_RULES = Draft202012Validator({"type": "array", "items": _RULE}, format_checker=Draft202012Validator.FORMAT_CHECKER)


class BadRulesError(ValueError):
    """Rules that cannot be understood."""

    def __init__(self, error: ValidationError) -> None:
        """Say where in the rules, and what."""
        where = "/".join(str(part) for part in error.absolute_path)
        super().__init__(f"{where}: {error.message}" if where else error.message)


@dataclass
class _Rule:
    method: str | None
    path: re.Pattern[str]  # matched from the beginning, so that a plain text is a prefix
    times: int | None  # None: for ever
    fault: Fault
    as_given: Mapping[str, Any]

    def fits(self, request: Request) -> bool:
        if self.times == 0 or (self.method is not None and self.method != request.method):
            return False
        if isinstance(self.fault, ActionError) and request.method not in WRITES:
            return False
        return self.path.match(request.path) is not None


class Faults:
    """The rules in force. The first that fits a request is the one that counts."""

    def __init__(self) -> None:
        """Begin without rules."""
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(self, rules: object) -> None:
        """Add rules behind those in force.

        Raises:
            BadRulesError: one cannot be understood; none was added.
        """
        new = _read(rules)
        with self._lock:
            self._rules += new

    def replace(self, rules: object) -> None:
        """Put rules in the place of those in force.

        Raises:
            BadRulesError: one cannot be understood; nothing changed.
        """
        new = _read(rules)
        with self._lock:
            self._rules = new

    def shown(self) -> list[dict[str, Any]]:
        """The rules as JSON, `times` being what is left."""
        with self._lock:
            return [{**rule.as_given, "times": rule.times} for rule in self._rules]

    def take(self, request: Request) -> Fault | None:
        """The fault for this request, counted down, or None."""
        with self._lock:
            for rule in self._rules:
                if rule.fits(request):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule.fault
        return None


def _read(rules: object) -> list[_Rule]:
    given: Sequence[Mapping[str, Any]] = [rules] if isinstance(rules, dict) else rules  # type: ignore[assignment]
    for error in _RULES.iter_errors(given):
        raise BadRulesError(error)
    made = []
    for rule in given:
        match, fault = rule.get("match", {}), dict(rule["fault"])
        made.append(
            _Rule(
                method=match.get("method"),
                path=re.compile(match.get("path", EVERYWHERE)),
                times=rule.get("times"),
                fault=KINDS[fault.pop("kind")].read(fault),
                as_given=rule,
            )
        )
    return made
