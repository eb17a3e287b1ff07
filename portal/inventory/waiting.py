"""Chooses which clusters to read next, and reads them: a pass takes few, a minute takes so many."""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from portal import itcare
from portal.inventory.models import Cluster
from portal.inventory.reading import read_cluster

logger = logging.getLogger(__name__)

# Clusters whose own page is read in one pass; FILL_PER_MINUTE bounds all passes of a minute.
READ_A_PASS: Final = 20
MINUTE: Final = timedelta(minutes=1)
# What was read is read again in the background after this long, when there is nothing more urgent.
STALE_AFTER: Final = timedelta(hours=1)
# A cluster that could not be read is not tried again at once, so that one bad row does not hold up the others.
RETRY_AFTER: Final = timedelta(minutes=1)
# Number of the lock under which the next clusters are chosen: any that nothing else uses.
_CHOOSING: Final = 7_042_001


def want(clusters: Sequence[int]) -> int:
    """Note that somebody waits for a fresh reading of these clusters (our numbers)."""
    return Cluster.objects.filter(pk__in=clusters, wanted_at=None, gone_at=None).update(wanted_at=Now())


def wanted() -> models.QuerySet[Cluster]:
    """Clusters that somebody waits for, the longest waiting first."""
    untried = _untried() | Q(tried_at__lt=F("wanted_at"))
    return Cluster.objects.filter(untried, wanted_at__isnull=False, gone_at=None).order_by("wanted_at", "pk")


def unread() -> models.QuerySet[Cluster]:
    """Clusters that were never read, the longest untried first."""
    rows = Cluster.objects.filter(_untried(), read_at=None, gone_at=None)
    return rows.order_by(F("tried_at").asc(nulls_first=True), "pk")


def stale() -> models.QuerySet[Cluster]:
    """Clusters that were read long ago, the longest untried first."""
    return Cluster.objects.filter(read_at__isnull=False, tried_at__lte=Now() - STALE_AFTER, gone_at=None).order_by(
        "tried_at"
    )


def any_waiting() -> bool:
    """Whether any cluster is to be read. Each of the three looks at the beginning of an index."""
    return wanted().exists() or (_room() > 0 and (unread().exists() or stale().exists()))


def read_waiting(client: itcare.Client, *, limit: int = READ_A_PASS) -> int:
    """Read the clusters that wait for it, parts only where somebody waits; answers how many were tried.

    A pass whose time would not do for one more gives the rest back: a time limit of the worker would leave them claimed
    although they were not tried.
    """
    clusters = take_next(limit)
    started = time.monotonic()
    for number, cluster in enumerate(clusters):
        if number and time.monotonic() - started > settings.LEASE_SECONDS - 2 * settings.ITCARE_TOTAL_SECONDS:
            _give_back(clusters[number:])
            return number
        try:
            read_cluster(client, cluster, parts=cluster.wanted_at is not None)
        except DatabaseError:
            # It waits for its next turn, and must not be in the way of the others each time.
            logger.exception("Cluster %s could not be read.", cluster.pk)
    return len(clusters)


@transaction.atomic
def take_next(limit: int) -> list[Cluster]:
    """Claim the next to read: those that somebody waits for, then those never read, then those read longest ago.

    FILL_PER_MINUTE bounds the last two together with whatever else was tried in this minute; what somebody waits for
    may take as much again, so that it never stands behind the background.
    """
    with connection.cursor() as cursor:
        # Two that count at once would both find the same room.
        cursor.execute("SELECT pg_advisory_xact_lock(%s::bigint)", [_CHOOSING])
    room = _room()
    chosen = list(wanted().select_related("service")[: max(0, min(limit, room + settings.FILL_PER_MINUTE))])
    for rows in (unread(), stale()):
        free = min(limit, room) - len(chosen)
        if free > 0:
            others = rows.exclude(pk__in=[cluster.pk for cluster in chosen]).select_related("service")
            chosen += others[:free]
    return [cluster for cluster in chosen if take(cluster)]


def take(cluster: Cluster) -> bool:
    """Claim the reading of a cluster: two that try at once read it once."""
    return Cluster.objects.filter(pk=cluster.pk, tried_at=cluster.tried_at).update(tried_at=Now()) == 1


def _give_back(clusters: Sequence[Cluster]) -> None:
    """Let others take what was claimed and not tried."""
    for cluster in clusters:
        Cluster.objects.filter(pk=cluster.pk).update(tried_at=cluster.tried_at)


def _untried() -> Q:
    return Q(tried_at=None) | Q(tried_at__lte=Now() - RETRY_AFTER)


def _room() -> int:
    """How many clusters the background may still read in this minute."""
    lately = Cluster.objects.filter(tried_at__gt=Now() - MINUTE).order_by()
    return int(settings.FILL_PER_MINUTE) - len(lately.values_list("pk")[: 2 * settings.FILL_PER_MINUTE])
