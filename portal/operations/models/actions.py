"""ITCare's actions, and what they told."""

from typing import Any

from django.db import models
from django.db.models.functions import Now

from portal.inventory.models import Cluster
from portal.operations.models.operations import Operation
from portal.web.looks import Look, words_of


class Action(models.Model):
    """An action of ITCare as last read; without an operation it is one that the portal did not start."""

    upstream_id = models.BigIntegerField(unique=True)
    operation = models.ForeignKey(Operation, models.PROTECT, null=True, related_name="actions")
    cluster = models.ForeignKey(
        Cluster, models.CASCADE, null=True, related_name="actions", help_text="What it was found in the history of."
    )
    status = models.CharField(max_length=40, blank=True)
    process = models.CharField(max_length=200, blank=True)
    resource_name = models.CharField(max_length=200, blank=True)
    submitted_at = models.DateTimeField(null=True)
    submitted_by = models.CharField(max_length=200, blank=True)
    last_updated_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        """The newest first."""

        ordering = ["-upstream_id"]

    def __str__(self) -> str:
        return f"Action {self.upstream_id}"

    @property
    def title(self) -> str:
        """What it is about, in ITCare's words: the last message, else the code of the work, which is not documented."""
        told = [message.text for message in self.messages.all() if message.text]
        return told[-1] if told else self.process or str(self)

    @property
    def look(self) -> Look:
        """How its status is shown; words that are not documented are shown as they are (API.md 6)."""
        known = {
            "SUCCESS": Look("Succeeded", "check", "good"),
            "ERROR": Look("Failed", "x", "bad"),
            "IN_PROGRESS": Look("Running", "loader-circle", "busy"),
            "": Look("Not known", "circle-question-mark", "off"),
        }
        return known.get(self.status) or Look(words_of(self.status), "circle-question-mark", "warn")


class ActionMessage(models.Model):
    """One thing that ITCare said about an action, once: the timeline."""

    action = models.ForeignKey(Action, models.CASCADE, related_name="messages")
    text = models.CharField(max_length=500)
    status = models.CharField(max_length=40, blank=True)
    said_at = models.DateTimeField(null=True, help_text="ITCare's own time.")
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        """In the order in which they were seen."""

        ordering = ["pk"]
        constraints = [
            # Two looks at once would otherwise tell one message twice.
            models.UniqueConstraint(fields=["action", "text", "status"], name="message_once_an_action"),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def at(self) -> Any:  # noqa: ANN401 - a time
        """When it was said, or seen where ITCare gives no time."""
        return self.said_at or self.seen_at
