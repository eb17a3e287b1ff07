"""Rows behind every page of the main job, made by the portal's own code against the stand-in ITCare."""

from dataclasses import dataclass

from django.db.models.functions import Now
from django.utils import timezone

from portal.changes import decide
from portal.changes.models import Change
from portal.inventory import lists, reading, resources
from portal.inventory.models import Cluster
from portal.operations import acts, follow, resolve, send
from portal.operations.models import Action, Attempt, Concern, Operation, Situation
from portal.operations.states import Proof, State
from portal.upstream.client import client
from tests.cast import Cast, draft, pending, queued, sending
from tests.portal.operations.needing import bare, concern_of, grace_passes
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
    concern: Concern
    noted: Concern


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
        concern=_unclear(cast),
        noted=_closed(cast),
    )


def _unclear(cast: Cast) -> Concern:
    """A delete whose answer was lost and for which several actions fit, and a create of which nothing is seen."""
    there = Cluster.objects.filter(read_at=None, service=cast.service).earliest("pk")
    reading.read_cluster(client(), there)
    row = bare(cast, kind="delete", name=there.name, title=f"Delete {there}", cluster=there)
    grace_passes(row)
    Attempt.objects.filter(operation=row).update(http_status=504, correlation_id="6f1c" * 9, watermark_at=Now())
    actions = [
        Action.objects.create(
            upstream_id=700_000 + number,
            process="POSTGRESQL_DELETE",
            status=status,
            submitted_at=timezone.now(),
            submitted_by="portal-account",
            resource_name=there.name,
        )
        for number, status in enumerate(("IN_PROGRESS", "ERROR", "NEVER_HEARD_OF"))
    ]
    create = sending(queued(cast.developer, cast.approver, name="lost00001"))
    create.move(State.UNCLEAR, last_proof=Proof.UNKNOWN)
    Attempt.objects.create(operation=create, number=1, fence=1, proof=Proof.UNKNOWN, ended_at=Now())
    concern_of(create)
    concern = concern_of(row, *actions, situation=Situation.SEVERAL_FIT)
    resolve.send_again(concern, cast.approver2, "It is not there.", seen=acts.basis(concern))
    return Concern.objects.get(pk=concern.pk)


def _closed(cast: Cast) -> Concern:
    """One that was dealt with."""
    row = bare(cast, State.FAILED, name="late00001", title="Resize late00001")
    concern = concern_of(row, situation=Situation.LATE_ACTION)
    resolve.note(concern, cast.approver, "We know.", seen=acts.basis(concern))
    return concern


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
