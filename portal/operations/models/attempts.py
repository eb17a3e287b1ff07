"""Attempts: one row per upstream write."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.operations.models.operations import Operation
from portal.operations.states import NOTHING_EXECUTED, Proof


class Attempt(models.Model):
    """One upstream write: committed before the call, completed after it, never overwritten."""

    operation = models.ForeignKey(Operation, models.PROTECT, related_name="attempts")
    number = models.IntegerField()
    fence = models.BigIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    # What was the newest at ITCare before the write: only an action after it can be ours (SAFETY 1 rule 6).
    watermark_action_id = models.BigIntegerField(null=True)
    watermark_at = models.DateTimeField(null=True)
    proof = models.CharField(max_length=20, choices=Proof.choices, blank=True, default="")
    http_status = models.IntegerField(null=True)
    message = models.CharField(max_length=500, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    upstream_action_id = models.BigIntegerField(null=True)

    class Meta:
        """Attempts are numbered from one."""

        ordering = ["number"]
        constraints = [
            # The number is the attempt's identity in the timeline and in the outcome's update.
            models.UniqueConstraint(fields=["operation", "number"], name="attempt_number_once"),
            # Ended means proven: without a proof nobody can say what came of it.
            models.CheckConstraint(
                condition=Q(ended_at=None, proof="") | (Q(ended_at__isnull=False) & ~Q(proof="")),
                name="attempt_ended_is_proven",
            ),
            # A proof that no code knows would prove nothing.
            models.CheckConstraint(condition=Q(proof__in=Proof.values), name="attempt_proof_known"),
            # Two open writes of one operation would be two writes.
            models.UniqueConstraint(fields=["operation"], condition=Q(proof=""), name="one_open_attempt"),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number} of operation {self.operation_id}"

    @property
    def may_have_acted(self) -> bool:
        """Whether ITCare may have executed it, as far as its sender could tell."""
        return self.proof not in NOTHING_EXECUTED
