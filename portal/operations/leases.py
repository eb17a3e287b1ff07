"""Leases: who works on a row, until when, and under which fence (SAFETY 3). All by the database's clock."""

import random
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Now

from portal.operations.models import Operation
from portal.operations.states import State


def claim(
    *states: State, only: int | None = None, where: Q | None = None, limit: int = 1, by: str = "look_at"
) -> list[Operation]:
    """Take a lease on rows that are due, skipping those that somebody else is taking.

    Args:
        states: The states to look in.
        only: The one row to take.
        where: What else must hold.
        limit: How many rows at most.
        by: Which ones first: by default the longest due.
    """
    with transaction.atomic():
        rows = Operation.objects.due(*states).select_for_update(skip_locked=True)
        if only is not None:
            rows = rows.filter(pk=only)
        if where is not None:
            rows = rows.filter(where)
        numbers = list(rows.order_by(by, "pk").values_list("pk", flat=True)[:limit])
        Operation.objects.filter(pk__in=numbers).update(
            lease_until=Now() + timedelta(seconds=settings.LEASE_SECONDS), fence=F("fence") + 1
        )
        held = Operation.objects.filter(pk__in=numbers).order_by(by, "pk")
        return list(held.select_related("service", "cluster__service", "requester", "password"))


def look_again(operation: Operation, seconds: float, *, failed: bool = False, slower: bool = True) -> None:
    """Give the row back, to be looked at again in some seconds; failures in a row slow it down, unless not `slower`.

    Does nothing if another has taken the row over, or it has ended. The fence alone tells that: what failed may have
    left another state in the caller's copy than in the database. One that is said to be sending is its sender's until
    the lease is over, and keeps a lease, which ends then.
    """
    rows = Operation.objects.unfinished().filter(pk=operation.pk, fence=operation.fence)
    rows = rows.filter(~Q(state=State.SENDING) | Q(lease_until__lte=Now()))
    if failed and slower:
        seconds = max(seconds, back_off(operation.failures + 1))
    then = Now() + timedelta(seconds=seconds)
    rows.update(
        look_at=then,
        lease_until=Case(When(state=State.SENDING, then=then), default=None),
        failures=F("failures") + 1 if failed else 0,
    )


def give_back(operations: Sequence[Operation], seconds: float = 0) -> None:
    """Give rows back that were claimed and not looked at."""
    for operation in operations:
        rows = Operation.objects.unfinished().filter(pk=operation.pk, fence=operation.fence, state=operation.state)
        rows.update(look_at=Now() + timedelta(seconds=seconds), lease_until=None)


def hand_back(operation: Operation) -> None:
    """Give the row back as it was claimed, due and with no failure more: what kept it from being done is not its own.

    Does nothing if another has taken the row over, or it has ended.
    """
    rows = Operation.objects.unfinished().filter(pk=operation.pk, fence=operation.fence, state=operation.state)
    rows.update(lease_until=None)


def back_off(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling, capped at five minutes, with jitter."""
    seconds = min(2.0 ** (1 + min(failures, 10)), 300.0)
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
