"""What every page shows around its content: navigation with counts, role, banners. Read only where it is shown."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import F, Func, IntegerField, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse

from portal.accounts import rights
from portal.accounts.models import User
from portal.changes import queries
from portal.operations import heartbeat, holds
from portal.operations.models import Concern
from portal.upstream.status import status as upstream_status
from portal.web.live import stamp


@dataclass(frozen=True)
class Item:
    """One entry of the navigation."""

    label: str
    url: str
    icon: str
    current: bool
    count: int = 0


@dataclass(frozen=True)
class Banner:
    """A sentence that stands above every page for as long as its reason lasts."""

    tone: str
    text: str
    since: datetime | None = None


def shell(request: HttpRequest) -> dict[str, Callable[[], Any]]:
    """Give templates what the frame shows; fragments do not ask for it and so cost nothing."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    told = cache(lambda: _told(user))
    banners = cache(lambda: _banners(told()))
    return {
        "nav": cache(lambda: _nav(request.path, user, told())),
        "role_words": cache(lambda: rights.role_words(user)),
        "banners": banners,
        "banners_seen": cache(lambda: stamp(*(part for each in banners() for part in astuple(each)))),
    }


@dataclass(frozen=True)
class _Told:
    """What the frame tells of the whole portal, read in one query because every page asks for it."""

    waiting: int
    needing: int
    held_why: str | None
    held_at: datetime | None
    held_by: str | None


def _told(user: User) -> _Told:
    needing = Concern.objects.matters().workable_by(user)
    held = holds.in_force()
    counts = [_count(queries.waiting_for(user)), _count(needing)]
    words = [Subquery(held.values(column)[:1]) for column in ("why", "started_at", "started_by__email")]
    return _Told(*User.objects.filter(pk=user.pk).values_list(*counts, *words).get())


def _count(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.order_by().annotate(number=Func(F("pk"), function="COUNT", output_field=IntegerField()))
    return Coalesce(Subquery(counted.values("number")), 0)


def _nav(path: str, user: User, told: _Told) -> list[Item]:
    pages = [
        ("Home", reverse("home"), "house", 0),
        ("Clusters", reverse("clusters"), "database", 0),
        ("Requests", reverse("changes"), "send", 0),
        ("Approvals", reverse("approvals"), "inbox", told.waiting),
        ("Operations", reverse("operations"), "circle-play", 0),
        ("Needs a person", reverse("attention"), "hand", told.needing),
        ("Audit", reverse("audit"), "scroll-text", 0),
    ]
    if rights.administers(user):
        pages.append(("Administration", reverse("admin:index"), "settings", 0))
    return [
        Item(label, url, icon, path == url if url == "/" else path.startswith(url), count)
        for label, url, icon, count in pages
    ]


def _banners(told: _Told) -> list[Banner]:
    banners = []
    if told.held_why is not None and told.held_at is not None:
        words = f"Nothing is sent to ITCare: {told.held_by or 'the portal'} holds all sends."
        banners.append(Banner("warn", f"{words} {told.held_why.rstrip('.')}.", told.held_at))
    heard = heartbeat.heard()
    if heartbeat.SWEEP not in heard:
        words = "The portal's own clock has stopped: nothing is sent or followed until the sweep runs again."
        banners.append(Banner("bad", words))
    elif heartbeat.WORKER not in heard:
        banners.append(Banner("warn", "No worker answers: approved requests are carried out all the same, but slower."))
    upstream = upstream_status()
    if not upstream.ok:
        banners.append(Banner("warn", upstream.words, upstream.since))
    return banners
