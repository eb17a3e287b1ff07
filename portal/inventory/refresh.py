"""Asks for a fresh reading of a cluster that somebody looks at, at most once a minute."""

from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from portal.inventory import tasks
from portal.inventory.models import Cluster
from portal.web.hints import hint

FRESH: Final = timedelta(minutes=1)


def refresh(cluster: Cluster) -> bool:
    """Note that somebody waits for a fresh reading, unless the last attempt is less than a minute old; answers that."""
    lately = cluster.tried_at is not None and timezone.now() - cluster.tried_at < FRESH
    unread = cluster.parts_read_at is None and cluster.read_at is not None and not cluster.read_failed
    if cluster.wanted_at is not None or (lately and not unread):
        return False  # a page that refreshes itself comes by often: without a query
    stale = Q(tried_at=None) | Q(tried_at__lte=Now() - FRESH)
    unread_parts = Q(parts_read_at=None, read_at__isnull=False, read_failed="")
    rows = Cluster.objects.filter(stale | unread_parts, pk=cluster.pk, gone_at=None, wanted_at=None)
    if not rows.update(wanted_at=Now()):
        return False
    hint(tasks.read_cluster, cluster.pk)
    return True
