"""Compares what clusters are with what the last operation left, and has a person look where they differ."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from portal.catalog.kinds import KINDS
from portal.inventory.models import ACTIVE, INACTIVE, Cluster
from portal.inventory.waiting import want
from portal.operations import concerns
from portal.operations.history import foreign
from portal.operations.locks import lock
from portal.operations.models import Concern, Operation, Situation
from portal.operations.slowing import went_away
from portal.operations.states import UNFINISHED, Proof, State

logger = logging.getLogger(__name__)

A_PASS: Final = 200
MOST_ACTIONS: Final = 10
# What ended longer ago than this waits for the next reading that comes anyway.
ASKED_FOR: Final = timedelta(days=1)
# Columns of a cluster that operations change, in words.
WATCHED: Final[Mapping[str, str]] = {
    "version": "version",
    "topology": "topology",
    "sizing": "size",
    "storage": "disk",
    "status": "status",
}
GONE: Final = "gone"
# Ends of operations that ITCare may have carried out, all or in part.
_TOUCHED: Final = Q(state=State.SUCCEEDED) | Q(state=State.FAILED, last_proof__in=[Proof.ACCEPTED, Proof.UNKNOWN])


def compare() -> int:
    """Compare the clusters that changed since they were last compared; answers how many.

    The first reading after an operation has ended is what it left. A cluster on which something is under way is left
    alone: what it will be is not known yet.
    """
    compared = 0
    # Those that could not be compared come last.
    for operation in _due().select_related("cluster__service").order_by("failures", "-pk")[:A_PASS]:
        cluster = operation.cluster
        assert cluster is not None  # noqa: S101 - asked for; this is for the type checker
        try:
            _compare(operation, cluster)
        except Exception as error:
            if went_away(error):
                raise
            # One row that cannot be compared must not stop the others.
            logger.exception("The cluster of operation %s could not be compared.", operation.pk)
            _try_to_put_off(operation, cluster, error)
            continue
        compared += 1
    return compared


def ask() -> int:
    """Have the clusters read that were not read since their last operation ended; answers how many."""
    lately = _last().filter(left__isnull=True, ended_at__gt=Now() - ASKED_FOR)
    unread = Q(cluster__read_at=None) | Q(cluster__read_at__lte=F("ended_at"))
    waiting = lately.filter(unread, cluster__gone_at=None, cluster__wanted_at=None)
    return want(list(waiting.values_list("cluster_id", flat=True)[:A_PASS]))


@transaction.atomic
def _compare(operation: Operation, cluster: Cluster) -> None:
    """Note that it was compared, together with what is told of it: what could not be told is compared again."""
    lock(operation)
    rows = Operation.objects.filter(pk=operation.pk)
    if operation.left is None:
        rows.update(left=_seen(cluster), compared_at=cluster.changed_at, failures=0)
        concerns.close(_open(cluster), "A newer operation has ended since.")
        _tell(operation, cluster, _missing(operation, cluster))
    else:
        _tell(operation, cluster, _difference(operation, cluster, operation.left))
        rows.update(compared_at=cluster.changed_at, failures=0)


def _try_to_put_off(operation: Operation, cluster: Cluster, error: Exception) -> None:
    try:
        _put_off(operation, cluster, error)
    except Exception as again:
        if went_away(again):
            raise
        # It stays as it was, and is tried again at the next pass.
        logger.exception("Operation %s could not be put off either.", operation.pk)


@transaction.atomic
def _put_off(operation: Operation, cluster: Cluster, error: Exception) -> None:
    """Try some times more; then wait for the next news of the cluster, and tell a person."""
    lock(operation)
    rows = Operation.objects.filter(pk=operation.pk)
    if operation.failures + 1 < settings.STUCK_FAILURES:
        rows.update(failures=F("failures") + 1)
        return
    rows.update(failures=0, compared_at=cluster.changed_at)
    words = (
        f"It could not be compared with what the {_called(operation, cluster)} left "
        f"({type(error).__name__}); the log of the sweep says why. That is tried again when the cluster changes."
    )
    _tell(operation, cluster, words)


def _last() -> QuerySet[Operation]:
    """The last operation of each cluster, where that one has ended."""
    later = Operation.objects.filter(_TOUCHED | Q(state__in=UNFINISHED), cluster=OuterRef("cluster"))
    ended = Operation.objects.filter(_TOUCHED, cluster__isnull=False)
    return ended.exclude(Exists(later.filter(pk__gt=OuterRef("pk"))))


def _due() -> QuerySet[Operation]:
    """The last operation of each cluster, where there is news to compare with."""
    read = Q(cluster__read_at__gt=F("ended_at")) | Q(cluster__gone_at__isnull=False)
    first = Q(read, left__isnull=True, compared_at=None)
    return _last().filter(first | Q(cluster__changed_at__gt=F("compared_at")))


def _seen(cluster: Cluster) -> dict[str, object]:
    return {GONE: cluster.gone_at is not None, **{name: getattr(cluster, name) for name in WATCHED}}


def _open(cluster: Cluster) -> QuerySet[Concern]:
    return Concern.objects.open().filter(situation=Situation.DRIFT, cluster=cluster, operation=None)


def _difference(operation: Operation, cluster: Cluster, left: Mapping[str, object]) -> str:
    """How the cluster differs from what the operation left, in words; empty where it does not.

    A status that is not documented is of something under way; what ITCare does not tell is not known to differ.
    """
    now = _seen(cluster)
    if left[GONE] != now[GONE]:
        found = "ITCare no longer knows the cluster." if now[GONE] else "The cluster is there again."
        return f"{found} The {_called(operation, cluster)} did not do that."
    parts = []
    for name, label in WATCHED.items():
        before, after = left[name], now[name]
        steady = name != "status" or {before, after} <= {ACTIVE, INACTIVE}
        if before != after and steady and None not in {before, after} and "" not in {before, after}:
            parts.append(f"{label} {after} instead of {before}")
    if not parts:
        return ""
    told = ", ".join(parts)
    return f"{told[0].upper()}{told[1:]}. The {_called(operation, cluster)} left it otherwise."


def _missing(operation: Operation, cluster: Cluster) -> str:
    """What ITCare says was done and the cluster does not show, in words; empty where it does, or cannot show it."""
    kind = KINDS.get(operation.kind)
    settled = cluster.gone_at is not None or cluster.status in {ACTIVE, INACTIVE}
    if operation.state != State.SUCCEEDED or kind is None or not kind.effect_shows or not settled:
        return ""
    if kind.effect(operation.parameters, cluster):
        return ""
    what = f"“{operation.title}”" if _told(operation, cluster) else "the last operation here"
    return f"ITCare says that {what} succeeded, and the cluster does not show it."


def _told(operation: Operation, cluster: Cluster) -> bool:
    """Whether readers may know what was asked for: the cluster may be another service's by now (`concerns.told_to`)."""
    return operation.service_id == cluster.service_id


def _called(operation: Operation, cluster: Cluster) -> str:
    title = f", “{operation.title}”," if _told(operation, cluster) else ""
    return f"last operation here{title}"


def _tell(operation: Operation, cluster: Cluster, words: str) -> None:
    """Raise the concern, or close it; what somebody has noted is not told again."""
    if not words:
        concerns.close(_open(cluster), "The cluster is as the last operation left it.")
        return
    noted = Concern.objects.filter(situation=Situation.DRIFT, cluster=cluster, closed_by__isnull=False, words=words)
    if noted.filter(service=cluster.service).exists():
        return
    since = foreign(cluster).filter(seen_at__gt=operation.ended_at).order_by("-upstream_id")[:MOST_ACTIONS]
    concerns.close(_open(cluster).exclude(service=cluster.service), "The cluster is another service's by now.")
    concerns.raise_concern(Situation.DRIFT, words, cluster=cluster, actions=list(since))
