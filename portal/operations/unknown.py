"""Tells which of ITCare's actions are the portal's own doing, and not known to it."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Max, Q
from django.db.models.functions import Lower

from portal import itcare
from portal.inventory.models import Cluster
from portal.operations import released
from portal.operations.actions import in_order, note
from portal.operations.acts import perhaps_executed
from portal.operations.concerns import raise_concern
from portal.operations.locks import lock
from portal.operations.models import Action, Attempt, Concern, Continuity, Operation, Situation
from portal.operations.states import NOTHING_EXECUTED, State
from portal.web.words import cut, some

# ITCare's Date header counts whole seconds.
SECOND: Final = timedelta(seconds=1)
# What ITCare notes of a write that it answers at once may be a little younger than the operation's end.
AFTER_THE_END: Final = timedelta(seconds=5)
MOST_TOLD: Final = 5


def fresh(listed: itcare.Actions, after: datetime) -> list[itcare.Action]:
    """The actions that began after a moment of our own clock; without a time, those newer than any that is known."""
    since, newest = after + _ahead(listed), _newest_known()
    return [a for a in listed if (a.submitted_at >= since if a.submitted_at else a.id > newest)]


def unknown(listed: itcare.Actions, after: datetime, *, about: Operation | None = None) -> list[itcare.Action]:
    """Those of them that are of our own account and that no operation knows or explains, and nobody has decided on.

    How ITCare spells our account is learned from our own actions; until there is one, anybody's may be ours.

    Args:
        listed: What ITCare's list tells.
        after: The moment after which they began.
        about: The operation that they may be of: that they are not another waiting one's says nothing of this one.
    """
    found = fresh(listed, after)
    own = Action.objects.exclude(operation=None).exclude(submitted_by="")
    accounts = set(own.values_list("submitted_by", flat=True).distinct()[:10])
    found = [a for a in found if not accounts or not a.submitted_by or a.submitted_by in accounts]
    numbers = [action.id for action in found]
    decided = Concern.objects.filter(closed_at__isnull=False)
    if about is not None:
        other = Q(operation__isnull=False) & ~Q(operation=about)
        decided = decided.exclude(other, situation=Situation.UNKNOWN_ACTION)
    known = {
        *Action.objects.filter(upstream_id__in=numbers, operation__isnull=False).values_list("upstream_id", flat=True),
        *Attempt.objects.filter(upstream_action_id__in=numbers).values_list("upstream_action_id", flat=True),
        *Operation.objects.filter(upstream_action_id__in=numbers).values_list("upstream_action_id", flat=True),
        *Action.objects.filter(upstream_id__in=numbers, concerns__in=decided).values_list("upstream_id", flat=True),
    }
    left = [action for action in found if action.id not in known]
    looked_for = _looked_for(left)
    ahead = _ahead(listed)
    return [a for a in left if not any(_fits(a, write, ahead) for write in looked_for.get(_name(a), ()))]


def tell(actions: Iterable[itcare.Action], *, about: Operation | None = None) -> None:
    """Raise concerns about unknown actions: on the operation that waits for that name, else on the cluster.

    Args:
        actions: Which ones.
        about: The operation, where that is known: two may wait for one name.
    """
    told: dict[tuple[str, int], tuple[Operation | Cluster | None, list[itcare.Action]]] = {}
    for action in actions:
        subject = about or _subject(_name(action))
        key = (type(subject).__name__, subject.pk if subject else 0)
        told.setdefault(key, (subject, []))[1].append(action)
    with transaction.atomic():
        lock(*(subject for subject, _ in told.values() if isinstance(subject, Operation)))
        for action in in_order(action for _, those in told.values() for action in those):
            note(action, None)
        found = [(subject, those, _noted(subject, those)) for subject, those in told.values()]
        # All of them before the first entry in the audit log.
        open_ones = Concern.objects.open().filter(situation=Situation.UNKNOWN_ACTION)
        list(open_ones.select_for_update(of=("self",)).values_list("pk"))
        for subject, those, rows in found:
            operation = subject if isinstance(subject, Operation) else None
            cluster = subject if isinstance(subject, Cluster) else None
            if operation is not None:
                _stop(operation, those, rows)
            raise_concern(
                Situation.UNKNOWN_ACTION, words(those, operation), operation=operation, cluster=cluster, actions=rows
            )


def _stop(operation: Operation, actions: list[itcare.Action], rows: Collection[Action]) -> None:
    """Take back what people have said so far of a locked operation: they had not seen these actions.

    One that may have been executed before, and that they released, is looked for again as if they had not.
    """
    queued = Operation.objects.filter(pk=operation.pk, state=State.QUEUED)
    if queued.exists() and perhaps_executed(operation.attempts.all()):
        released.take_back(operation, actions, released.NOT_REMEMBERED)
        return
    asked = Concern.objects.open().filter(operation=operation, situation=Situation.UNKNOWN_ACTION)
    told = Action.objects.filter(concerns__in=asked)
    if not {row.pk for row in rows} <= set(told.values_list("pk", flat=True)):
        queued.update(released_by=None, also_released_by=None, released_at=None)


def doubt(operation: Operation, listed: itcare.Actions) -> str:
    """Why a queued operation may have been sent already, in words; empty if nothing says so.

    The last look before a write, at the list that is read for the watermark in any case: an action of ours on that
    name, after the approval, that nobody knows of. It is told to a person, whose closing of the concern decides.
    """
    that = itcare.Actions(
        tuple(a for a in listed if _name(a) == operation.name.lower()), listed.complete, listed.server_time
    )
    found = unknown(that, operation.queued_at, about=operation)
    if found:
        tell(found, about=operation)
    open_ones = Concern.objects.open().filter(operation=operation, situation=Situation.UNKNOWN_ACTION)
    return open_ones.values_list("words", flat=True).first() or ""


def words(actions: list[itcare.Action], operation: Operation | None) -> str:
    """What is said to people about unknown actions."""
    told = some([_title(action) for action in actions], MOST_TOLD)
    said = f"ITCare did something for the portal's account that the portal does not remember: {told}."
    if operation is None:
        return said
    return f"{said} It may be this operation, sent already: if so, adopt it. It is not sent until somebody decides."


def _title(action: itcare.Action) -> str:
    what = action.message or action.process or "no words"
    when = f", {action.submitted_at:%Y-%m-%d %H:%M:%S} UTC" if action.submitted_at else ""
    return f"action {action.id} on {action.resource_name or 'nothing named'} ({cut(what, 50)}{when})"


def _name(action: itcare.Action) -> str:
    return (action.resource_name or "").lower()


def _ahead(listed: itcare.Actions) -> timedelta:
    """How far ITCare's clock is before the database's: up to a second too little, as its header counts whole ones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return listed.server_time - now if listed.server_time else timedelta()


