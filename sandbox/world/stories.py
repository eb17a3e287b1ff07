"""Shared by all stories: how they are told, the order a write leads to, its timing, how it ends when made to fail."""

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.world.model import ERROR, SUCCESS, Cluster, Step

AGES = 1e10  # seconds: months, even at a speed of thousands


@dataclass(frozen=True)
class Order:
    """What a write asks for once it has been found in order."""

    process: str  # invented codes (API.md A20)
    cluster: Cluster  # as it stands when the order is taken: a new one, or one that exists
    steps: tuple[Step, ...]  # seconds at --speed 1
    undone: Mapping[str, object]  # what puts the cluster back when the action fails
    removed_when_undone: bool = False
    source_number: int | None = None  # of the cluster whose backup is read, which is busy too


class Story:
    """Messages one after the other, each with what it changes on the cluster."""

    def __init__(self) -> None:
        """Begin as every story does."""
        self._steps = [Step(0.0, "Order received")]

    def then(self, seconds: float, message: str, **changes: object) -> None:
        """Tell what follows that many seconds after the last message."""
        self._steps.append(Step(self._steps[-1].after + seconds, message, changes))

    def ended(self, seconds: float, message: str, **changes: object) -> tuple[Step, ...]:
        """The whole story, with its good end."""
        end = Step(self._steps[-1].after + seconds, message, changes, status=SUCCESS)
        return (*self._steps, end)


def changing(
    cluster: Cluster,
    process: str,
    steps: tuple[Step, ...],
    *,
    at_once: Mapping[str, object] | None = None,
    source_number: int | None = None,
) -> Order:
    """An order that changes a cluster, with what puts back all that it changes.

    Args:
        cluster: as it stands.
        process: code of the action.
        steps: its story.
        at_once: what changes with the acceptance.
        source_number: of the cluster whose backup is read.
    """
    now = at_once or {}
    names = {*now, *(name for step in steps for name in step.changes)}
    before = {name: getattr(cluster, name) for name in sorted(names)}
    return Order(
        process=process,
        cluster=cluster.changed(now),
        steps=steps,
        undone={name: list(value) if isinstance(value, tuple) else value for name, value in before.items()},
        source_number=source_number,
    )


def failing(order: Order, message: str) -> Order:
    """The same order, ending in ERROR halfway with that message, the cluster put back to what it was."""
    halfway = min(max(1, len(order.steps) // 2), len(order.steps) - 1)
    end = Step(
        after=order.steps[halfway].after,
        message=message,
        changes=order.undone,
        removes=order.removed_when_undone,
        status=ERROR,
    )
    return dataclasses.replace(order, steps=(*order.steps[:halfway], end))


def unending(order: Order) -> Order:
    """The same order, its last step put off for ages."""
    told = order.steps[:-1] or (Step(0.0, "Order received"),)
    return dataclasses.replace(order, steps=(*told, dataclasses.replace(order.steps[-1], after=AGES)))


def relapsing(order: Order, seconds: float) -> Order:
    """The same order, back from its end to IN_PROGRESS after so many seconds, and ending again after as many more."""
    end = order.steps[-1]
    again = Step(end.after + seconds, "Checking once more")
    return dataclasses.replace(
        order, steps=(*order.steps, again, Step(end.after + 2 * seconds, end.message, status=end.status))
    )


def timed(steps: Sequence[Step], *, speed: float, chance: random.Random) -> tuple[Step, ...]:
    """The steps at the pace of this action: up to a tenth quicker or slower, then divided by the speed."""
    pace = chance.uniform(0.9, 1.1) / speed
    return tuple(dataclasses.replace(step, after=round(step.after * pace, 3)) for step in steps)
