"""The pace at which operations are sent, over all processes: what waited for long does not all go at once."""

import time
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal.upstream.models import Pace

# Seconds that a sender waits for its turn; what would wait longer is left to the sweep.
PATIENCE: Final = 2.0


def turn() -> bool:
    """Wait for the next turn to send; answers False where that would take longer than a sender waits.

    Turns are given out one after the other, by the database's clock, so that there are no more of them in a second
    than SENDS_PER_SECOND, however many workers ask.
    """
    with transaction.atomic(durable=True):
        rows = Pace.objects.select_for_update().annotate(now=Now())
        row = rows.first()
        if row is None:
            Pace.objects.bulk_create([Pace(id=1, next_at=Now())], ignore_conflicts=True)
            row = rows.get()
        at = max(row.next_at, row.now)
        wait = (at - row.now).total_seconds()
        if wait > PATIENCE:
            return False
        row.next_at = at + timedelta(seconds=1 / settings.SENDS_PER_SECOND)
        row.save(update_fields=["next_at"])
    time.sleep(wait)
    return True