def _newest_known() -> int:
    found = (
        Action.objects.aggregate(newest=Max("upstream_id"))["newest"],
        Attempt.objects.aggregate(newest=Max("watermark_action_id"))["newest"],
        Continuity.objects.aggregate(newest=Max("newest_action_id"))["newest"],
    )
    return max((number for number in found if number), default=0)


def _looked_for(actions: Iterable[itcare.Action]) -> dict[str, list[Attempt]]:
    """By name, the writes whose action was never found: settling looks for it, or a person has settled without it."""
    names = {_name(action) for action in actions}
    rows = Attempt.objects.annotate(lower=Lower("operation__name")).filter(
        lower__in=names, upstream_action_id=None, operation__upstream_action_id=None
    )
    rows = rows.exclude(proof__in=NOTHING_EXECUTED).exclude(operation__state=State.QUEUED)
    found: dict[str, list[Attempt]] = {}
    for attempt in rows.select_related("operation"):
        found.setdefault(attempt.operation.name.lower(), []).append(attempt)
    return found


def _fits(action: itcare.Action, write: Attempt, ahead: timedelta) -> bool:
    """Whether the action may be what came of that write: after its watermark, and begun before the operation ended."""
    if write.watermark_action_id is not None and action.id <= write.watermark_action_id:
        return False
    at, ended = action.submitted_at, write.operation.ended_at
    if at and write.watermark_at and at < write.watermark_at - SECOND:
        return False
    return ended is None or (at is not None and at <= ended + ahead + AFTER_THE_END)


def _subject(name: str) -> Operation | Cluster | None:
    waiting = Operation.objects.filter(state=State.QUEUED, name__iexact=name).select_related("cluster", "service")
    return waiting.first() or Cluster.objects.present().named(name).select_related("service").first()


def _noted(subject: Operation | Cluster | None, actions: Collection[itcare.Action]) -> list[Action]:
    cluster = subject.cluster if isinstance(subject, Operation) else subject
    rows = Action.objects.filter(upstream_id__in=[action.id for action in actions])
    if cluster:
        rows.filter(cluster=None).update(cluster=cluster)
    return list(rows)
