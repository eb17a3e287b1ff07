"""Asks for the history of a cluster that somebody looks at."""

from django.utils import timezone

from portal.inventory.models import Cluster, Part, PartName
from portal.operations import tasks
from portal.web.hints import hint


def refresh_history(cluster: Cluster) -> None:
    """Note that somebody waits for the history of a cluster, and have it read."""
    row = Part(cluster=cluster, name=PartName.HISTORY, wanted_at=timezone.now())
    Part.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["cluster", "name"], update_fields=["wanted_at"]
    )
    hint(tasks.read_histories)
