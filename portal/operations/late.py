"""Watches for actions that show up after their operation has ended without them, or that end after it (SAFETY 3).

A job of the sweep.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from portal import itcare
from portal.audit.record import record
from portal.operations import ends
from portal.operations.actions import TakenError, in_order, note, tie
from portal.operations.concerns import late_action
from portal.operations.fitting import Known, first_open, fitting, unaccounted
from portal.operations.locks import lock
from portal.operations.models import PORTAL, Action, Concern, Operation, Situation
from portal.operations.slowing import NotNow, Round
from portal.operations.states import NOTHING_EXECUTED, State
from portal.upstream.client import client as upstream_client
from portal.web.words import some

logger = logging.getLogger(__name__)

# Each costs a call: so many in one pass, and each of them not more often than this.
A_PASS: Final = 5
AGAIN_AFTER: Final = timedelta(minutes=10)
# Seconds of a pass: other work of the sweep waits.
PASS_SECONDS: Final = 30.0
_ROUND: Final = Round("Late actions of operation")


def watch(*, seconds: float = PASS_SECONDS) -> int:
    """Ask ITCare about some of them, the longest unasked first; answers how many it asked about.

    Args:
        seconds: When so many are over, no other is asked about: it is the longest unasked at the next pass.
    """
    waits = Q(searched_at=None) | Q(searched_at__lte=Now() - AGAIN_AFTER)
    either = Q(pk__in=unaccounted().values("pk")) | Q(pk__in=ends.owed().values("pk"))
    due = Operation.objects.filter(waits, either).order_by(F("searched_at").asc(nulls_first=True), "pk")
    this = _Pass(end=time.monotonic() + seconds)
    _ROUND.go(due, this.judge, A_PASS)
    return this.asked


@dataclass
class _Pass:
    """What one pass has asked so far, and whether it is over."""

    end: float
    client: itcare.Client | None = None
    calls: int = 0
    asked: int = 0
    over: bool = False

    def judge(self, operation: Operation) -> None:
        """Ask about one, and tell what is to be told of it.

        Raises:
            NotNow: it was not asked about.
        """
        if self.over:
            raise NotNow
        by_name, by_number = (rows.filter(pk=operation.pk).exists() for rows in (unaccounted(), ends.owed()))
        self.calls += by_name + by_number
        if self.calls > A_PASS or (self.asked and time.monotonic() > self.end):
            self.over = True
            raise NotNow
        # Two sweeps ask once.
        if not Operation.objects.filter(pk=operation.pk, searched_at=operation.searched_at).update(searched_at=Now()):
            raise NotNow
        self.client = self.client or upstream_client()
        try:
            listed = self.client.actions(resource_name=operation.name).items if by_name else ()
            own = _own(self.client, operation, listed) if by_number else None
        except itcare.ItcareError as error:
            logger.warning("Late actions were not asked for: %s", error.sentence)
            self.over = True
            raise NotNow from None
        self.asked += 1
        if own is not None:
            ends.tell(operation, own)
        if by_name:
            _tell(operation, listed, Known.learn())


def heard(name: str, actions: Iterable[itcare.Action]) -> None:
    """Take what was read of a cluster's past for another purpose."""
    read = {action.id: action for action in actions}
    for operation in ends.owed().filter(upstream_action_id__in=read):
        ends.tell(operation, read[operation.upstream_action_id or 0])
    operations = list(unaccounted().filter(name__iexact=name))
    if operations:
        known = Known.learn()
        for operation in operations:
            _tell(operation, read.values(), known)


def _own(client: itcare.Client, operation: Operation, listed: Iterable[itcare.Action]) -> itcare.Action | None:
    """The operation's own action as it is now; None where ITCare does not know it."""
    number = operation.upstream_action_id or 0
    shown = next((action for action in listed if action.id == number), None)
    try:
        return shown or client.action(number)
    except itcare.NotFound:
        return None


def _tell(operation: Operation, actions: Iterable[itcare.Action], known: Known) -> None:
    """Raise an alarm about those that can be the operation's own, each once; nobody is told what they knew already."""
    attempt = first_open(operation)
    if attempt is None or _somebody_is_at_it(operation):
        return
    fresh = _untold(operation, fitting(actions, operation, attempt, known))
    if len(fresh) == 1 and _seen_done(operation) and not fresh[0].failed:
        try:
            _link(operation, fresh[0])
        except TakenError:
            logger.info("Action %s was taken for another operation's meanwhile.", fresh[0].id)
    elif fresh:
        _alarm(operation, fresh)


def _untold(operation: Operation, actions: Iterable[itcare.Action]) -> list[itcare.Action]:
    """Those that nobody was told of, the first by number first."""
    told = Q(operation=operation) | Q(situation=Situation.LATE_ACTION)
    own = set(operation.actions.values_list("upstream_id", flat=True))
    return [
        action
        for action in in_order(actions)
        if action.id not in own and not Concern.objects.filter(told, actions__upstream_id=action.id).exists()
    ]


def _somebody_is_at_it(operation: Operation) -> bool:
    """Whether another operation on this name waits for its own action: it may be that one."""
    waiting = Operation.objects.unfinished().filter(upstream_action_id=None, sent_at__isnull=False)
    return waiting.filter(name__iexact=operation.name).exists()


def _seen_done(operation: Operation) -> bool:
    """Whether the one call was settled by what the cluster showed: then its action is no surprise."""
    if operation.state != State.SUCCEEDED or operation.settled_by_id or operation.upstream_action_id:
        return False
    return operation.attempts.exclude(proof__in=NOTHING_EXECUTED).count() == 1


def _link(operation: Operation, action: itcare.Action) -> None:
    with transaction.atomic():
        lock(operation)
        tie(action, operation)
        rows = Operation.objects.filter(pk=operation.pk, upstream_action_id=None)
        evidence = "the only action on this name since it was sent"
        if rows.update(upstream_action_id=action.id, evidence=evidence, found_at=Now(), changed_at=Now()):
            record(
                "operation.found",
                actor=PORTAL,
                subject_type="operation",
                subject_id=operation.pk,
                subject=operation.title,
                service_id=operation.service_id,
                detail={"action": action.id, "evidence": evidence},
            )


def _alarm(operation: Operation, actions: list[itcare.Action]) -> None:
    with transaction.atomic():
        lock(operation)
        for action in actions:
            note(action, None)
        # Another may have told of some meanwhile, and a person may have dealt with that.
        actions = _untold(operation, actions)
        if actions:
            rows = Action.objects.filter(upstream_id__in=[action.id for action in actions])
            late_action(operation, _words(operation, actions), rows)


def _words(operation: Operation, actions: list[itcare.Action]) -> str:
    numbers = some([str(action.id) for action in actions], 5)
    how = "which a person had settled" if operation.settled_by_id else f"which had ended as {operation.state}"
    return (
        f"ITCare shows action {numbers}, and it can only be that of this operation, {how}. What was asked for may have "
        "been carried out after all: look at the cluster."
    )
