"""When ITCare was read."""

from django.db import models
from django.db.models.functions import Now


class Sync(models.Model):
    """When a list of ITCare was last read, and when it is to be read again."""

    name = models.CharField(max_length=40, primary_key=True)
    look_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)
    failed = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.name
