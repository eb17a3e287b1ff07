"""Who asks, and who agrees: changes (screens call them requests) and decisions."""

import uuid
from collections.abc import Mapping
from typing import Any, Final, Self

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse

from portal.accounts import rights
from portal.accounts.models import User
from portal.audit.record import record
from portal.catalog.base import Kind
from portal.catalog.kinds import KINDS
from portal.inventory.models import Cluster, Service, granted
from portal.operations.models import PORTAL, Operation, Secret, digest, erase
from portal.operations.states import LostRaceError
from portal.web.looks import Look


class State(models.TextChoices):
    """Where a change stands (ARCHITECTURE 3). It ends at the decision; what became of it is told by its operation."""

    DRAFT = "draft"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    LAPSED = "lapsed"


OPEN: Final = (State.DRAFT, State.PENDING)

MOVES: Final[dict[str, tuple[State, ...]]] = {
    State.DRAFT: (State.PENDING, State.WITHDRAWN, State.EXPIRED),
    State.PENDING: (State.APPROVED, State.REJECTED, State.WITHDRAWN, State.EXPIRED, State.LAPSED),
}

LOOKS: Final[dict[str, Look]] = {
    State.DRAFT: Look("Draft", "pencil", "off", "Only you see it; nothing was asked for yet."),
    State.PENDING: Look("Waiting for approval", "clock", "warn"),
    State.APPROVED: Look("Approved", "check", "good"),
    State.REJECTED: Look("Rejected", "x", "bad"),
    State.WITHDRAWN: Look("Withdrawn", "undo-2", "off"),
    State.EXPIRED: Look("Expired", "hourglass", "off", "Nobody decided in time; it can be asked again."),
    State.LAPSED: Look("Lapsed", "hourglass", "warn", "The cluster moved before the decision; it can be asked again."),
}


class ChangeQuerySet(models.QuerySet["Change"]):
    """Changes, narrowed to what a person may see or decide."""

    def visible_to(self, user: User) -> Self:
        """Changes on the services of the person's teams, all for those who read everything; drafts for their author."""
        filed = ~Q(state=State.DRAFT) & Q(submitted_at__isnull=False)
        if not rights.reads_everything(user):
            filed &= granted(rights.teams_of(user), "service__")
        own = Q(requester=user) & granted(rights.teams_of(user), "service__")
        return self.filter(filed | own)

    def decidable_by(self, user: User) -> Self:
        """Pending changes that the person may decide: of their teams' services, and not their own."""
        deciding = granted(rights.teams_deciding(user), "service__")
        return self.filter(deciding, state=State.PENDING).exclude(requester=user)


