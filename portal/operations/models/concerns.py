"""Concerns: what a person must look at, because the portal cannot settle it or will not decide it alone."""

from typing import Final, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, Func, IntegerField, OuterRef, Q, Value
from django.db.models.functions import Now
from django.urls import reverse

from portal.accounts import rights
from portal.accounts.models import User
from portal.inventory.models import Cluster, Service, granted
from portal.operations.models.actions import Action
from portal.operations.models.operations import Operation


class Situation(models.TextChoices):
    """What the matter is; docs/RUNBOOK.md has a section for each."""

    NOTHING_FOUND = "nothing_found", "Unclear, and ITCare shows nothing of it"
    SEVERAL_FIT = "several_fit", "Unclear, and several actions of ITCare fit"
    UNSETTLED = "unsettled", "Unclear, and ITCare cannot be read"
    OVERDUE = "overdue", "Runs for longer than anything should"
    UNREACHABLE = "unreachable", "Approved, and cannot be sent for a long time"
    VANISHED = "vanished", "ITCare no longer knows the action that carries it out"
    STUCK = "stuck", "Looking at it keeps failing"
    SAME_ACTION = "same_action", "ITCare names an action that carries out another operation"
    LATE_ACTION = "late_action", "An action showed up after the operation had ended"
    RELAPSED = "relapsed", "ITCare takes back how its action ended"
    UNKNOWN_ACTION = "unknown_action", "ITCare did something for the portal that the portal does not remember"
    DRIFT = "drift", "The cluster is not as the last operation left it"


# What asks for nothing but that somebody knows: a person closes it by saying so.
TO_KNOW: Final = (Situation.LATE_ACTION, Situation.RELAPSED, Situation.UNKNOWN_ACTION, Situation.DRIFT)
# What a decision about the operation settles, all of it at once; the one that says most of what to look at first.
TO_DECIDE: Final = (
    Situation.SEVERAL_FIT,
    Situation.SAME_ACTION,
    Situation.NOTHING_FOUND,
    Situation.VANISHED,
    Situation.UNSETTLED,
    Situation.STUCK,
    Situation.UNREACHABLE,
    Situation.OVERDUE,
)


class ConcernQuerySet(models.QuerySet["Concern"]):
    """Concerns, narrowed to what a person may see or has to do with."""

    def open(self) -> Self:
        """Concerns that nobody has dealt with yet."""
        return self.filter(closed_at=None)

    def matters(self) -> Self:
        """Open ones, of each operation only the first of those that one decision settles: it tells the others too."""
        names = ArrayField(models.CharField())
        # Every page counts these: a CASE for each took longer to put together than to answer.
        rank = Func(
            Value(list(TO_DECIDE), names), F("situation"), function="array_position", output_field=IntegerField()
        )
        others = Concern.objects.open().alias(rank=rank).filter(operation=OuterRef("operation"))
        return self.open().alias(rank=rank).exclude(Exists(others.filter(rank__lt=OuterRef("rank"))))

    def visible_to(self, user: User) -> Self:
        """Concerns about the services of the person's teams; all of them for support and administrators."""
        if rights.reads_everything(user):
            return self
        return self.filter(granted(rights.teams_of(user), "service__"))

    def workable_by(self, user: User) -> Self:
        """Concerns that the person may act on: of the services they decide for; all of them for administrators."""
        if rights.administers(user):
            return self
        return self.filter(granted(rights.teams_deciding(user), "service__"))


class Concern(models.Model):
    """One thing that needs a person, with the evidence; closed by a person, or by the portal once it is settled."""

    situation = models.CharField(max_length=20, choices=Situation.choices)
    operation = models.ForeignKey(Operation, models.PROTECT, null=True, related_name="concerns")
    cluster = models.ForeignKey(Cluster, models.PROTECT, null=True, related_name="concerns")
    service = models.ForeignKey(Service, models.PROTECT, null=True, related_name="+", help_text="Who may see it.")
    actions = models.ManyToManyField(Action, related_name="concerns", help_text="Those of ITCare that it is about.")
    words = models.CharField(max_length=1000, help_text="The sentence for people.")
    raised_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", help_text="Nobody: the portal.")
    outcome = models.CharField(max_length=500, blank=True, help_text="How it ended, in words.")
    # A mail goes out at least once: the time of the next try moves on before each try, and `told_at` ends them.
    tell_at = models.DateTimeField(db_default=Now(), help_text="When a mail about it is due, until one was sent.")
    told_at = models.DateTimeField(null=True, help_text="When people were sent a mail about it.")

    objects = ConcernQuerySet.as_manager()

    class Meta:
        """The oldest first: it waits the longest."""

        ordering = ["raised_at", "pk"]
        indexes = [
            models.Index(fields=["raised_at", "id"], name="concern_open", condition=Q(closed_at=None)),
            models.Index(fields=["tell_at"], name="concern_untold", condition=Q(closed_at=None, told_at=None)),
        ]
        constraints = [
            # One matter is told once, however often it is looked at.
            models.UniqueConstraint(
                fields=["operation", "situation"],
                condition=Q(closed_at=None, operation__isnull=False),
                name="one_open_concern_an_operation",
            ),
            models.UniqueConstraint(
                fields=["cluster", "situation"],
                condition=Q(closed_at=None, operation=None),
                nulls_distinct=False,
                name="one_open_concern_a_cluster",
            ),
            # What was dealt with says how, or the next reader has to find out again.
            models.CheckConstraint(
                condition=Q(closed_at=None, outcome="", closed_by=None) | (Q(closed_at__isnull=False) & ~Q(outcome="")),
                name="concern_closed_says_how",
            ),
            # A situation without a name could be told to nobody.
            models.CheckConstraint(condition=Q(situation__in=Situation.values), name="concern_situation_known"),
        ]

    def __str__(self) -> str:
        return self.get_situation_display()

    def get_absolute_url(self) -> str:
        """The concern's page."""
        return reverse("concern", args=[self.pk])

    @property
    def subject(self) -> str:
        """What it is about, as readers know it."""
        neither = "The portal itself" if self.situation == Situation.STUCK else "ITCare"
        return str(self.operation or self.cluster or neither)
