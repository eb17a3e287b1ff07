"""How the portal stands with ITCare, for health checks and the banner."""

from datetime import datetime
from typing import NamedTuple

from django.db.models.functions import Now

from portal.upstream.models import Pause, Token


class Status(NamedTuple):
    """Whether ITCare can be asked, in words for users, and since when it has been so (None: not known)."""

    ok: bool
    words: str
    since: datetime | None


def status() -> Status:
    """Tell how things stand, from our own rows; asks nobody."""
    pause = Pause.objects.filter(until__gt=Now()).first()
    if pause is not None:
        return Status(ok=False, words=pause.reason, since=pause.since)
    token = Token.objects.first()
    if token is None:
        return Status(ok=True, words="ITCare has not been asked yet.", since=None)
    if token.failed_at is not None:
        return Status(ok=False, words=token.failure, since=token.failed_at)
    return Status(ok=True, words="The portal is signed in to ITCare.", since=token.fetched_at)
