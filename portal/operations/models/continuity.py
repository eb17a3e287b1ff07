"""Continuity: whether the portal knows of everything that it did."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.operations.models.holds import Hold


class Continuity(models.Model):
    """Up to when, and in which database, the portal was at work without a break. One row.

    A database that was restored tells of an earlier time, or is another one: what was sent since is not in it.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    database = models.CharField(max_length=120, blank=True, help_text="As PostgreSQL tells of itself.")
    at = models.DateTimeField(db_default=Now())
    broken = models.CharField(max_length=200, blank=True, help_text="Why it must look first; empty once it has.")
    hold = models.ForeignKey(
        Hold, models.PROTECT, null=True, related_name="+", help_text="The portal's own, from a break until it is over."
    )
    newest_action_id = models.BigIntegerField(null=True, help_text="ITCare's newest, when the portal looked last.")
    missed_head = models.CharField(
        max_length=64, blank=True, help_text="Published, not in the audit log, and looked about."
    )

    class Meta:
        constraints = [
            # There is one past: with two rows, each sender could find the one that lets it send.
            models.CheckConstraint(condition=Q(id=1), name="continuity_one_row"),
        ]

    def __str__(self) -> str:
        return f"at work until {self.at}"
