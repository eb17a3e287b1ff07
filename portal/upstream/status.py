"""How the portal stands with ITCare, for health checks and the banner."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, Subquery
from django.db.models.functions import Now

from portal.upstream.circuit import FAILURES
from portal.upstream.models import Pause, Token


class Status(NamedTuple):
    """Whether ITCare can be asked, in words for users, and since when it has been so (None: not known)."""

    ok: bool
    words: str
    since: datetime | None


def status() -> Status:
    """Tell how things stand, from our own rows; asks nobody."""
    running = Pause.objects.filter(Q(until__gt=Now()) | Q(failures__gte=FAILURES))
    # One question for every page, once ITCare has been asked for anything.
    paused = {"paused": Subquery(running.values("reason")[:1]), "paused_at": Subquery(running.values("since")[:1])}
    columns = ("failed_at", "failure", "fetched_at", "paused", "paused_at")
    token = Token.objects.annotate(**paused).values(*columns).first()
    if token is None:
        pause = running.first()
        if pause is not None:
            return Status(ok=False, words=pause.reason, since=pause.since)
        return Status(ok=True, words="ITCare has not been asked yet.", since=None)
    if token["paused"] is not None:
        return Status(ok=False, words=token["paused"], since=token["paused_at"])
    if token["failed_at"] is not None:
        return Status(ok=False, words=token["failure"], since=token["failed_at"])
    return Status(ok=True, words="The portal is signed in to ITCare.", since=token["fetched_at"])
