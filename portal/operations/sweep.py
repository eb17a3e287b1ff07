"""The sweep: the portal's only clock. It nudges Celery for what is due, and does itself what nobody has claimed."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any, Final

from django.conf import settings
from django.db import Error, close_old_connections
from django.db.models import Q
from django.db.models.functions import Now

from portal.operations import continuity, follow, heartbeat, mails, send, settle, tasks
from portal.operations.models import Operation
from portal.operations.states import State
from portal.upstream import circuit
from portal.upstream.circuit import Way
from portal.web.hints import Nudger

logger = logging.getLogger(__name__)

# Seconds after which a pass that is still wanted is nudged again.
PASS_AGAIN: Final = 1.5
NUDGES_A_PASS: Final = 200
NUDGED_AGAIN: Final = 10.0
# Seconds of one pass that the sweep gives to sending by itself: where the upstream hangs, other work waits.
OWN_SENDS: Final = 10.0
# Likewise to asking for single actions, and to looking for what is unclear.
OWN_LOOKS: Final = 10.0


@dataclass
class Job:
    """Something that the sweep does again and again."""

    name: str
    run: Callable[[], object]
    every: float  # seconds
    # Whether it must not fall silent while slow jobs take their time: it comes between any two of them, when it is due.
    between: bool = False
    due: float = 0.0  # on the monotonic clock


def sweep(jobs: Sequence[Job], stop: Event) -> None:
    """Run the jobs, each at its pace, until told to stop. One that fails is logged and does not stop the others."""
    between = [job for job in jobs if job.between]
    while not stop.is_set():
        for job in jobs:
            if stop.is_set():
                return
            for each in (*between, job):
                _run_if_due(each)
        stop.wait(settings.SWEEP_SECONDS)


def _run_if_due(job: Job) -> None:
    if job.due <= time.monotonic():
        _run(job)


def once(jobs: Sequence[Job]) -> None:
    """Run each job one time, whatever its pace."""
    for job in jobs:
        _run(job)


def _run(job: Job) -> None:
    close_old_connections()
    try:
        job.run()
    except Error as error:
        logger.error("%s: the database did not do it: %s", job.name, error)  # noqa: TRY400 - expected while it restarts
    except Exception:
        logger.exception("%s failed; the sweep goes on.", job.name)
    job.due = time.monotonic() + job.every


def at_work() -> None:
    """Say between two pages of a long list that the sweep works: it goes on, however slowly ITCare answers."""
    heartbeat.beat(heartbeat.SWEEP)
    continuity.go_on()


class Nudges:
    """Nudges workers for the operations that are due, and does what nobody has claimed in time."""

    def __init__(self, nudger: Nudger) -> None:
        self._nudge = nudger.nudge
        # Whether there was a time in which nothing could be sent.
        self._waited = False

    def send(self) -> None:
        """Nudge the queued operations that are due, the oldest first; send what was not claimed in time."""
        found = circuit.way()
        if found == Way.SHUT or not send.may_send():
            # They stay due, and nobody has to hear of them again and again.
            self._waited = True
            return
        if found == Way.OPEN and self._waited:
            send.wake()
            self._waited = False
        # While ITCare is only tried, the oldest does that.
        most = 1 if found == Way.TRIED else _nudges_a_pass()
        due = Operation.objects.due(State.QUEUED).order_by("queued_at", "pk")
        for number in due.values_list("pk", flat=True)[:most]:
            if not self._nudge(tasks.send_operation, number, again=NUDGED_AGAIN):
                break
        end = time.monotonic() + OWN_SENDS
        for number in late(Q(state=State.QUEUED)).order_by("queued_at", "pk").values_list("pk", flat=True)[:most]:
            send.send(number)
            if time.monotonic() > end:
                break

    def follow(self) -> None:
        """Nudge the pass over running operations; make it ourselves if nobody did in time."""
        known = Q(state=State.RUNNING, upstream_action_id__isnull=False)
        if Operation.objects.due(State.RUNNING).filter(known).exists():
            self._nudge(tasks.follow_operations, again=PASS_AGAIN)
        if late(known).exists():
            follow.follow(seconds=OWN_LOOKS, at_work=at_work)

    def settle(self) -> None:
        """Nudge the search for what is unclear; make it ourselves if nobody did in time."""
        unknown = Q(state=State.UNCLEAR) | Q(state=State.RUNNING, upstream_action_id=None)
        if Operation.objects.due(State.UNCLEAR, State.RUNNING).filter(unknown).exists():
            self._nudge(tasks.settle_operations, again=PASS_AGAIN)
        if late(unknown).exists():
            settle.settle(seconds=OWN_LOOKS)

    def tell(self) -> None:
        """Nudge the mails about what needs a person; send them ourselves if nobody did in time."""
        if mails.untold().exists():
            self._nudge(tasks.tell_people)
        mails.tell_late()

    def beat(self) -> None:
        """Say that the sweep works, and ask a worker to say so for itself."""
        heartbeat.beat(heartbeat.SWEEP)
        self._nudge(tasks.beat)


def _nudges_a_pass() -> int:
    """As many as can be sent before they are nudged again: more would only lie in the broker."""
    return max(1, min(NUDGES_A_PASS, int(settings.SENDS_PER_SECOND * NUDGED_AGAIN)))


def late(which: Q) -> Any:  # noqa: ANN401 - a queryset
    """Rows that have been due for longer than anybody should need to claim them."""
    patience = timedelta(seconds=settings.SWEEP_PATIENCE_SECONDS)
    due = Operation.objects.due(State.QUEUED, State.RUNNING, State.UNCLEAR)
    return due.filter(which, look_at__lte=Now() - patience).order_by("look_at")
