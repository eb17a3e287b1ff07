"""The portal killed at each point of its work: before and after each commit, each request, and in the middle of it.

`make test` takes a fixed part of the points; `make faults` takes each point of each step for each of the ten kinds, and
pairs of points for the kinds whose second execution would cost most.
"""

from collections.abc import Iterator, Sequence

import pytest
from django.db.models.functions import Now

from portal.catalog.kinds import KINDS
from portal.operations.models import Operation, erase
from portal.operations.states import State
from tests.faults.figures import EVERYTHING, Figures
from tests.faults.judge import a_person_ends, judge, later, settle_down, verdict_on
from tests.faults.points import Point, clean, killed, points
from tests.faults.scenes import Scenes
from tests.faults.table import Row, told

pytestmark = pytest.mark.django_db(transaction=True)

# Where time is short. Of each step: every so many points of a create, all of its writes, and which other kinds.
SAMPLES = {"send": 4, "follow": 21, "settle": 17, "sync": 35}
OTHERS = ("delete", "resize", "restore")
PAIRED = ("create", "resize", "restore")
# A whole campaign splits the pairs of a kind in so many tests, for several processes.
SHARES = 6


def of_kinds() -> list[object]:
    """One test for each kind in a campaign; one for all of them, in one portal, where time is short."""
    return [pytest.param((kind,), id=kind) for kind in KINDS] if EVERYTHING else [pytest.param(tuple(KINDS), id="all")]


def chosen(found: Sequence[Point], step: str, kind: str) -> Sequence[Point]:
    """The points that are tried of those that there are."""
    if EVERYTHING:
        return found
    if kind == "create":
        sample = found[:: SAMPLES[step]]
        return [point for point in found if point in sample or (step == "send" and point.in_a_write)]
    if step == "send":
        # Before the write, and after it.
        return [point for point in found if point.in_a_write][::2]
    return found[-3:-2] if kind in OTHERS else []


def played(
    scenes: Scenes, figures: Figures, operation: Operation, *, points: int, kills: int, everything: bool = False
) -> None:
    """Let the sweep alone bring it to its end, and compare."""
    settle_down(everything=everything)
    verdict = verdict_on(operation, scenes.upstream)
    figures.ran(verdict, points=points, faults=kills, kills=kills)
    if verdict.waits:
        # So that the next one has the stage for itself.
        a_person_ends(operation, scenes.cast.approver)
    assert verdict.problems == ()
    assert verdict.waits == (verdict.writes == 0)


def undisturbed(scenes: Scenes, figures: Figures, step: str, kind: str) -> Sequence[Point]:
    """Play it without a fault; answers the points that there are."""
    operation = scenes.before(step, kind)
    found = list(points(clean(scenes.stage, step, operation.pk)))
    played(scenes, figures, operation, points=0, kills=0, everything=step == "sync")
    return found


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "the sender, the follower, the settler or the reader of the inventory killed at any point of its work",
        "SIGKILL before and after each commit, and before, in the middle of and after each request, as a proxy sees "
        "them go by; for each of the ten kinds",
        "what ITCare received is found there and followed to its end; what it did not receive is done by the next, "
        "or waits for a person when the grace is over; it is not sent a second time",
        "Where its write was under way: Nobody can tell whether ITCare received it. Otherwise nothing out of the "
        "ordinary.",
    )
)
@pytest.mark.parametrize("kinds", of_kinds())
@pytest.mark.parametrize("step", ["send", "follow", "settle", "sync"])
def test_killed_at_each_point(
    step: str, kinds: Sequence[str], scenes: Scenes, figures: Figures, subtests: pytest.Subtests
) -> None:
    # The first one makes what all have in common.
    undisturbed(scenes, figures, step, kinds[0])
    for kind in kinds:
        found = undisturbed(scenes, figures, step, kind) if EVERYTHING or kind in ("create", *OTHERS) else []
        for point in chosen(found, step, kind):
            operation = None
            with subtests.test(f"{step}, {point}", kind=kind):
                operation = scenes.before(step, kind)
                killed(scenes.stage, step, point, operation.pk)
                played(scenes, figures, operation, points=1, kills=1, everything=step == "sync")
            abandon(operation)
    judge(scenes.upstream)


def abandon(operation: Operation | None) -> None:
    """Put away what a failed test left unfinished: the next one would play on its ruins."""
    if operation is not None and not Operation.objects.get(pk=operation.pk).finished:
        ended = {"look_at": None, "lease_until": None, "ended_at": Now(), "password": None, "reveal": None}
        Operation.objects.filter(pk=operation.pk).update(state=State.CANCELLED, **ended)
        erase(operation.password_id, operation.reveal_id)


def firsts(kind: str, found: Sequence[Point]) -> Iterator[Point]:
    """Where a sender is killed first."""
    for point in found:
        if EVERYTHING or (kind == "create" and (point.in_a_write or point.what.endswith("(operation.sending)"))):
            yield point


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "killed again, while the sweep puts the first crash right",
        "SIGKILL at a point of sending, then at a point of the sweep's pass that finds it; every pair for create, "
        "resize and restore",
        "as after one crash",
        "as after one crash",
    )
)
@pytest.mark.parametrize("share", range(SHARES) if EVERYTHING else [0])
@pytest.mark.parametrize("kind", PAIRED if EVERYTHING else PAIRED[:1])
def test_killed_again_while_the_sweep_puts_it_right(
    kind: str, share: int, scenes: Scenes, figures: Figures, subtests: pytest.Subtests
) -> None:
    undisturbed(scenes, figures, "send", kind)
    found = list(firsts(kind, undisturbed(scenes, figures, "send", kind)))

    def killed_once(first: Point) -> Operation:
        operation = scenes.before("send", kind)
        killed(scenes.stage, "send", first, operation.pk)
        later()
        return operation

    for first in found[share::SHARES] if EVERYTHING else found:
        undisturbed_afterwards = killed_once(first)
        seconds = list(points(clean(scenes.stage, "sweep")))
        played(scenes, figures, undisturbed_afterwards, points=0, kills=1)
        for second in seconds if EVERYTHING else seconds[1::37]:
            operation = None
            with subtests.test(f"send, {first}, then the sweep, {second}", kind=kind):
                operation = killed_once(first)
                killed(scenes.stage, "sweep", second)
                played(scenes, figures, operation, points=1, kills=2)
            abandon(operation)
    judge(scenes.upstream)
