"""Asks for a fresh reading of a cluster that somebody looks at, at most once a minute."""

from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import Now

from portal.inventory import tasks
from portal.inventory.models import Cluster
from portal.web.hints import hint

FRESH: Final = timedelta(minutes=1)


def refresh(cluster: Cluster) -> None:
    """Note that somebody waits for a fresh reading, unless the last attempt is less than a minute old."""
    stale = Q(tried_at=None) | Q(tried_at__lte=Now() - FRESH)
    unread_parts = Q(parts_read_at=None, read_at__isnull=False, read_failed="")
    rows = Cluster.objects.filter(stale | unread_parts, pk=cluster.pk, gone_at=None, wanted_at=None)
    if rows.update(wanted_at=Now()):
        hint(tasks.read_cluster, cluster.pk)
