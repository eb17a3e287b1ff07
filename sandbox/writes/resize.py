"""PATCH with `resize` (API.md 7.3): one node after the other, the last one first."""

from collections.abc import Mapping
from typing import Any

from sandbox.world.catalogue import capacity_of
from sandbox.world.model import ACTIVE, RESIZING, Cluster
from sandbox.world.stories import Order, Story, changing
from sandbox.world.world import World
from sandbox.writes.conditions import need_status, unfit


def order(_world: World, cluster: Cluster, options: Mapping[str, Any]) -> Order:
    """The order to give that cluster another size.

    Raises:
        Refusal: 422, it is not ACTIVE, has that size, or nobody sells it.
    """
    need_status(cluster, ACTIVE)
    sizing = options["sizing"]
    capacity = capacity_of(sizing)
    if capacity is None:
        raise unfit(field_name="options.sizing", why="no such size is offered")
    if sizing == cluster.sizing:
        raise unfit(field_name="options.sizing", why="the cluster has this size")
    cpu, ram = capacity
    count = cluster.nodes
    story = Story()
    story.then(4.0, f"Checking capacity in {cluster.zone}")
    for place in range(count, 0, -1):
        name = cluster.node_name(place)
        statuses = [RESIZING if each == place else ACTIVE for each in range(1, count + 1)]
        sizes = [cluster.sizing] * (place - 1) + [sizing] * (count - place + 1)
        story.then(5.0, f"Resizing node {name} to {cpu} vCPU and {ram} GB of memory", node_statuses=statuses)
        story.then(9.0, f"Node {name} is back", node_statuses=[], node_sizings=sizes)
    story.then(5.0, "Adapting the settings of PostgreSQL")
    end = f"Cluster {cluster.name} is resized to {sizing}"
    steps = story.ended(6.0, end, status=ACTIVE, sizing=sizing, node_sizings=[])
    return changing(cluster, "postgresql_resize", steps, at_once={"status": RESIZING})
