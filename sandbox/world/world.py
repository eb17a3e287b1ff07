"""The world: every cluster and action, and time passing in them."""

import heapq
import math
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.world import seeding
from sandbox.world.model import Action, Cluster, Step
from sandbox.world.stories import Order, timed

FIRST_ORDERED_NUMBER, FIRST_ORDERED_ID = 600_000_000, 7_000_000
FIRST_ACTION, FIRST_INTERNAL_ACTION = 77_000, 900_077_000


@dataclass(frozen=True)
class Founding:
    """What a world follows from."""

    seed: int
    count: int  # clusters to start with
    epoch: float  # seconds since 1970


class World:
    """Clusters and actions, indexed. Callers hold `lock` around everything, reading included.

    Only what differs from the founding is in the state (`as_state`), so that it stays small however many
    clusters there are.
    """

    def __init__(self, founding: Founding, *, speed: float, account: str, clock: Callable[[], float]) -> None:
        """Found a world. `account` is the name its actions are submitted by, `speed` divides their durations."""
        self.lock = threading.RLock()
        self.founding = founding
        self._speed = speed
        self._account = account
        self._clock = clock
        self.clusters: dict[int, Cluster] = {}
        self.actions: dict[int, Action] = {}
        self.others = seeding.others(founding.seed, founding.epoch)
        self._numbers_by_name: dict[str, int] = {}
        self._numbers_by_id: dict[int, int] = {}
        self._busy: dict[int, int] = {}
        self._due: list[tuple[float, int]] = []
        self._numbers: list[int] | None = None
        self._founded: dict[int, Cluster] = {}
        self._ordered = 0
        self._touched: set[int] = set()
        self.version = 0  # counts changes to clusters
        for cluster in seeding.clusters(founding.seed, founding.count, founding.epoch):
            self._put(cluster)
        self._founded = dict(self.clusters)
        self._touched.clear()

    # --- reading -------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    def founded(self, number: int) -> Cluster | None:
        """The cluster as the world began with it, also when it has gone since."""
        return self._founded.get(number)

    def named(self, name: str) -> Cluster | None:
        """The cluster of that name, capitals or not."""
        number = self._numbers_by_name.get(name.lower())
        return None if number is None else self.clusters[number]

    def with_id(self, listed_id: int) -> Cluster | None:
        """The cluster that lists know by that id, which is not the one its details are found under."""
        number = self._numbers_by_id.get(listed_id)
        return None if number is None else self.clusters[number]

    def busy(self, number: int) -> bool:
        """Whether an action is running on the cluster, or reading its backup."""
        return number in self._busy

    def running(self) -> list[Action]:
        """The actions that have not ended."""
        return [self.actions[action_id] for action_id in dict.fromkeys(self._busy.values())]

    def numbers(self) -> list[int]:
        """The internalResourceIds of all clusters, in the order of their ids; kept until one comes or goes."""
        if self._numbers is None:
            self._numbers = sorted(self.clusters, key=lambda number: self.clusters[number].id)
        return self._numbers

    def beginning(self) -> tuple[Cluster, ...]:
        """All clusters as the world began with them."""
        return tuple(self._founded.values())

    # --- changing ------------------------------------------------------------------------------------------------

    def next_identity(self) -> tuple[int, int]:
        """The internalResourceId and id for the next cluster that is ordered; the same until one is."""
        return FIRST_ORDERED_NUMBER + seeding.NUMBER_STEP * self._ordered, FIRST_ORDERED_ID + self._ordered

    def next_address_index(self, network_id: int) -> int:
        """First free place for addresses in the network."""
        taken = [cluster.address_index for cluster in self.clusters.values() if cluster.network_id == network_id]
        return max(taken) + seeding.ADDRESS_STEP if taken else 0

    def accept(self, order: Order) -> Action:
        """Start the action of an order that was found right."""
        cluster = order.cluster
        if cluster.number not in self.clusters:
            self._ordered += 1
        self._put(cluster)
        serial = len(self.actions) + 1
        chance = random.Random(f"{self.founding.seed}/action/{serial}")  # noqa: S311 - made-up pace, no secret
        action = Action(
            id=FIRST_ACTION + serial,
            internal_id=FIRST_INTERNAL_ACTION + serial,
            process=order.process,
            cluster_number=cluster.number,
            resource_id=cluster.id,
            resource_name=cluster.name,
            service_id=cluster.service_id,
            submitted_at=math.floor(self._clock() * 1000) / 1000,  # a moment that has come, in whole milliseconds
            submitted_by=self._account,
            steps=timed(order.steps, speed=self._speed, chance=chance),
            source_number=order.source_number,
        )
        self.actions[action.id] = action
        self._follow(action)
        self.advance()
        return action

    def place(self, cluster: Cluster) -> None:
        """Put a cluster there, or in the place of the one with its number, behind the API's back."""
        self.remove(cluster.number)
        self._put(cluster)

    def remove(self, number: int) -> None:
        """Take a cluster away at once, behind the API's back."""
        if number in self.clusters:
            self._remove(self.clusters[number])

    def advance(self) -> None:
        """Let everything happen that should have by now, in its order."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            _, action_id = heapq.heappop(self._due)
            action = self.actions[action_id]
            step = action.steps[action.told]
            action.told += 1
            self._take(action.cluster_number, step)
            self._follow(action)

    def tell_next(self) -> None:
        """Let the next step of everything that is under way happen now, and what follows as much sooner."""
        self._hasten(lambda action: action.steps[action.told])

    def end_all(self) -> None:
        """Let everything that is under way come to its end now."""
        self._hasten(lambda action: action.steps[-1])

    def _hasten(self, chosen: Callable[[Action], Step]) -> None:
        for action in self.running():
            action.hasten(chosen(action), self._clock())
        self._due = [(action.next_at, action.id) for action in self.running() if action.next_at is not None]
        heapq.heapify(self._due)
        self.advance()

    def _follow(self, action: Action) -> None:
        if action.next_at is None:
            for number in action.held:
                self._busy.pop(number, None)
            return
        self._busy |= dict.fromkeys(action.held, action.id)
        heapq.heappush(self._due, (action.next_at, action.id))

    def _take(self, number: int, step: Step) -> None:
        cluster = self.clusters.get(number)
        if cluster is None:
            return
        if step.removes:
            self._remove(cluster)
        elif step.changes:
            self._put(cluster.changed(step.changes))

    def _put(self, cluster: Cluster) -> None:
        if cluster.number not in self.clusters:
            self._numbers = None
        self.version += 1
        self._touched.add(cluster.number)
        self.clusters[cluster.number] = cluster
        self._numbers_by_name[cluster.name.lower()] = cluster.number
        self._numbers_by_id[cluster.id] = cluster.number

    def _remove(self, cluster: Cluster) -> None:
        del self.clusters[cluster.number]
        self._numbers_by_name.pop(cluster.name.lower(), None)
        self._numbers_by_id.pop(cluster.id, None)
        self._numbers = None
        self.version += 1
        self._touched.add(cluster.number)

    # --- state ---------------------------------------------------------------------------------------------------

    def as_state(self) -> dict[str, Any]:
        """What differs from the founding, as JSON can hold it."""
        touched = sorted(self._touched)
        return {
            "ordered": self._ordered,
            "clusters": [asdict(self.clusters[number]) for number in touched if number in self.clusters],
            "gone": [number for number in touched if number not in self.clusters],
            "actions": [asdict(action) for action in self.actions.values()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what `as_state` gave; what should have happened since then happens now."""
        self._ordered = state["ordered"]
        self._touched.update(state["gone"])
        for number in state["gone"]:
            self.remove(number)
        for values in state["clusters"]:
            self._put(_cluster(values))
        for values in state["actions"]:
            action = Action(**{**values, "steps": _steps(values["steps"])})
            self.actions[action.id] = action
            if action.next_at is not None:
                self._follow(action)
        self.advance()


def _cluster(values: Mapping[str, Any]) -> Cluster:
    return Cluster(**values).changed(values)  # which turns JSON's lists into tuples


def _steps(values: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    return tuple(Step(**step) for step in values)
