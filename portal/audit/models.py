"""The audit log: who did what to what, when. Append-only, and chained."""

from django.db import models
from django.db.models import Q


class Entry(models.Model):
    """One thing that was done, or refused. Written by `record` alone; the database refuses any alteration.

    Actor and subject are text beside their number, without foreign keys: an entry outlives what it speaks of.
    """

    number = models.BigIntegerField(primary_key=True)
    # Of the canonical form that was hashed.
    version = models.SmallIntegerField()
    at = models.DateTimeField()
    verb = models.TextField()
    actor = models.TextField()
    actor_id = models.BigIntegerField(null=True)
    subject_type = models.TextField()
    subject_id = models.TextField()
    subject = models.TextField()
    service_id = models.BigIntegerField(null=True)
    detail = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "entries"
        ordering = ["number"]
        constraints = [
            # The chain has a beginning, and one only: numbers are the primary key.
            models.CheckConstraint(condition=Q(number__gte=1), name="audit_entry_number_from_one"),
            # Two entries with one predecessor would be two histories.
            models.UniqueConstraint(fields=["previous_hash"], name="audit_entry_one_successor"),
        ]
        indexes = [
            models.Index(fields=["service_id", "-number"], name="audit_entry_service"),
            models.Index(fields=["subject_type", "subject_id", "-number"], name="audit_entry_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.actor} {self.verb} {self.subject}"
