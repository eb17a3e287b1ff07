"""PATCH with `start` (API.md 7.3)."""

from collections.abc import Mapping
from typing import Any

from sandbox.world.model import ACTIVE, HA, INACTIVE, STARTING, Cluster
from sandbox.world.stories import Order, Story, changing
from sandbox.world.world import World
from sandbox.writes.conditions import need_status


def order(_world: World, cluster: Cluster, _options: Mapping[str, Any]) -> Order:
    """The order to start that cluster, nodes first.

    Raises:
        Refusal: 422, it is not INACTIVE.
    """
    need_status(cluster, INACTIVE)
    story = Story()
    for place in range(1, cluster.nodes + 1):
        statuses = [ACTIVE] * (place - 1) + [STARTING] + [INACTIVE] * (cluster.nodes - place)
        story.then(4.0, f"Starting node {cluster.node_name(place)}", node_statuses=statuses)
    story.then(6.0, "Starting PostgreSQL", node_statuses=[])
    if cluster.topology == HA:
        story.then(5.0, "Waiting for replication to catch up")
    steps = story.ended(6.0, f"Cluster {cluster.name} is started", status=ACTIVE)
    at_once = {"status": STARTING, "node_statuses": [INACTIVE] * cluster.nodes}
    return changing(cluster, "postgresql_start", steps, at_once=at_once)
