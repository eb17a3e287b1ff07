"""What the pages of changes show, each list in a fixed number of queries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Exists, F, OuterRef, Q

from portal.accounts.models import User
from portal.changes.models import OPEN, Change, ChangeQuerySet, Decision, State
from portal.inventory.models import Cluster
from portal.operations.models import Operation
from portal.operations.start import busy_words
from portal.operations.states import UNFINISHED
from portal.web.looks import Look

# Earlier operations on a cluster that the card shows, and requests that wait beside the one shown.
LAST: Final = 5
OTHERS: Final = 10


@dataclass(frozen=True)
class Source:
    """The other cluster, whose data is read, as one has to know it to decide.

    Attributes:
        cluster: the cluster, with its service.
        then: how its status was when the change was asked; None where that was not kept.
        running: what is being carried out on it, and may be seen.
        hidden: whether something is being carried out on it that this person may not see.
    """

    cluster: Cluster
    then: Look | None
    running: list[Operation]
    hidden: bool


@dataclass(frozen=True)
class Situation:
    """What else one has to know of the cluster to decide on a change.

    Attributes:
        then: how its status was when the change was asked; None for a cluster that did not exist, or is not known.
        now: how it is.
        moved: whether it is no longer what the decision would rest on; said only as long as one can decide.
        others: further requests that wait for a decision on it, or by its name.
        running: what is being carried out on it.
        last: what was carried out before, the newest first.
        held: the sentence for something unfinished that stands in the way; empty where nothing does.
        source: the other cluster, whose data is read; None where there is none.
    """

    then: Look | None
    now: Look | None
    moved: bool | None
    others: list[Change]
    running: list[Operation]
    last: list[Operation]
    held: str
    source: Source | None

    @property
    def marks(self) -> list[int | datetime]:
        """What a stamp of this is made of."""
        rows: list[Change | Operation] = [*self.others, *self.running, *self.last]
        rows += self.source.running if self.source else []
        marks = [part for row in rows for part in (row.pk, row.changed_at)]
        return [*marks, self.source.cluster.changed_at, self.source.hidden] if self.source else marks


def with_people(changes: ChangeQuerySet) -> ChangeQuerySet:
    """Join what a line of a list shows."""
    return changes.select_related("requester", "service", "operation")


def listed(user: User) -> ChangeQuerySet:
    """Changes that the person may see, the newest first."""
    return with_people(Change.objects.visible_to(user)).order_by("-pk")


def waiting_for(user: User) -> ChangeQuerySet:
    """Changes that wait for the person's decision, the oldest first."""
    return with_people(Change.objects.decidable_by(user)).order_by("pk")


def mine(user: User) -> ChangeQuerySet:
    """Changes that the person asked for, the newest first."""
    return listed(user).filter(requester=user)


def decision_of(change: Change) -> Decision | None:
    """The decision, with who made it."""
    return change.decisions.select_related("decider").last()


def decision_on(operation: Operation) -> Decision | None:
    """The decision that an operation comes from, with who made it and its change."""
    return Decision.objects.filter(change__operation=operation).select_related("decider", "change").last()


def situation(change: Change, user: User) -> Situation:
    """Tell how the change's cluster stands, in two queries; by its name, where the change is to make it.

    Where the change reads another cluster, one query more tells how that one stands.
    """
    cluster = change.cluster
    source = next((other for other in change.entry.also_holds(change.parameters) if other != cluster), None)
    same = Q(cluster=cluster) if cluster else Q(kind=change.kind, name=change.name)
    waiting = Change.objects.filter(same, state=State.PENDING).exclude(pk=change.pk).select_related("requester")
    touching = same | Q(source=cluster) if cluster else same
    if source:
        touching |= Q(Q(cluster=source) | Q(source=source), state__in=UNFINISHED)
    carried = Operation.objects.filter(touching).exclude(pk=change.operation_id or 0).select_related("requester")
    seen = Exists(Operation.objects.visible_to(user).filter(pk=OuterRef("pk")))
    newest = carried.annotate(seen=seen).order_by(F("ended_at").desc(nulls_first=True), "-pk")
    # At most one that is unfinished touches each of the two clusters.
    everything = list(newest[: LAST + 2])
    on_source = [operation for operation in everything if source and not operation.finished and _on(source, operation)]
    found = [
        operation for operation in everything if operation not in on_source or (cluster and _on(cluster, operation))
    ]
    # A cluster can be read by an operation of another service, which is not theirs to see who see this one.
    shown = [operation for operation in found if operation.service_id == change.service_id]
    held = busy_words(cluster) if any(not operation.finished for operation in found) else ""
    if source and on_source and not held:
        held = f"Another operation is under way on {source}, whose backup is read: wait until it has ended."
    return Situation(
        then=Cluster(status=change.cluster_status).look if change.cluster_status else None,
        now=cluster.look if cluster else None,
        moved=cluster.revision != change.revision if cluster and change.state in OPEN else None,
        others=[other for other in waiting.order_by("pk")[:OTHERS] if other.service_id == change.service_id],
        running=[operation for operation in shown if not operation.finished],
        last=[operation for operation in shown if operation.finished][:LAST],
        held=held,
        source=_source(change, source, on_source) if source else None,
    )


def _on(cluster: Cluster, operation: Operation) -> bool:
    return cluster.pk in {operation.cluster_id, operation.source_id}


def _source(change: Change, cluster: Cluster, running: list[Operation]) -> Source:
    status = change.parameters.get("source_status")
    shown = [operation for operation in running if operation.seen]  # type: ignore[attr-defined]  # annotated
    then = Cluster(status=status).look if status else None
    return Source(cluster=cluster, then=then, running=shown, hidden=len(shown) < len(running))
