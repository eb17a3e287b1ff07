from datetime import UTC, datetime

import pytest
from django.test import RequestFactory

from portal.web.live import stamp, unchanged


def test_the_same_rows_give_the_same_stamp() -> None:
    at = datetime(2026, 11, 12, 9, 14, tzinfo=UTC)
    assert stamp(7, "running", at, None) == stamp(7, "running", at, None)


@pytest.mark.parametrize(
    ("one", "other"),
    [((1,), (2,)), ((1,), ("1",)), (("ab",), ("a", "b")), ((None,), ("None",)), ((), (None,)), ((1, 2), (2, 1))],
)
def test_different_rows_give_different_stamps(one: tuple[int | str | None], other: tuple[int | str | None]) -> None:
    assert stamp(*one) != stamp(*other)


def test_nothing_is_sent_to_a_browser_that_shows_the_current_state() -> None:
    answer = unchanged(RequestFactory().get("/", {"seen": "abc"}), "abc")
    assert answer is not None
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("query", [{}, {"seen": ""}, {"seen": "old"}])
def test_everything_is_sent_to_a_browser_that_shows_another_state(query: dict[str, str]) -> None:
    assert unchanged(RequestFactory().get("/", query), "abc") is None
