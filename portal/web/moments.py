"""Moments that people type: read without guessing, in a field that says in which zone it is read."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from django import forms
from django.utils import timezone

# What the field puts after a moment whose zone the browser knows and could not turn into an offset.
UNTOLD: Final = "?"
# The zone of the reader, an option that static/js/moment.js adds.
READER: Final = "reader"
_SHAPE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?) ?(Z|UTC|\?|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
_SUCH: Final = "give day and time, such as 2026-11-02 09:32:02"


class MomentError(ValueError):
    """It is not known which moment is meant; the message is the sentence for people."""


def read_moment(text: str) -> datetime:
    """Return the moment in UTC; one that is typed without a zone is in the portal's own.

    Raises:
        MomentError: it is no moment, has no time, is out of all reach, or its hour comes twice or never.
    """
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        message = f"This is no moment: {_SUCH}."
        raise MomentError(message)
    day, clock, zone = shape.groups()
    if not clock:
        message = "Give the time of that day too, such as 2026-11-02 09:32:02."
        raise MomentError(message)
    if zone == UNTOLD:
        message = "This hour comes twice in your time zone, or never: choose its offset from UTC."
        raise MomentError(message)
    try:
        if zone:
            return datetime.fromisoformat(f"{day}T{clock}{_offset(zone)}").astimezone(UTC)
        return _here(datetime.fromisoformat(f"{day}T{clock}"), timezone.get_current_timezone())
    except OverflowError as error:
        message = f"This moment is out of all reach: {_SUCH}."
        raise MomentError(message) from error
    except MomentError:
        raise
    except ValueError as error:
        message = f"This is no moment: {_SUCH}."
        raise MomentError(message) from error


def _here(naive: datetime, zone: tzinfo) -> datetime:
    first, second = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    moment = first.astimezone(UTC)
    if moment == second.astimezone(UTC):
        return moment
    if moment.astimezone(zone).replace(tzinfo=None) != naive:
        message = f"In {zone} this hour is left out on that day: choose another one, or its offset from UTC."
        raise MomentError(message)
    offsets = f"{_spelled(first)} or {_spelled(second)}"
    message = f"In {zone} this hour comes twice on that day: choose its offset from UTC, {offsets}."
    raise MomentError(message)


def written_here(moment: datetime) -> str:
    """Write a moment for the field in the portal's zone; with its offset only where its hour comes twice."""
    local = timezone.localtime(moment)
    text = local.strftime("%Y-%m-%dT%H:%M:%S")
    try:
        read_moment(text)
    except MomentError:
        return f"{text}{_spelled(local)}"
    return text


def _offset(zone: str) -> str:
    return "+00:00" if zone in {"Z", "UTC"} else f"{zone[:3]}:{zone[3:].removeprefix(':') or '00'}"


def _spelled(moment: datetime) -> str:
    """The moment's offset from UTC, as in "+01:00"."""
    return moment.isoformat()[-6:]


class MomentInput(forms.TextInput):
    """A picker of a moment within the last days, with a choice of the zone that it is read in.

    Under its own name it sends a moment, with or without an offset, as scripts do; under NAME_zone the offset of a
    moment without one. static/js/moment.js adds the reader's zone, and sends the offset with the moment.
    """

    input_type = "datetime-local"
    template_name = "components/moment.html"
    earliest: datetime | None = None
    latest: datetime | None = None

    def between(self, earliest: datetime, latest: datetime) -> None:
        """Let nothing else be picked."""
        self.earliest, self.latest = earliest, latest
        ends = {"min": timezone.localtime(earliest), "max": timezone.localtime(latest)}
        self.attrs |= {"step": "1", **{name: end.strftime("%Y-%m-%dT%H:%M:%S") for name, end in ends.items()}}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str | None:  # noqa: ANN401 - as Django has it
        """Put a moment together from the two fields."""
        text: str | None = super().value_from_datadict(data, files, name)
        shape = _SHAPE.fullmatch((text or "").strip())
        zone = data.get(f"{name}_zone", "")
        if not text or not zone or (shape and shape[3]):
            return text
        return f"{text}{UNTOLD if zone == READER else zone}"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ANN401 - as Django has it
        """Take the moment apart for the two fields."""
        shape = _SHAPE.fullmatch(str(value or "").strip())
        zone = shape[3] or "" if shape else ""
        if shape and shape[2]:
            value = f"{shape[1]}T{shape[2]}"
        chosen = "" if zone in {"", UNTOLD} else _offset(zone)
        context: dict[str, Any] = super().get_context(name, value, attrs)
        days = (self.latest - self.earliest).days if self.earliest and self.latest else 0
        context["widget"] |= {
            "days": days,
            "zones": self._zones(chosen),
            "zone": chosen,
            "here": timezone.get_current_timezone_name(),
            "own": zone == UNTOLD,
        }
        return context

    def _zones(self, chosen: str) -> list[tuple[str, str]]:
        ends = {_spelled(timezone.localtime(end)) for end in (self.earliest, self.latest) if end}
        offsets = [*(sorted(ends) if len(ends) > 1 else []), chosen]
        fixed = {offset: f"UTC{offset}" for offset in offsets if offset not in {"", "+00:00"}}
        return [("", f"{timezone.get_current_timezone_name()}, the portal's"), ("+00:00", "UTC"), *fixed.items()]
