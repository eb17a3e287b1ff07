"""What the sweep does for the inventory: it nudges workers to read, and reads itself what nobody has read in time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models.functions import Now

from portal.inventory import lists, tasks, waiting
from portal.inventory.models import Cluster
from portal.upstream.client import client
from portal.web.hints import Nudger

# Read by the sweep itself in one pass: few, because it has other things to do.
FEW: Final = 3
# Seconds of a pass that the sweep gives to lists.
OWN_READS: Final = 10.0
PASS_AGAIN: Final = 1.5  # seconds


class Reading:
    """Nudges the readings that are due."""

    def __init__(self, nudger: Nudger, at_work: Callable[[], None] | None = None) -> None:
        """Nudge by this one.

        Args:
            nudger: Publishes hints.
            at_work: Called before each request of a list, which can have hundreds of pages.
        """
        self._nudge = nudger.nudge
        self._at_work = at_work

    def lists(self) -> None:
        """Have the lists read that are due."""
        if lists.lists_due():
            self._nudge(tasks.sync_lists)
        if lists.lists_due(late=settings.SWEEP_PATIENCE_SECONDS):
            lists.sync_lists(client(before=self._at_work), seconds=OWN_READS)

    def clusters(self) -> None:
        """Have the clusters read that wait for it."""
        if not waiting.any_waiting():
            return
        self._nudge(tasks.read_waiting, again=PASS_AGAIN)
        patience = Now() - timedelta(seconds=settings.SWEEP_PATIENCE_SECONDS)
        # The fill has always some that waited long: only when nobody reads at all it is the sweep's.
        nobody_reads = not Cluster.objects.filter(tried_at__gt=patience).exists()
        late = waiting.unread().filter(first_seen_at__lte=patience)
        if waiting.wanted().filter(wanted_at__lte=patience).exists() or (nobody_reads and late.exists()):
            waiting.read_waiting(client(), limit=FEW)
