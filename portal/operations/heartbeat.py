"""Heartbeats: rows that are written by the loop that does the work, so that they prove progress and not mere life."""

from datetime import timedelta
from typing import Final

from django.db.models.functions import Now

from portal.operations.models import Heartbeat

SWEEP: Final = "sweep"
WORKER: Final = "worker"
# A process that has not been heard of for this long is reported.
STALE: Final = timedelta(seconds=90)


def beat(name: str) -> None:
    """Note that the process works."""
    if not Heartbeat.objects.filter(name=name).update(at=Now()):
        Heartbeat.objects.get_or_create(name=name)


def alive(name: str) -> bool:
    """Whether the process was heard of lately."""
    return name in heard()


def heard() -> set[str]:
    """The processes that were heard of lately."""
    return set(Heartbeat.objects.filter(at__gt=Now() - STALE).values_list("name", flat=True))
