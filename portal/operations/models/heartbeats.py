"""Signs of life."""

from django.db import models
from django.db.models.functions import Now


class Heartbeat(models.Model):
    """When a process last proved that it works."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name
