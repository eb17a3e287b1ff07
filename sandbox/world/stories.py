"""Shared by all stories: the order a write leads to, its timing, and how it ends when it is made to fail."""

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.world.model import ERROR, Cluster, Step


@dataclass(frozen=True)
class Order:
    """What a write asks for once it has been found in order."""

    process: str  # invented codes (API.md A20)
    cluster: Cluster  # as it stands when the order is taken: a new one, or one that exists
    steps: tuple[Step, ...]  # seconds at --speed 1
    undone: Mapping[str, object]  # what puts the cluster back when the action fails
    removed_when_undone: bool = False


def failing(order: Order, message: str) -> Order:
    """The same order, ending in ERROR halfway with that message, the cluster put back to what it was."""
    halfway = max(1, len(order.steps) // 2)
    end = Step(
        after=order.steps[halfway].after,
        message=message,
        changes=order.undone,
        removes=order.removed_when_undone,
        status=ERROR,
    )
    return dataclasses.replace(order, steps=(*order.steps[:halfway], end))


def timed(steps: Sequence[Step], *, speed: float, chance: random.Random) -> tuple[Step, ...]:
    """The steps at the pace of this action: up to a tenth quicker or slower, then divided by the speed."""
    pace = chance.uniform(0.9, 1.1) / speed
    return tuple(dataclasses.replace(step, after=round(step.after * pace, 3)) for step in steps)
