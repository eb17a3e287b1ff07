"""The history of a cluster: what the portal did, and what was done elsewhere, in one order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.dateparse import parse_datetime

from portal.accounts.models import User
from portal.inventory.models import Cluster
from portal.operations.history import foreign
from portal.operations.models import Action, Operation

PAGE_SIZE: Final = 25
# Of what happened at one instant, operations come first.
OPERATION, ACTION = 1, 0


@dataclass(frozen=True)
class Event:
    """Something that happened to a cluster: an operation, or an action of ITCare that the portal did not start."""

    at: datetime
    operation: Operation | None = None
    action: Action | None = None

    @property
    def key(self) -> tuple[datetime, int, int]:
        """Where it stands in the order."""
        thing = self.operation or self.action
        assert thing is not None  # noqa: S101 - for the type checker
        return self.at, OPERATION if self.operation else ACTION, thing.pk


@dataclass(frozen=True)
class Past:
    """A page of history, the newest first; `next_after` leads to what is older."""

    events: list[Event]
    next_after: str


def past(user: User, cluster: Cluster, after: str | None) -> Past:
    """Return the part of the history that follows the cursor, in three queries; a cursor that is none is ignored."""
    cursor = _read(after)
    operations = Operation.objects.visible_to(user).filter(cluster=cluster).select_related("requester", "approver")
    actions = foreign(cluster).prefetch_related("messages")
    events = [
        *(
            Event(row.queued_at, operation=row)
            for row in _page(operations.annotate(at=F("queued_at")), OPERATION, cursor)
        ),
        *(
            Event(row.submitted_at or row.seen_at, action=row)
            for row in _page(actions.annotate(at=Coalesce("submitted_at", "seen_at")), ACTION, cursor)
        ),
    ]
    events.sort(key=lambda event: event.key, reverse=True)
    shown = events[:PAGE_SIZE]
    return Past(shown, _write(shown[-1]) if len(events) > PAGE_SIZE else "")


def _page(rows: QuerySet, sort: int, cursor: tuple[datetime, int, int] | None) -> QuerySet:  # type: ignore[type-arg]  # two models
    if cursor is not None:
        at, of, number = cursor
        same = Q(at=at, pk__lt=number) if sort == of else Q(at=at) if sort < of else Q(pk__in=())
        rows = rows.filter(Q(at__lt=at) | same)
    return rows.order_by("-at", "-pk")[: PAGE_SIZE + 1]


def _write(event: Event) -> str:
    at, sort, number = event.key
    return f"{at.isoformat()}~{sort}~{number}"


def _read(after: str | None) -> tuple[datetime, int, int] | None:
    at, sort, number, *_ = f"{after or ''}~~".split("~")
    try:
        moment = parse_datetime(at)
    except ValueError:
        return None
    numbers = sort in {"0", "1"} and number.isascii() and number.isdigit()
    if moment is None or moment.tzinfo is None or not numbers:
        return None
    return moment, int(sort), int(number[:18])
