"""Rows behind every page of the main job, made by the portal's own code against the stand-in ITCare."""

from dataclasses import dataclass

from portal.changes import decide
from portal.changes.models import Change
from portal.inventory import lists, reading, resources
from portal.inventory.models import Cluster
from portal.operations import follow, send
from portal.operations.models import Operation
from portal.operations.states import State
from portal.upstream.client import client
from tests.cast import Cast, draft, pending, queued
from tests.sandbox_server import until


@dataclass(frozen=True)
class World:
    """One of each."""

    drafted: Change
    waiting: Change
    rejected: Change
    running: Operation
    ended: Operation
    cluster: Cluster
    unread: Cluster


def make(cast: Cast) -> World:
    """Make requests and operations in several states, and a cluster that ITCare has told everything about."""
    lists.sync_lists(client())
    ended = finish(queued(cast.developer, cast.approver, name="ended0001"))
    rejected = pending(cast.developer, name="rejected01")
    decide.reject(rejected, cast.approver, "Too large for what it is for.")
    assert ended.cluster is not None
    reading.read_cluster(client(), ended.cluster)
    # As long as a name may be.
    running = queued(cast.developer, cast.approver, name="long" * 15)
    send.send(running.pk)
    busy = resources.find(client(), name=running.name, service=running.service)
    Operation.objects.filter(pk=running.pk).update(cluster=busy)
    return World(
        drafted=draft(cast.developer, name="drafted01"),
        waiting=pending(cast.developer, name="waiting01"),
        rejected=rejected,
        running=running,
        ended=ended,
        cluster=ended.cluster,
        unread=Cluster.objects.filter(read_at=None).latest("pk"),
    )


def finish(operation: Operation) -> Operation:
    """Do what worker and sweep would do, until the operation has succeeded."""
    send.send(operation.pk)

    def there() -> bool:
        Operation.objects.filter(pk=operation.pk, lease_until=None).exclude(look_at=None).update(
            look_at=operation.queued_at
        )
        follow.follow()
        operation.refresh_from_db()
        return operation.state == State.SUCCEEDED

    until(there)
    return operation
