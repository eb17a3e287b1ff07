"""PATCH with `stop` (API.md 7.3): the nodes are stopped too."""

from collections.abc import Mapping
from typing import Any

from sandbox.world.model import ACTIVE, INACTIVE, STOPPING, Cluster
from sandbox.world.stories import Order, Story, changing
from sandbox.world.world import World
from sandbox.writes.conditions import need_status


def order(_world: World, cluster: Cluster, _options: Mapping[str, Any]) -> Order:
    """The order to stop that cluster, the last node first.

    Raises:
        Refusal: 422, it is not ACTIVE.
    """
    need_status(cluster, ACTIVE)
    story = Story()
    story.then(3.0, "Closing connections and stopping PostgreSQL")
    for place in range(cluster.nodes, 0, -1):
        statuses = [ACTIVE] * (place - 1) + [STOPPING] + [INACTIVE] * (cluster.nodes - place)
        story.then(5.0, f"Stopping node {cluster.node_name(place)}", node_statuses=statuses)
    steps = story.ended(6.0, f"Cluster {cluster.name} is stopped", status=INACTIVE, node_statuses=[])
    return changing(cluster, "postgresql_stop", steps, at_once={"status": STOPPING})
