"""Dates as the API spells them."""

from datetime import UTC, datetime

from sandbox.world.catalogue import DAY


def moment(seconds: float) -> str:
    """Seconds since 1970 in the spelling of the actions example (API.md 1)."""
    # Half a millisecond more, because a fraction such as .998 may be stored as slightly less and would be cut off.
    return datetime.fromtimestamp(seconds + 0.0005, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def midnight(seconds: float) -> str:
    """The day of that moment, at its beginning."""
    return moment(seconds - seconds % DAY)
