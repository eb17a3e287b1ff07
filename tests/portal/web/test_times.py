from datetime import UTC, datetime, timedelta

import pytest

from portal.web import times

NOW = datetime(2026, 11, 12, 9, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (130, "2 min 10 s"),
        (3600, "1 h"),
        (3659, "1 h"),
        (3900, "1 h 5 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_length(seconds: float, words: str) -> None:
    assert times.length(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (-4, "just now"),
        (5, "5 s ago"),
        (61, "1 min ago"),
        (-61, "in 2 min"),
        (-(7 * 86400 - 1), "in 7 days"),
        (3 * 3600 + 5, "3 h ago"),
        (47 * 3600, "47 h ago"),
        (48 * 3600, "2 days ago"),
        (-400 * 86400, "in 400 days"),
    ],
)
def test_distance(seconds: int, words: str) -> None:
    assert times.distance(NOW - timedelta(seconds=seconds), NOW) == words


def test_a_moment_is_written_in_the_time_zone_of_the_portal_with_the_year_when_it_is_another_one() -> None:
    assert times.short(NOW, NOW) == "12 Nov, 10:14"
    assert times.short(NOW.replace(year=2025, month=7), NOW) == "12 Jul 2025, 11:14"
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert times.short(new_year, new_year + timedelta(minutes=1)) == "1 Jan, 00:30"


def test_the_exact_instant_is_in_utc() -> None:
    assert times.exact(NOW) == "2026-11-12 09:14:03 UTC"
