"""What every page shows around its content: navigation with counts, role, banners. Read only where it is shown."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from portal.accounts import rights
from portal.accounts.models import User
from portal.changes import queries
from portal.operations import heartbeat
from portal.upstream.status import status as upstream_status


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
    return {
        "nav": cache(lambda: _nav(request.path, user)),
        "role_words": cache(lambda: rights.role_words(user)),
        "banners": cache(_banners),
    }


def _nav(path: str, user: User) -> list[Item]:
    waiting = queries.waiting_for(user).count()
    pages = [
        ("Home", reverse("home"), "house", 0),
        ("Clusters", reverse("clusters"), "database", 0),
        ("Requests", reverse("changes"), "send", 0),
        ("Approvals", reverse("approvals"), "inbox", waiting),
        ("Operations", reverse("operations"), "circle-play", 0),
        ("Audit", reverse("audit"), "scroll-text", 0),
    ]
    if rights.administers(user):
        pages.append(("Administration", reverse("admin:index"), "settings", 0))
    return [
        Item(label, url, icon, path == url if url == "/" else path.startswith(url), count)
        for label, url, icon, count in pages
    ]


def _banners() -> list[Banner]:
    banners = []
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
