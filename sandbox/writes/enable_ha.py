"""PATCH with `enable_ha` (API.md 7.3): a second node, in another zone."""

from collections.abc import Mapping
from typing import Any

from sandbox.world.catalogue import version_of
from sandbox.world.model import ACTIVE, CONVERTING, CREATING, HA, STANDALONE, Cluster
from sandbox.world.places import AREAS
from sandbox.world.stories import Order, Story, changing
from sandbox.world.world import World
from sandbox.writes.conditions import need_status, unfit

OLDEST = 12  # version (API.md 7.3)


def order(_world: World, cluster: Cluster, options: Mapping[str, Any]) -> Order:
    """The order to convert that cluster; the contract has checked the lag.

    Raises:
        Refusal: 422, it is not ACTIVE, not standalone, or too old.
    """
    need_status(cluster, ACTIVE)
    if cluster.topology != STANDALONE:
        raise unfit(field_name="topology", why="the cluster is not standalone")
    if (version_of(cluster.product_code) or 0) < OLDEST:
        raise unfit(field_name="version", why=f"must be at least {OLDEST}")
    lag = options["replicationLag"]
    place = cluster.nodes + 1
    name, zone = cluster.node_name(place), AREAS[cluster.area].zone_of(place, first=cluster.zone)
    statuses = [ACTIVE] * cluster.nodes + [CREATING]
    story = Story()
    story.then(4.0, f"Checking capacity in {zone}")
    story.then(6.0, f"Creating node {name} in {zone}", nodes=place, node_statuses=statuses)
    story.then(16.0, f"Copying the data to node {name}", node_statuses=[])
    story.then(14.0, f"Setting up replication with at most {lag} MB of lag", lag=lag)
    story.then(8.0, "Checking a switch of the primary node", topology=HA)
    steps = story.ended(8.0, f"Cluster {cluster.name} is highly available", status=ACTIVE)
    return changing(cluster, "postgresql_enable_ha", steps, at_once={"status": CONVERTING})
