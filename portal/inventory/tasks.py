"""Celery tasks that read ITCare. Thin: rows say what is due, these only make it sooner."""

from celery import shared_task

from portal.inventory import sync
from portal.inventory.models import Cluster
from portal.upstream.client import client


@shared_task
def read_cluster(cluster_id: int) -> None:
    """Read one cluster and its parts, if somebody still waits for it."""
    cluster = Cluster.objects.select_related("service").filter(pk=cluster_id, wanted_at__isnull=False).first()
    if cluster is not None:
        sync.read_cluster(client(), cluster)


@shared_task
def sync_lists() -> None:
    """Read the lists that are due."""
    sync.sync_lists(client())
