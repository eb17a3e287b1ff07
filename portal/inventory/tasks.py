"""Celery tasks that read ITCare. Thin: rows say what is due, these only make it sooner."""

from celery import shared_task

from portal.inventory import lists, reading, waiting
from portal.upstream.client import client


@shared_task
def read_cluster(cluster_id: int) -> None:
    """Read one cluster and its parts, if it still waits for that."""
    cluster = waiting.wanted().select_related("service").filter(pk=cluster_id).first()
    if cluster is not None and waiting.take(cluster):
        reading.read_cluster(client(), cluster)


@shared_task
def read_waiting() -> None:
    """Read some of the clusters that wait for it."""
    waiting.read_waiting(client())


@shared_task
def sync_lists() -> None:
    """Read the lists that are due."""
    lists.sync_lists(client())
