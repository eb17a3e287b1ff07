"""The audit log: one table that is only ever added to."""

from django.db import models


class Entry(models.Model):
    """What somebody did, or the portal by itself. No foreign key: it outlives what it speaks of."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    verb = models.CharField(max_length=60)
    actor = models.CharField(max_length=254)
    actor_id = models.BigIntegerField(null=True)
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=40)
    subject = models.CharField(max_length=300)
    service_id = models.BigIntegerField(null=True)
    detail = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        """The newest last, found by service."""

        db_table = "audit_entry"
        ordering = ["number"]
        indexes = [models.Index(fields=["service_id", "-number"], name="entry_service")]

    def __str__(self) -> str:
        return f"{self.number} {self.verb} {self.subject}"
