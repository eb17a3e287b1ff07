"""The records that the world is made of. All are plain data, so that the state is plain JSON."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

STANDALONE, HA = "STANDALONE", "HA"
ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"
CREATING, DELETING = "CREATING", "DELETING"
STARTING, STOPPING, RESTARTING = "STARTING", "STOPPING", "RESTARTING"
RESIZING, RESTORING, CONVERTING, UPGRADING = "RESIZING", "RESTORING", "CONVERTING", "UPGRADING"
SUCCESS, IN_PROGRESS, ERROR = "SUCCESS", "IN_PROGRESS", "ERROR"
HA_NODES = 3


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster. `number` is its internalResourceId, `id` the one that lists and history know it by."""

    number: int
    id: int
    name: str
    product_code: str
    sizing: str
    disk: int
    service_id: int
    network_id: int
    topology: str
    trigram: str
    lag: int
    area: str
    zone: str
    tls: bool
    node_prefix: str
    status: str
    created_at: float
    created_by: str
    address_index: int
    addressed: bool = True
    nodes: int = 1
    databases: tuple[str, ...] = ("postgres",)
    backed_up: bool = True
    monitored: bool = True
    comment: str = ""
    node_statuses: tuple[str, ...] = ()  # of the nodes in their order, while they differ from the cluster's
    node_sizings: tuple[str, ...] = ()  # likewise
    # What the API has no field for: seen below /_sandbox alone.
    installed: tuple[str, ...] = ()  # database/extension
    offered: tuple[str, ...] = ()  # extensions beyond the catalogue
    patch_excluded: bool = False
    patch_group: str = ""
    exclusion_reason: str = ""

    @property
    def size(self) -> int:
        """Number of nodes that the topology asks for; `nodes` counts those that stand."""
        return HA_NODES if self.topology == HA else 1

    def node_name(self, place: int) -> str:
        """Name of the node at that place, which counts from 1."""
        return f"{self.node_prefix}{place:02d}"

    def node_status(self, place: int) -> str:
        """Status of the node at that place; nodes of a cluster that is being changed run, unless said otherwise."""
        if self.node_statuses:
            return self.node_statuses[place - 1]
        return self.status if self.status in {INACTIVE, DELETING} else ACTIVE

    def node_sizing(self, place: int) -> str:
        """Size of the node at that place."""
        return self.node_sizings[place - 1] if self.node_sizings else self.sizing

    def changed(self, changes: Mapping[str, object]) -> "Cluster":
        """A copy with other values, as a step of a story or a state file gives them."""
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()}
        return dataclasses.replace(self, **values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Step:
    """One message of an action's story and what it does to the cluster."""

    after: float  # seconds from the order
    message: str
    changes: Mapping[str, object] = field(default_factory=dict)
    removes: bool = False
    status: str = IN_PROGRESS


@dataclass
class Action:
    """Asynchronous work on a cluster; `told` counts the steps that have happened."""

    id: int
    internal_id: int
    process: str
    cluster_number: int
    resource_id: int
    resource_name: str
    service_id: int
    submitted_at: float
    submitted_by: str
    steps: tuple[Step, ...]
    told: int = 0
    source_number: int | None = None  # of the cluster whose backup is read

    @property
    def held(self) -> tuple[int, ...]:
        """The clusters that nothing else may be done to until it has ended."""
        return (self.cluster_number,) if self.source_number is None else (self.cluster_number, self.source_number)

    @property
    def status(self) -> str:
        """SUCCESS, IN_PROGRESS or ERROR, as far as the story has been told."""
        return self.steps[self.told - 1].status if self.told else IN_PROGRESS

    @property
    def message(self) -> str:
        """What the newest step says."""
        return self.steps[self.told - 1].message if self.told else ""

    @property
    def updated_at(self) -> float:
        """Time of the newest step, in seconds since the epoch."""
        return self.submitted_at + (self.steps[self.told - 1].after if self.told else 0.0)

    @property
    def next_at(self) -> float | None:
        """Time of the step to come, or None when the story is over."""
        return self.submitted_at + self.steps[self.told].after if self.told < len(self.steps) else None

    def hasten(self, step: Step, now: float) -> None:
        """Let a step to come happen now, those before it too, and those after it as much sooner."""
        elapsed = math.floor((now - self.submitted_at) * 1000) / 1000
        sooner = step.after - elapsed
        self.steps = self.steps[: self.told] + tuple(
            dataclasses.replace(each, after=max(elapsed, round(each.after - sooner, 3)))
            for each in self.steps[self.told :]
        )


@dataclass(frozen=True)
class Other:
    """A resource that is not PostgreSQL, there so that a client has something to filter away (API.md 8)."""

    number: int
    id: int
    name: str
    category: str
    type: str
    family: str
    path: str
    product_name: str
    service_id: int
    created_at: float
