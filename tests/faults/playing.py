"""What runs of the state machine share: their world, what people do in them, processes that are killed."""

import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

from django.db import connection
from hypothesis.stateful import RuleBasedStateMachine

from portal.accounts.models import User
from portal.changes import decide, submit
from portal.changes.models import Change
from portal.inventory import lists, waiting
from portal.operations import acts, continuity, resolve, send, settle
from portal.operations.models import Concern, Operation
from portal.operations.states import LostRaceError, State
from portal.operations.sweep import once
from portal.upstream.client import client
from tests.cast import Cast
from tests.faults.judge import CARRIES, aim, carried_out, named
from tests.portal.catalog.asking import RESTORE, Values, placed
from tests.sandbox_server import Sandbox

WRITE = "/databases/postgresql"
ASKS: Final[Mapping[str, Values]] = {
    "create": {},
    "delete": {},
    "start": {},
    "stop": {},
    "resize": {"sizing": "4cpu8gb"},
    "restore": RESTORE,
    "enable_ha": {"replication_lag": "33"},
    "update_patch_party": {"excluded": "true", "exclusion_reason": "We patch it."},
    "install_extension": {"dbname": "postgres", "extensions": ["hstore"]},
    "upgrade": {"target_version": "17"},
}
# What people and processes are told when things are not as they were, or may not be done now.
NOT_NOW = (
    LostRaceError,
    submit.NotPossibleError,
    decide.NotAllowedError,
    resolve.NotPossibleError,
    resolve.NotAllowedError,
)
ACTS: Final[Mapping[acts.Act, Callable[..., object]]] = {
    **{act: partial(resolve.end, act=act) for act in resolve.ENDS},
    acts.Act.SEND: resolve.send_again,
    acts.Act.SEND_NOW: resolve.send_now,
    acts.Act.NOTED: resolve.note,
}
# Creates of one run, so that some are of one name.
NAMES = 3
# Longer than a call lasts, and than the stand-in may take to do it after all.
NOTHING_ON_ITS_WAY = 2.5


@dataclass
class World:
    """What all runs share, and what came of them in figures."""

    cast: Cast
    upstream: Sandbox
    figures: Counter[str] = field(default_factory=Counter)
    numbers: Any = field(default_factory=lambda: itertools.count(7_000_001))

    def carried_out(self, operation: Operation) -> int:
        """How many actions for it, and for any other of its kind on its name, the stand-in has on its disk."""
        return carried_out(self.upstream)[operation.kind, operation.name]


def killed(step: Callable[[], object], moment: Callable[[int], object]) -> bool:
    """Run a step in a process of its own and kill that one; answers whether it still lived.

    Args:
        step: What the process does.
        moment: Waits until the process, whose number it is given, is to be killed.
    """
    child = os.fork()
    if child == 0:
        # Its own connection; the one of the other process is neither used nor closed.
        inherited, connection.connection = connection.connection, None
        try:
            step()
        finally:
            # At once, with what it inherited still open.
            os._exit(0 if inherited else 1)
    moment(child)
    lived = os.waitpid(child, os.WNOHANG)[0] == 0
    if lived:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return lived


