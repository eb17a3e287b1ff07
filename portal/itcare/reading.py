"""Reads JSON that may be anything into the values of `types`: known keys alone, wrong types as None.

Nothing here raises on what the upstream sends: an item without its identity is None, and a body that is no JSON is
`NOTHING`.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final, NoReturn, TypeVar, get_type_hints

from portal.itcare.types import Area, AvailabilityZone, Backup, Cluster, PatchParty, Region

T = TypeVar("T")

# The longest text kept, in characters, and the longest message of an error.
TEXT_LIMIT = 2_000
MESSAGE_LIMIT = 500
# Seconds to wait that are believed, however long ITCare asks for: whatever waits for it goes on together.
LONGEST_WAIT: Final = 300.0
_INT64 = 2**63
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?", re.ASCII
)


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


#: A body that is not JSON.
NOTHING: Final = _Nothing()


def document(body: bytes) -> object:
    """Parse a JSON body; None when it is empty, NOTHING when it is not JSON, or nested or numbered beyond reason."""
    if not body.strip():
        return None
    try:
        return json.loads(body, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return NOTHING


def _not_json(word: str) -> NoReturn:
    raise ValueError(word)


def text(value: object, limit: int = TEXT_LIMIT) -> str | None:
    """Read a text, at most `limit` characters; control, format and surrogate characters become blanks or vanish."""
    if not isinstance(value, str):
        return None
    value = value[:limit]
    return value if value.isprintable() else "".join(map(_printable, value)).strip()


def _printable(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return " "
        # Format characters reorder or hide what is shown; a lone surrogate cannot be stored or sent.
        case "Cf" | "Cs":
            return ""
    return character


def whole(value: object) -> int | None:
    """Read an integer of the API's widest type, int64."""
    return value if type(value) is int and -_INT64 <= value < _INT64 else None


def identity(value: object) -> int | None:
    """Read an identifier: a positive int64."""
    number = whole(value)
    return number if number is not None and number > 0 else None


def _number(value: object) -> float | None:
    # Larger integers do not fit a float; larger storage does not exist.
    if type(value) is float:
        return value if math.isfinite(value) else None
    number = whole(value)
    return None if number is None else float(number)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def moment(value: object) -> datetime | None:
    """Read a date in any of the API's three spellings (API.md 1), in UTC, which it is without an offset."""
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        return None
    day, time, fraction, _, sign, hours, minutes = found.groups()
    offset = f"{sign}{hours}:{minutes}" if sign else "+00:00"
    try:
        at = (
            datetime.fromisoformat(f"{day}T{time}{offset}")
            .replace(microsecond=int((fraction or "0")[:6].ljust(6, "0")))
            .astimezone(UTC)
        )
    except (ValueError, OverflowError):
        return None
    # 9999-12-31 means "never", and no other zone than UTC can show it: the first and the last year are no dates.
    return at if MINYEAR < at.year < MAXYEAR else None


def http_date(value: str | None) -> datetime | None:
    """Read a `Date` header as an aware datetime."""
    try:
        found = parsedate_to_datetime(value or "")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def seconds_to_wait(value: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header, a number of seconds or a date, as seconds from `now`, at most `LONGEST_WAIT`."""
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    found = http_date(value)
    return None if found is None else min(max((found - now).total_seconds(), 0.0), LONGEST_WAIT)


def entries(value: object) -> list[object]:
    """Read a list in any of the forms seen: bare, as the content of a page, or one single object (A8)."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        content = value.get("content", value)
        return content if isinstance(content, list) else [value]
    return []


def texts(value: object) -> tuple[str, ...]:
    """Read a list of texts, without what is no text."""
    return tuple(known for item in entries(value) if (known := text(item)))


def _word(value: object) -> str | None:
    return text(value) or None


def _version(value: object) -> str | None:
    # The API documents the cluster's version as a string and the versions offered as integers (API.md 7.3); the group
    # of patching is a string where it is sent, and may be either where it is told.
    return str(value) if whole(value) is not None else text(value)


_READERS: dict[object, Callable[[object], object]] = {
    int | None: whole,
    str | None: text,
    bool | None: _flag,
    float | None: _number,
    datetime | None: moment,
    int: identity,
    str: _word,
    tuple[str, ...]: texts,
}
_READERS_BY_NAME: dict[str, Callable[[object], object]] = {
    "id": identity,
    "internal_id": identity,
    "internal_resource_id": identity,
    "service_id": identity,
    "network_id": identity,
    "version": _version,
    "patch_group": _version,
    "product_version": _version,
}


@cache
def _plan(kind: type[Any]) -> tuple[tuple[str, str, Callable[[object], object], bool], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (known.name, _key(known), _READERS_BY_NAME.get(known.name) or _READERS[hints[known.name]], _needed(known))
        for known in fields(kind)
        if known.name in _READERS_BY_NAME or hints[known.name] in _READERS
    )


def _needed(known: "Field[Any]") -> bool:
    return known.default is MISSING and known.default_factory is MISSING


def _key(known: "Field[Any]") -> str:
    head, *tail = known.name.split("_")
    return str(known.metadata.get("key", head + "".join(word.capitalize() for word in tail)))


def item(kind: type[T], value: object, **given: object) -> T | None:
    """Build a value of `types` from a JSON object.

    Args:
        kind: the dataclass to build.
        value: what the upstream sent.
        given: fields that do not come from the object.

    Returns:
        The value, or None when it is no object or lacks what `kind` cannot be without.
    """
    if not isinstance(value, Mapping):
        return None
    found: dict[str, Any] = dict(given)
    shape: Any = kind  # a type variable does not count as hashable
    for name, key, read, needed in _plan(shape):
        if name in given:
            continue
        known = read(value.get(key))
        if known is not None:
            found[name] = known
        elif needed:
            return None
    return kind(**found)


def cluster(value: object, path_id: int) -> Cluster | None:
    """Build a cluster with what may be told of its patching and its backup (API.md 7.4)."""
    if not isinstance(value, Mapping):
        return None
    details = value.get("backupPolicyDetails")
    policies = _names(details.get("policies")) if isinstance(details, Mapping) else None
    return item(
        Cluster,
        value,
        path_id=path_id,
        patch_party=item(PatchParty, value.get("patchParty")),
        backup=item(Backup, value.get("backup")),
        backup_policies=policies,
    )


def _names(value: object) -> tuple[str, ...] | None:
    """Read names, bare or as those of objects; None where nothing is told."""
    if value is None:
        return None
    told = (text(part.get("name")) if isinstance(part, Mapping) else text(part) for part in entries(value))
    return tuple(name for name in told if name)


def region(value: object) -> Region | None:
    """Build a region with its areas and zones (A4)."""
    if not isinstance(value, Mapping):
        return None
    areas = tuple(known for part in entries(value.get("areas")) if (known := _area(part)))
    return item(Region, value, areas=areas)


def _area(value: object) -> Area | None:
    if not isinstance(value, Mapping):
        return None
    parts = entries(value.get("availabilityZones"))
    zones = tuple(known for part in parts if (known := item(AvailabilityZone, part)))
    return item(Area, value, availability_zones=zones)
