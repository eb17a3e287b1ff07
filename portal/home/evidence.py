"""What is known of a matter that needs a person: what was asked, sent and seen, and how the cluster stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Prefetch

from portal.accounts.models import User
from portal.changes.models import Change
from portal.inventory.models import Cluster
from portal.operations import acts
from portal.operations.models import TO_DECIDE, Action, Attempt, Concern, ConcernQuerySet, Operation
from portal.operations.states import Proof

PROOFS: Final = {
    Proof.OPEN: "is being sent",
    Proof.NOT_SENT: "was not sent: no byte of it left the portal",
    Proof.REFUSED: "was refused by ITCare, which carried nothing out",
    Proof.ACCEPTED: "was accepted by ITCare",
    Proof.UNKNOWN: "was sent, and nobody can tell whether ITCare carried it out",
}
# Actions on the same name that the concern does not name, at most.
OTHERS: Final = 10
# Actions that can be adopted, at most, where the reader has not asked for all of them.
CANDIDATES: Final = 20


@dataclass(frozen=True)
class Tried:
    """One attempt: when, what it proved, and what else is known of it."""

    number: int
    at: datetime
    words: str
    facts: list[str]
    watermark_at: datetime | None


@dataclass(frozen=True)
class Matter:
    """A concern with everything that a page shows of it.

    Attributes:
        also: what else a decision about its operation settles.
        candidates: the actions that can be adopted; of many, those that came first after the call.
        more: how many further ones there are.
    """

    concern: Concern
    also: list[Concern]
    tried: list[Tried]
    candidates: list[Action]
    more: int
    taken: list[Action]
    change: Change | None
    cluster: Cluster | None
    offers: list[acts.Offer]

    @property
    def operation(self) -> Operation | None:
        """What it is about."""
        return self.concern.operation

    @property
    def marks(self) -> list[Any]:
        """What a stamp of this is made of."""
        operation, cluster = self.operation, self.cluster
        return [
            acts.basis(self.concern),
            self.concern.changed_at,
            *(part for other in self.also for part in (other.pk, other.changed_at)),
            operation.changed_at if operation else None,
            cluster.changed_at if cluster else None,
        ]


def with_evidence(concerns: ConcernQuerySet) -> ConcernQuerySet:
    """Fetch everything that `matter` tells, in four queries whatever their number."""
    joined = concerns.select_related(
        "service",
        "closed_by",
        "cluster__service",
        "operation__service",
        "operation__requester",
        "operation__approver",
        "operation__released_by",
        "operation__cluster__service",
        "operation__change",
    )
    actions = Prefetch("actions", queryset=Action.objects.select_related("operation"))
    return joined.prefetch_related(actions, "operation__attempts", "operation__concerns")


def matter(concern: Concern, user: User, *, workable: bool, every: bool = False) -> Matter:
    """Tell a concern, without a query where it was fetched by `with_evidence`.

    Args:
        concern: Which one.
        user: Who looks.
        workable: Whether that person may act on it.
        every: Whether to show all actions that can be adopted, however many.
    """
    operation = concern.operation
    named = list(concern.actions.all())
    free = acts.candidates(concern)
    first = {action.pk for action in sorted(free, key=lambda action: action.upstream_id)[:CANDIDATES]}
    shown = free if every else [action for action in free if action.pk in first]
    return Matter(
        concern=concern,
        also=_also(concern),
        tried=[_tried(attempt) for attempt in operation.attempts.all()] if operation else [],
        candidates=shown,
        more=len(free) - len(shown),
        taken=[action for action in named if action not in free],
        change=getattr(operation, "change", None),
        cluster=(operation.cluster if operation else None) or concern.cluster,
        offers=acts.offers(concern, user) if workable and concern.closed_at is None else [],
    )


def others(concern: Concern) -> list[Action]:
    """Further actions on the operation's name since it was first sent, as far as the portal came across them."""
    operation = concern.operation
    if operation is None:
        return []
    first = min(operation.attempts.all(), key=lambda attempt: attempt.number, default=None)
    if first is None:
        return []
    rows = Action.objects.filter(resource_name__iexact=operation.name, upstream_id__gt=first.watermark_action_id or 0)
    return list(rows.select_related("operation").exclude(concerns=concern)[:OTHERS])


def _also(concern: Concern) -> list[Concern]:
    if concern.operation is None or concern.closed_at or concern.situation not in TO_DECIDE:
        return []
    others = [row for row in concern.operation.concerns.all() if row.pk != concern.pk and row.closed_at is None]
    return [row for row in others if row.situation in TO_DECIDE]


def _tried(attempt: Attempt) -> Tried:
    facts = [
        f"HTTP status {attempt.http_status}" if attempt.http_status else "",
        f"correlation id {attempt.correlation_id}" if attempt.correlation_id else "",
        f"action {attempt.upstream_action_id}" if attempt.upstream_action_id else "",
        f"newest action before it: {attempt.watermark_action_id}" if attempt.watermark_action_id else "",
        attempt.message.removesuffix("."),
    ]
    return Tried(
        number=attempt.number,
        at=attempt.started_at,
        words=PROOFS[Proof(attempt.proof)],
        facts=[fact for fact in facts if fact],
        watermark_at=attempt.watermark_at,
    )
