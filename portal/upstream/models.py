"""What all processes of the portal share about ITCare: the access token and the pause. One row each."""

from django.db import models
from django.db.models import Q


class Token(models.Model):
    """The access token, sealed, and the lease of the process that fetches a new one."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    wrapped_key = models.BinaryField(null=True)
    ciphertext = models.BinaryField(null=True)
    fetched_at = models.DateTimeField(null=True)
    renew_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    # While this lies ahead, one process is fetching and the others wait or use what there is.
    fetching_until = models.DateTimeField(null=True)
    # Counts the fetchers, so that one which was overtaken does not overwrite its successor's token.
    fence = models.BigIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    failure = models.TextField(default="", blank=True)
    refused_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # There is one account, hence one token.
            models.CheckConstraint(condition=Q(id=1), name="upstream_token_one_row"),
            # Half a token can neither be opened nor be judged.
            models.CheckConstraint(
                condition=Q(wrapped_key=None, ciphertext=None, fetched_at=None, renew_at=None, expires_at=None)
                | Q(
                    wrapped_key__isnull=False,
                    ciphertext__isnull=False,
                    fetched_at__isnull=False,
                    renew_at__isnull=False,
                    expires_at__isnull=False,
                ),
                name="upstream_token_whole_or_absent",
            ),
        ]

    def __str__(self) -> str:
        return f"token fetched at {self.fetched_at}" if self.fetched_at else "no token"


class Pause(models.Model):
    """Until when ITCare is not asked, and why; how often in a row it did not answer."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    until = models.DateTimeField(null=True)
    since = models.DateTimeField(null=True)
    reason = models.TextField(default="", blank=True)
    # Pauses in close succession, each longer than the one before.
    strikes = models.PositiveSmallIntegerField(default=0)
    # Requests in a row that were not answered in time, by whichever process.
    failures = models.PositiveSmallIntegerField(db_default=0)
    # While this lies ahead, one call tries whether ITCare answers again, and all others are held back.
    trying_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # The upstream is one, and so is its pause.
            models.CheckConstraint(condition=Q(id=1), name="upstream_pause_one_row"),
            # A banner that says neither why nor since when helps nobody.
            models.CheckConstraint(
                condition=Q(until=None) | (Q(since__isnull=False) & ~Q(reason="")), name="upstream_pause_has_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"paused until {self.until}: {self.reason}" if self.until else "no pause"


class Pace(models.Model):
    """When the next operation may be sent, so that many that waited do not all go at once."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    next_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Two paces would be twice the pace.
            models.CheckConstraint(condition=Q(id=1), name="upstream_pace_one_row"),
        ]

    def __str__(self) -> str:
        return f"next at {self.next_at}"
