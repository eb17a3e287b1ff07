"""Holds: times in which the portal sends nothing, because a person said so or because it must look first."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.accounts.models import User


class Hold(models.Model):
    """A time in which nothing is sent. What runs is followed all the same."""

    why = models.CharField(max_length=500)
    started_at = models.DateTimeField(db_default=Now())
    started_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", help_text="Nobody: the portal.")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", help_text="Nobody: the portal.")
    outcome = models.CharField(max_length=500, blank=True, help_text="Why it ended.")

    class Meta:
        """The newest first."""

        ordering = ["-pk"]
        constraints = [
            # There is one switch: two holds at once could not be let go by one answer.
            models.UniqueConstraint(
                fields=["ended_at"], condition=Q(ended_at=None), nulls_distinct=False, name="one_hold_at_a_time"
            ),
            # Everybody reads the reason in the banner.
            models.CheckConstraint(condition=~Q(why=""), name="hold_has_a_reason"),
            # Sending again is a decision, and a decision has a reason.
            models.CheckConstraint(
                condition=Q(ended_at=None, outcome="", ended_by=None) | (Q(ended_at__isnull=False) & ~Q(outcome="")),
                name="hold_ended_says_why",
            ),
        ]

    def __str__(self) -> str:
        return self.why
