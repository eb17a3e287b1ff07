"""Times and lengths of time in words. static/js/live.js writes the same words and must be changed with it."""

from datetime import datetime, timedelta

from django.utils import timezone

MINUTE, HOUR, DAY = 60, 3600, 86400


def length(span: timedelta) -> str:
    """Say how long something took, in its two largest units: "8 s", "2 min 10 s", "1 h 5 min", "3 d 4 h"."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < MINUTE:
        return f"{seconds} s"
    for unit, word, smaller, smaller_word in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if seconds >= unit:
            rest = seconds % unit // smaller
            return f"{seconds // unit} {word} {rest} {smaller_word}" if rest else f"{seconds // unit} {word}"
    raise AssertionError(seconds)


def distance(moment: datetime, now: datetime) -> str:
    """Say how far away a moment is, in one unit: "just now", "40 s ago", "3 h ago", "in 2 days"."""
    seconds = int((now - moment).total_seconds())
    size = abs(seconds)
    if size < 5:  # noqa: PLR2004 - clocks and reading time differ by as much
        return "just now"
    for unit, word in ((2 * DAY, "days"), (HOUR, "h"), (MINUTE, "min"), (1, "s")):
        if size >= unit:
            whole = DAY if word == "days" else unit
            # What lies ahead is rounded up: seven days less a second are not six.
            words = f"{-(-size // whole) if seconds < 0 else size // whole} {word}"
            break
    return f"{words} ago" if seconds > 0 else f"in {words}"


def short(moment: datetime, now: datetime) -> str:
    """Write a moment for the server's time zone: "12 Nov, 10:14", with the year if it is another one."""
    local, here = timezone.localtime(moment), timezone.localtime(now)
    if local.year == here.year:
        return f"{local.day} {local:%b}, {local:%H:%M}"
    return f"{local.day} {local:%b %Y}, {local:%H:%M}"


def exact(moment: datetime) -> str:
    """Write the exact instant in UTC: "2026-11-12 09:14:03 UTC"."""
    return f"{moment.astimezone(timezone.get_fixed_timezone(0)):%Y-%m-%d %H:%M:%S} UTC"
