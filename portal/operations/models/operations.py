"""Operations: the queue of record."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce, Now
from django.urls import reverse
from django.utils.functional import cached_property

from portal.accounts import rights
from portal.accounts.models import User
from portal.audit.record import record
from portal.inventory.models import Cluster, Service, granted
from portal.operations.models.rules import CONSTRAINTS, INDEXES
from portal.operations.models.secrets import Secret, erase
from portal.operations.states import (
    ASKED,
    ENDED,
    LOOKS,
    MOVES,
    UNFINISHED,
    UNSENT,
    LostRaceError,
    Proof,
    Reason,
    State,
)
from portal.web.looks import Look

PORTAL = "portal"  # the actor of what the portal does by itself


class OperationQuerySet(models.QuerySet["Operation"]):
    """Operations, narrowed to what a person may see or a process has to do."""

    def visible_to(self, user: User) -> Self:
        """Operations on the services of the person's teams; all of them for support and administrators."""
        if rights.reads_everything(user):
            return self
        return self.filter(granted(rights.teams_of(user), "service__"))

    def unfinished(self) -> Self:
        """Operations that have not ended."""
        return self.filter(state__in=UNFINISHED)

    def due(self, *states: State) -> Self:
        """Operations in one of the states whose time has come and whom nobody holds, by the database's clock."""
        free = Q(lease_until=None) | Q(lease_until__lte=Now())
        return self.filter(free, state__in=states, look_at__lte=Now())

    def overdue(self) -> Self:
        """Operations that run for longer than anything should, by the database's clock (API.md 6)."""
        asked = self.filter(state__in=ASKED).alias(since=Coalesce("sent_at", "queued_at"))
        return asked.filter(since__lte=Now() - timedelta(seconds=settings.OVERDUE_SECONDS))

    def told_overdue(self) -> Self:
        """The same rows, each with whether it is overdue."""
        return self.annotate(overdue=Exists(Operation.objects.overdue().filter(pk=OuterRef("pk"))))