def lives(child: int) -> bool:
    """Whether it runs; one that has ended is left to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


class Playing(RuleBasedStateMachine):
    """One run: what it knows, and what its rules are made of."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        world = self.world
        self.cast, self.upstream, self.figures = world.cast, world.upstream, world.figures
        self.upstream.set_faults()
        continuity.go_on()
        self.run = next(world.numbers)
        numbers = [next(world.numbers) for _ in range(3)]
        service, old = self.cast.service, {"product_code": "deb12pg15"}
        self.clusters = [placed(self.upstream, service, number, **old) for number in numbers]
        self.changes: list[Change] = []
        self.released: Counter[int] = Counter()
        self.sent_at = time.monotonic()

    def _operations(self) -> Any:  # noqa: ANN401 - a queryset
        return Operation.objects.filter(change__in=[change.pk for change in self.changes])

    def _concerns(self) -> Any:  # noqa: ANN401 - a queryset
        unfinished = self._operations().unfinished().values("pk")
        return Concern.objects.open().filter(operation__in=unfinished).order_by("pk")

    def _pending(self, which: int) -> Change | None:
        pending = Change.objects.filter(pk__in=[change.pk for change in self.changes], state="pending")
        found: Change | None = self._of(list(pending.order_by("pk")), which)
        return found

    @staticmethod
    def _of(rows: list[Any], which: int) -> Any:  # noqa: ANN401 - one of them
        return rows[which % len(rows)] if rows else None

    @staticmethod
    def _unless_too_late(act: Callable[[], object]) -> bool:
        try:
            act()
        except NOT_NOW:
            return False
        return True

    def _verdict(self, verdict: str, change: Change, user: User) -> Callable[[], object]:
        if verdict == "approve":
            return partial(decide.approve, change, user, "")
        if verdict == "reject":
            return partial(decide.reject, change, user, "Not now.")
        return partial(decide.withdraw, change, self.cast.developer)

    def _deal(self, concern: Concern, act: acts.Act) -> bool:
        """Do it, if it is no lie; answers whether it was done."""
        operation = concern.operation
        assert operation is not None
        done, sends = self._done(operation), {acts.Act.SEND, acts.Act.SEND_NOW}
        if done is None and act != acts.Act.RELEASE:
            # Nobody can find it out, and so nobody says that they did.
            return False
        if (act in {acts.Act.FAILED, *sends} and done) or (act == acts.Act.DONE and not done):
            return False
        both = (self.cast.administrator, self.cast.approver)
        acted = [self._acts(concern, act, user) for user in (both if act in sends else both[:1])]
        return any(acted)

    def _acts(self, concern: Concern, act: acts.Act, user: User) -> bool:
        concern = Concern.objects.get(pk=concern.pk)
        why, seen = "We have looked at ITCare.", acts.basis(concern)
        if act == acts.Act.ADOPT:
            first = next(iter(acts.candidates(concern)), None)
            if first is None:
                return False
            doing: Callable[..., object] = partial(resolve.adopt, action=first.pk)
        else:
            doing = ACTS[act]
        if not self._unless_too_late(partial(doing, concern, user, why, seen=seen)):
            return False
        self.figures["acts of people"] += 1
        operation = concern.operation
        if act == acts.Act.SEND and operation is not None:
            operation.refresh_from_db()
            self.released[operation.pk] += operation.state == State.QUEUED
        return True

    def _done(self, operation: Operation | None) -> bool | None:
        """Whether ITCare has done it; None where that cannot be told from another of its kind on its name."""
        assert operation is not None
        time.sleep(max(0.0, self.sent_at + NOTHING_ON_ITS_WAY - time.monotonic()))
        alike = self._operations().filter(name=operation.name, kind=operation.kind).count()
        return None if alike > 1 else bool(self.world.carried_out(operation))

    def _add_fault(self, rule_of: dict[str, Any]) -> None:
        self.upstream.add_faults(rule_of)
        self.figures["faults"] += 1

    def _killed(self, step: Callable[[], object], moment: Callable[[int], object]) -> None:
        if killed(step, moment):
            self.figures.update(kills=1, faults=1)
        self.sent_at = time.monotonic()

    def _ours(self, write: dict[str, Any]) -> bool:
        names = {f"m{self.run}x{name}" for name in range(NAMES)}
        return aim(write)[1] in names | {str(cluster.upstream_id) for cluster in self.clusters}

    def _settle(self) -> None:
        send.lapse()
        settle.settle()

    def _sweep(self) -> None:
        once(named(*CARRIES))

    def _read(self) -> None:
        upstream = client()
        lists.sync_lists(upstream)
        waiting.read_waiting(upstream)
