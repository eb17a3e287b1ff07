"""PATCH with `restore` (API.md 7.3): the path names the destination, `sourceId` the cluster whose backup is read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.world.catalogue import DAY, version_of
from sandbox.world.model import ACTIVE, HA, RESTORING, Cluster, Step
from sandbox.world.places import SERVICES
from sandbox.world.stories import Order, Story, changing
from sandbox.world.world import World
from sandbox.writes.conditions import need_status, refuse_if_busy, unfit

SOURCE, TIMESTAMP = "options.sourceId", "options.timestamp"
PRODUCTION_DAYS, OTHER_DAYS = 14, 7


def order(world: World, cluster: Cluster, options: Mapping[str, Any]) -> Order:
    """The order to replace that cluster's content. Source and destination may be one cluster (A25).

    Raises:
        Refusal: 409, the source is busy; 422, one of the conditions of the page is not met.
    """
    need_status(cluster, ACTIVE)
    source = world.clusters.get(options["sourceId"])
    if source is None:
        raise unfit(field_name=SOURCE, why="no such cluster")
    refuse_if_busy(world, source)
    need_status(source, ACTIVE, field_name=SOURCE)
    if not source.backed_up:
        raise unfit(field_name=SOURCE, why="the source is not backed up")
    if version_of(source.product_code) != version_of(cluster.product_code):
        raise unfit(field_name=SOURCE, why="source and destination are not of one PostgreSQL version")
    _check_moment(options["timestamp"], world.now(), (source, cluster))
    steps = _story(cluster, source, options["stop"], options["timestamp"])
    return changing(cluster, "postgresql_restore", steps, at_once={"status": RESTORING}, source_number=source.number)


def _check_moment(text: str, now: float, clusters: tuple[Cluster, Cluster]) -> None:
    """The page does not say whose service counts: the stricter of both."""
    production = all(SERVICES[each.service_id].environment == "PRODUCTION" for each in clusters)
    days = PRODUCTION_DAYS if production else OTHER_DAYS
    if not now - days * DAY <= datetime.fromisoformat(text).timestamp() <= now:
        raise unfit(field_name=TIMESTAMP, why=f"must be between now and {days} days ago")


def _story(cluster: Cluster, source: Cluster, stop: str, timestamp: str) -> tuple[Step, ...]:
    story = Story()
    story.then(4.0, f"Looking for the backup of {source.name}")
    statuses = [RESTORING] * cluster.nodes
    story.then(6.0, "Stopping PostgreSQL", node_statuses=statuses)
    story.then(6.0, f"Restoring the last full backup of {source.name} before {timestamp}", databases=[])
    content = {"databases": list(source.databases), "installed": list(source.installed)}
    story.then(18.0, f"Replaying changes, until just {stop.lower()} {timestamp}", **content)
    if cluster.topology == HA:
        story.then(10.0, "Building the replicas anew")
    story.then(8.0, "Starting PostgreSQL and making a full backup", node_statuses=[])
    return story.ended(10.0, f"Cluster {cluster.name} holds the content of {source.name}", status=ACTIVE)
