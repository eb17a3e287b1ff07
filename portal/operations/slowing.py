"""Slows a row down that keeps failing, and shows it: it must neither stop the others nor go unseen."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import Model, QuerySet

from portal.operations.concerns import keeps_failing, raise_once
from portal.operations.leases import back_off, look_again
from portal.operations.models import Operation, Situation

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Model)


def went_away(error: Exception) -> bool:
    """Whether the database was lost, so that nothing is wrong with the row.

    After a commit that was lost Django has connected anew when one looks: then it shows by what PostgreSQL did not say.
    """
    lost = isinstance(error, OperationalError) and getattr(error.__cause__, "sqlstate", "") is None
    return lost or not connection.is_usable()


def slow_down(operation: Operation, why: str, seconds: float = 0) -> None:
    """Give the row back after a look that failed, later each time; told to a person once it failed too often.

    Args:
        operation: As claimed.
        why: A sentence for people.
        seconds: Until the next look, at least.
    """
    with in_nobodys_way(operation):
        look_again(operation, seconds, failed=True)
        if operation.failures + 1 >= settings.STUCK_FAILURES:
            words = f"Looking at it failed {settings.STUCK_FAILURES} times in a row or more, the last time so: {why}"
            raise_once(Situation.STUCK, words, operation)


@contextmanager
def in_nobodys_way(operation: Operation) -> Iterator[None]:
    """Let the others go on where a row cannot even be slowed down or shown: that is tried again when it fails again."""
    try:
        yield
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        if went_away(error):
            raise
        logger.exception("Operation %s could not be slowed down, or nobody told of it.", operation.pk)


class NotNow(Exception):  # noqa: N818 - nothing went wrong
    """It was not the row's turn: another has it, or the time is over."""


class Round:
    """Goes round rows that carry no time of their own, again and again: one that fails rests, longer after each time.

    Which ones rest is known to this process only. The log tells of each failure, with the traceback; an administrator
    is told once it failed too often.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._failed: dict[int, tuple[int, float]] = {}

    def go(self, rows: QuerySet[Row], do: Callable[[Row], object], most: int | None = None) -> int:
        """Do it for each row that does not rest; answers for how many it was done.

        Args:
            rows: In the order in which it is to be done.
            do: What to do; raises `NotNow` where nothing was done, which says nothing of the row.
            most: How many at most.
        """
        resting = [number for number, (_, until) in self._failed.items() if until > self._clock()]
        done = 0
        for row in rows.exclude(pk__in=resting)[:most]:
            try:
                do(row)
            except SoftTimeLimitExceeded:
                raise
            except NotNow:
                continue
            except Exception as error:
                if went_away(error):
                    raise
                logger.exception("%s %s could not be handled; the others go on.", self._what, row.pk)
                failures = self._failed.get(row.pk, (0, 0.0))[0] + 1
                self._failed[row.pk] = (failures, self._clock() + back_off(failures))
                if failures >= settings.STUCK_FAILURES:
                    self._tell(row, error)
            else:
                self._failed.pop(row.pk, None)
                done += 1
        return done

    def _tell(self, row: Model, error: Exception) -> None:
        times = settings.STUCK_FAILURES
        try:
            keeps_failing(
                f"{self._what} {row.pk} ({row}) could not be handled {times} times in a row or more "
                f"({type(error).__name__}); the log of the sweep says why. It is tried again by itself."
            )
        except Exception as again:
            if went_away(again):
                raise
            logger.exception("Nobody could be told that %s %s keeps failing.", self._what, row.pk)