class Operation(models.Model):
    """One approved request on its way through ITCare. The row is the queue: `look_at` says when it is due."""

    reference = models.UUIDField(unique=True, help_text="The request's; secrets are bound to it.")
    kind = models.CharField(max_length=40)
    name = models.CharField(max_length=60, help_text="The cluster's name.")
    title = models.CharField(max_length=200)
    service = models.ForeignKey(Service, models.PROTECT, related_name="operations")
    cluster = models.ForeignKey(Cluster, models.PROTECT, null=True, related_name="operations")
    source = models.ForeignKey(Cluster, models.PROTECT, null=True, related_name="+", help_text="Read meanwhile.")
    requester = models.ForeignKey(User, models.PROTECT, related_name="operations_requested")
    approver = models.ForeignKey(User, models.PROTECT, related_name="operations_approved")
    parameters = models.JSONField()
    revision = models.CharField(max_length=64, blank=True, help_text="Of the cluster, as the requester saw it.")
    digest = models.CharField(max_length=64, help_text="Of all that was approved.")

    state = models.CharField(max_length=20, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=40, choices=Reason.choices, blank=True, default="")
    message = models.CharField(max_length=500, blank=True, help_text="The sentence for people.")
    last_proof = models.CharField(max_length=20, choices=Proof.choices, blank=True, default="")
    released_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", help_text="Says that it may be sent once more."
    )
    also_released_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", help_text="Agrees, where two have to."
    )
    released_at = models.DateTimeField(
        null=True, help_text="When the evidence was last found good enough to send again."
    )
    settled_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", help_text="Said how it ended, or which action is its own."
    )
    upstream_action_id = models.BigIntegerField(null=True)
    evidence = models.CharField(
        max_length=300,
        blank=True,
        default="",
        help_text="Why an action was taken for its own that no answer had named.",
    )
    found_at = models.DateTimeField(null=True, help_text="When that action was found.")
    searched_at = models.DateTimeField(
        null=True, help_text="ITCare was last asked what became of it, and the answer was whole."
    )
    told = models.BigIntegerField(
        null=True, help_text="A mark of what ITCare's list last told of its action: the same again is no news."
    )
    missed_at = models.DateTimeField(null=True, help_text="First answer that ITCare does not know its action.")

    look_at = models.DateTimeField(null=True, db_default=Now())
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    failures = models.IntegerField(default=0, help_text="Looks in a row that led nowhere; they slow the next one down.")
    password = models.OneToOneField(Secret, models.PROTECT, null=True, related_name="operation_to_send")
    reveal = models.OneToOneField(Secret, models.PROTECT, null=True, related_name="operation_to_reveal")

    queued_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(db_default=Now())

    # What the cluster was when it was first read after the end, and when that was last compared with what it is.
    left = models.JSONField(null=True, help_text="By column of the cluster.")
    compared_at = models.DateTimeField(null=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        """The states live in the database."""

        ordering = ["-pk"]
        indexes = INDEXES
        constraints = CONSTRAINTS

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The operation's page."""
        return reverse("operation", args=[self.pk])

    @property
    def look(self) -> Look:
        """How its state is shown."""
        return LOOKS[self.state]

    @property
    def finished(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state in ENDED

    @cached_property
    def overdue(self) -> bool:
        """Whether it runs for longer than anything should; it is shown and told, not failed (API.md 6).

        Whoever reads the row may have it told by the same query (`told_overdue`).
        """
        return self.state in ASKED and Operation.objects.overdue().filter(pk=self.pk).exists()

    def computed_digest(self) -> str:
        """The digest of what this row would send; it must equal the one that was approved."""
        return digest(
            reference=self.reference,
            kind=self.kind,
            service=self.service.upstream_id,
            revision=self.revision,
            parameters=self.parameters,
        )

    @transaction.atomic
    def move(
        self,
        to: State,
        *,
        fence: int | None = None,
        actor: User | None = None,
        detail: Mapping[str, str | int | None] | None = None,
        where: Q | None = None,
        **values: Any,  # noqa: ANN401 - columns of this model
    ) -> None:
        """Move to another state and write the audit entry; call it last in a transaction, it takes the chain's lock.

        Args:
            to: The new state.
            fence: The fence under which the caller holds the row; another one means that somebody took over.
            actor: The person who caused it; the portal itself where there is none.
            detail: For the audit entry.
            where: What else must hold of the row, in the same statement.
            values: Further columns to set.

        Raises:
            LostRaceError: the row is no longer in the state, or under the fence, that the caller saw.
            ValueError: there is no such move.
        """
        if to not in MOVES[self.state]:
            message = f"no move from {self.state} to {to}"
            raise ValueError(message)
        if to in ENDED:
            # Looks that failed are counted anew by who compares its cluster.
            values |= {"look_at": None, "lease_until": None, "ended_at": Now(), "failures": 0}
        doomed = self._secrets_ended_by(to)
        values |= dict.fromkeys(doomed)
        rows = Operation.objects.filter(pk=self.pk, state=self.state)
        if fence is not None:
            rows = rows.filter(fence=fence)
        if where is not None:
            rows = rows.filter(where)
        if rows.update(state=to, changed_at=Now(), **values) != 1:
            message = f"operation {self.pk} is no longer {self.state}"
            raise LostRaceError(message)
        erase(*doomed.values())
        record(
            f"operation.{to}",
            actor=actor.email if actor else PORTAL,
            actor_id=actor.pk if actor else None,
            subject_type="operation",
            subject_id=self.pk,
            subject=self.title,
            service_id=self.service_id,
            detail={"from": self.state, **(detail or {})},
        )
        # Last: what could not be written down has not moved, and whoever slows it down finds it by its state.
        self.state = to

    def _secrets_ended_by(self, to: State) -> dict[str, int | None]:
        """Columns that must let go of their secret in that state, with the secrets' numbers."""
        doomed = {}
        if to not in UNSENT:
            doomed["password"] = self.password_id
        if to in {State.FAILED, State.CANCELLED}:
            doomed["reveal"] = self.reveal_id
        return doomed


def digest(*, reference: uuid.UUID, kind: str, service: int, revision: str, parameters: Mapping[str, object]) -> str:
    """SHA-256 over what is asked for, in one canonical spelling (ARCHITECTURE 1.3)."""
    asked = [str(reference), kind, service, revision, parameters]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