class Change(models.Model):
    """One request, from draft to decision."""

    reference = models.UUIDField(unique=True, default=uuid.uuid4, help_text="What its secrets are bound to.")
    form_token = models.UUIDField(help_text="Of the form it came from: a repeated POST leads to the same change.")
    kind = models.CharField(max_length=40)
    name = models.CharField(max_length=60, help_text="The cluster's name.")
    title = models.CharField(max_length=200)
    service = models.ForeignKey(Service, models.PROTECT, related_name="changes")
    cluster = models.ForeignKey(Cluster, models.PROTECT, null=True, related_name="changes")
    requester = models.ForeignKey(User, models.PROTECT, related_name="changes")
    why = models.CharField(max_length=500)
    parameters = models.JSONField()
    shown = models.JSONField(default=list, help_text="What changes, old and new, as it stood when it was asked.")
    notes = models.JSONField(default=dict, help_text="What was said at a field although its value was accepted.")
    revision = models.CharField(max_length=64, blank=True)
    cluster_status = models.CharField(max_length=40, blank=True, help_text="Of the cluster, when this was asked.")
    digest = models.CharField(max_length=64)
    password = models.OneToOneField(Secret, models.PROTECT, null=True, related_name="change")

    state = models.CharField(max_length=20, choices=State.choices, default=State.DRAFT)
    operation = models.OneToOneField(Operation, models.PROTECT, null=True, related_name="change")
    created_at = models.DateTimeField(db_default=Now())
    submitted_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(db_default=Now())

    objects = ChangeQuerySet.as_manager()

    class Meta:
        """The states live in the database; each constraint says why."""

        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["service", "-id"], name="change_service"),
            models.Index(fields=["state", "-id"], name="change_state"),
            models.Index(fields=["expires_at"], name="change_expiring", condition=Q(state__in=OPEN)),
            models.Index(fields=["cluster", "-id"], name="change_cluster"),
        ]
        constraints = [
            # A form that is sent twice asks once.
            models.UniqueConstraint(fields=["requester", "form_token"], name="one_change_a_form"),
            # Approved means that it is carried out, and nothing else is.
            models.CheckConstraint(
                condition=Q(state=State.APPROVED, operation__isnull=False)
                | (~Q(state=State.APPROVED) & Q(operation=None)),
                name="approved_has_an_operation",
            ),
            # Lists and expiry rest on it.
            models.CheckConstraint(
                condition=Q(state__in=OPEN, ended_at=None) | (~Q(state__in=OPEN) & Q(ended_at__isnull=False)),
                name="change_ended_has_a_time",
            ),
            # What is over needs no password: the operation holds its own.
            models.CheckConstraint(condition=Q(state__in=OPEN) | Q(password=None), name="ended_change_holds_no_secret"),
            # A decision rests on what was submitted, and when.
            models.CheckConstraint(
                condition=Q(state__in=[State.DRAFT, State.WITHDRAWN, State.EXPIRED]) | Q(submitted_at__isnull=False),
                name="pending_was_submitted",
            ),
            # A word that no code knows would neither end nor expire.
            models.CheckConstraint(condition=Q(state__in=State.values), name="change_state_known"),
            # The composite key that a decision's foreign key needs, to copy the requester truthfully.
            models.UniqueConstraint(fields=["id", "requester"], name="change_and_requester"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The request's page."""
        return reverse("change", args=[self.pk])

    @property
    def look(self) -> Look:
        """How its state is shown."""
        return LOOKS[self.state]

    @property
    def latest_look(self) -> Look:
        """How it is shown in a list: as its operation stands, once it has one."""
        return self.operation.look if self.operation else self.look

    @property
    def entry(self) -> Kind:
        """Its entry of the catalogue."""
        return KINDS[self.kind]

    def computed_digest(self) -> str:
        """The digest of what this row asks for."""
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
        actor: User | None = None,
        detail: Mapping[str, str | int | None] | None = None,
        **values: Any,  # noqa: ANN401 - columns of this model
    ) -> None:
        """Move to another state and write the audit entry; call it last in a transaction, it takes the chain's lock.

        Args:
            to: The new state.
            actor: The person who caused it; the portal itself where there is none.
            detail: For the audit entry.
            values: Further columns to set.

        Raises:
            LostRaceError: the row is no longer in the state that the caller saw.
            ValueError: there is no such move.
        """
        if to not in MOVES.get(self.state, ()):
            message = f"no move from {self.state} to {to}"
            raise ValueError(message)
        secret = None
        if to not in OPEN:
            values["ended_at"] = Now()
            values["password"] = None
            # An approved change has handed its secret to the operation; any other end destroys the one that the row has
            # now: the draft may have been given another since it was read.
            held = Change.objects.select_for_update().filter(pk=self.pk).values_list("password_id", flat=True).first()
            secret = None if to == State.APPROVED else held
        if Change.objects.filter(pk=self.pk, state=self.state).update(state=to, changed_at=Now(), **values) != 1:
            message = f"change {self.pk} is no longer {self.state}"
            raise LostRaceError(message)
        erase(secret)
        record(
            f"change.{to}",
            actor=actor.email if actor else PORTAL,
            actor_id=actor.pk if actor else None,
            subject_type="change",
            subject_id=self.pk,
            subject=self.title,
            service_id=self.service_id,
            detail={"from": self.state, "digest": self.digest, **(detail or {})},
        )
        # Last: what could not be written down has not moved.
        self.state = to


class Decision(models.Model):
    """What one person decided about one change."""

    class Verdict(models.TextChoices):
        """The two verdicts."""

        APPROVE = "approve"
        REJECT = "reject"

    change = models.ForeignKey(Change, models.PROTECT, related_name="decisions")
    requester = models.ForeignKey(User, models.PROTECT, related_name="+", help_text="Copied from the change.")
    decider = models.ForeignKey(User, models.PROTECT, related_name="decisions")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    comment = models.CharField(max_length=1000, blank=True)
    digest = models.CharField(max_length=64, help_text="Of what was decided on.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        """Rules of deciding that no code path can go around."""

        ordering = ["pk"]
        constraints = [
            # Nobody decides twice.
            models.UniqueConstraint(fields=["change", "decider"], name="one_decision_a_person"),
            # A verdict is one of two: anything else would be read as neither.
            models.CheckConstraint(condition=Q(verdict__in=["approve", "reject"]), name="decision_verdict_known"),
            # Nobody decides on what they asked for.
            models.CheckConstraint(condition=~Q(requester=F("decider")), name="requester_does_not_decide"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.decider}"
