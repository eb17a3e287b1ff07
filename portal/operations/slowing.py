"""Slows a row down that keeps failing, and shows it: it must neither stop the others nor go unseen."""

from django.conf import settings

from portal.operations.concerns import raise_once
from portal.operations.leases import look_again
from portal.operations.models import Operation, Situation


def slow_down(operation: Operation, why: str, seconds: float = 0) -> None:
    """Give the row back after a look that failed, later each time; told to a person once it failed too often.

    Args:
        operation: As claimed.
        why: A sentence for people.
        seconds: Until the next look, at least.
    """
    look_again(operation, seconds, failed=True)
    if operation.failures + 1 >= settings.STUCK_FAILURES:
        words = f"Looking at it failed {settings.STUCK_FAILURES} times in a row or more, the last time so: {why}"
        raise_once(Situation.STUCK, words, operation)
