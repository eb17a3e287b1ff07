"""Holds calls back while there is a pause, and while ITCare does not answer: then one at a time tries it again.

A time-out holds a worker for as long as it lasts, and many of them hold all workers. So after some requests in a row
that were not answered in time, whichever process made them, calls are refused at once, for longer each time; after
that one call is let through, and its answer, even a refusal, lets all others go again.
"""

import logging
import threading
from datetime import timedelta
from enum import Enum
from typing import Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal.itcare import Paused
from portal.upstream.models import Pause

logger = logging.getLogger(__name__)

# Requests in a row without an answer after which ITCare counts as away.
FAILURES: Final = 5
# Seconds for which calls are then refused: at first, and at most; it is doubled each time that it answers no better.
FIRST: Final = 5.0
LONGEST: Final = 60.0
# Seconds after which a call that was held back by another's trying may ask again.
MEANWHILE: Final = 1.0
_MOST_COUNTED: Final = 1000


class Way(Enum):
    """Whether calls go to ITCare."""

    OPEN = "open"
    TRIED = "tried"
    SHUT = "shut"


def way() -> Way:
    """Tell whether calls go to ITCare: all of them, one at a time, or none."""
    row = Pause.objects.annotate(now=Now()).first()
    if row is None:
        return Way.OPEN
    if row.until is not None and row.until > row.now:
        return Way.SHUT
    return Way.TRIED if row.failures >= FAILURES else Way.OPEN


class Circuit:
    """What a client asks before each request, and tells after it. Safe to share between threads.

    While all is well a request costs one question, and nothing is written.
    """

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def gate(self) -> None:
        """Let a request through, or hold it back.

        Raises:
            Paused: ITCare is not to be asked now; `retry_after` says for how long.
            RuntimeError: a transaction is open: the upstream is never called within one (SAFETY 1 rule 10).
        """
        with transaction.atomic(durable=True):
            row = Pause.objects.annotate(now=Now()).first()
        self._of_thread.counted = row is not None and row.failures > 0
        if row is None:
            return
        if row.until is not None and row.until > row.now:
            raise Paused(row.reason, retry_after=(row.until - row.now).total_seconds())
        if row.failures >= FAILURES and not _my_turn_to_try():
            raise Paused(row.reason, retry_after=MEANWHILE)

    def reached(self, trouble: str) -> None:
        """Note whether a request was answered in time.

        Args:
            trouble: what kept it from being answered, in a sentence for users; empty if it was answered.
        """
        try:
            if trouble:
                _failed(trouble)
            elif getattr(self._of_thread, "counted", False):
                _answered()
        except DatabaseError:
            # What came of the call matters more: its outcome must reach the caller.
            logger.exception("whether ITCare answers could not be noted")


def shut(trouble: str) -> None:
    """Refuse calls at once: without a token none could be made, and each would wait for one.

    Args:
        trouble: why there is none, in a sentence for users.
    """
    _failed(trouble, at_once=True)


def _my_turn_to_try() -> bool:
    """Take the turn to try; it ends by itself, should whoever took it die."""
    free = Q(trying_until=None) | Q(trying_until__lte=Now())
    rows = Pause.objects.filter(free, Q(until=None) | Q(until__lte=Now()), failures__gte=FAILURES)
    # A token may have to be fetched before the call.
    span = timedelta(seconds=2 * settings.ITCARE_TOTAL_SECONDS)
    return rows.update(trying_until=Now() + span) == 1


def _answered() -> None:
    row = Pause.objects.filter(failures__gt=0)
    if Pause.objects.filter(failures__gte=FAILURES).exists():
        logger.warning("ITCare answers again.")
    row.update(failures=0, trying_until=None)


def _failed(trouble: str, *, at_once: bool = False) -> None:
    with transaction.atomic(durable=True):
        Pause.objects.bulk_create([Pause(id=1)], ignore_conflicts=True)
        row = Pause.objects.select_for_update().annotate(now=Now()).get()
        runs = row.until is not None and row.until > row.now
        before = row.failures
        row.failures = min(max(before + 1, FAILURES if at_once else 0), _MOST_COUNTED)
        row.trying_until = None
        if before == 0 and not runs:
            row.since = row.now
        # Calls that were under way when it shut bring the same news again.
        shuts = row.failures >= FAILURES and not runs
        if shuts:
            row.strikes = 1 if before < FAILURES else min(row.strikes + 1, 100)
            row.until = row.now + timedelta(seconds=min(FIRST * 2.0 ** (row.strikes - 1), LONGEST))
            row.reason = f"{trouble} The portal tries again from time to time; what was approved waits for it."
            row.since = row.since or row.now
        row.save(update_fields=["failures", "trying_until", "since", "strikes", "until", "reason"])
    if shuts and row.until:
        logger.warning("ITCare is not asked until %s: %s", row.until.isoformat(), trouble)
