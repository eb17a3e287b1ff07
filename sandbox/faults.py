"""Faults on demand: rules that say which request is answered wrongly, how, and how often.

What each kind does is in `fault_kinds.py`.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from sandbox.exchange import Request
from sandbox.fault_kinds import KINDS, Fault

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
        if self.fault.writes_only and request.method not in WRITES:
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
