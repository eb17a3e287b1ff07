"""Slows the whole portal down when ITCare asks for it, or when it refuses the portal's account.

The calls themselves are held back by `circuit`, which also knows when ITCare does not answer at all.
"""

import logging
from datetime import timedelta
from typing import Final

from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from portal.itcare import LONGEST_WAIT, ItcareError, Throttled
from portal.upstream.models import Pause

logger = logging.getLogger(__name__)

# Seconds: limits of a pause, and what is assumed where ITCare does not say how long (API.md A18). No row waits longer
# because ITCare asks for it, so that all go on together.
SHORTEST: Final = 1.0
LONGEST: Final = LONGEST_WAIT
UNSAID: Final = 5.0
# A pause that follows the last one within this time makes the next one longer.
SUCCESSION: Final = timedelta(seconds=60)
_SERVICE_UNAVAILABLE: Final = 503


def noticed(error: ItcareError) -> None:
    """Pause after a 429 or 503, for as long as ITCare asks or else longer each time.

    A 401 is the token's business (`SharedTokens.refused`).
    """
    if isinstance(error, Throttled) or error.status == _SERVICE_UNAVAILABLE:
        try:
            hold(f"{error.sentence} The portal waits before it asks again.", seconds=error.retry_after)
        except DatabaseError:
            # What came of the call matters more than the pause: its outcome must reach the caller.
            logger.exception("the pause could not be noted")


def hold(reason: str, *, seconds: float | None = None) -> None:
    """Send nothing for a while.

    Args:
        reason: a sentence for users.
        seconds: how long, at least; None for the portal's own rule. Limited in any case, and a longer pause that
            runs already stays.
    """
    with transaction.atomic(durable=True):
        Pause.objects.bulk_create([Pause(id=1)], ignore_conflicts=True)
        row = Pause.objects.select_for_update().annotate(now=Now()).get()
        runs = row.until is not None and row.until > row.now
        follows = row.until is not None and row.until > row.now - SUCCESSION
        # Calls that were under way when the pause began bring the same news again.
        row.strikes = row.strikes if runs else min(row.strikes + 1, 100) if follows else 1
        own_rule = UNSAID * 2.0 ** (row.strikes - 1)
        until = row.now + timedelta(seconds=min(max(own_rule if seconds is None else seconds, SHORTEST), LONGEST))
        row.since = row.since if follows else row.now
        row.until = max(until, row.until or until)
        row.reason = reason
        row.save(update_fields=["strikes", "since", "until", "reason"])
    logger.warning("ITCare is not asked until %s: %s", row.until.isoformat(), reason)
