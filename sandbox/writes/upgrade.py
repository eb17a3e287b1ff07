"""PATCH with `upgrade` (API.md 7.3 and 14): the operating system first where it is too old, then PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from sandbox.world.catalogue import OLDEST_DEBIAN, debian_of, upgrades_of, version_of
from sandbox.world.model import ACTIVE, UPGRADING, Cluster
from sandbox.world.stories import Order, Story, changing
from sandbox.world.world import World
from sandbox.writes.conditions import need_status, unfit


def order(_world: World, cluster: Cluster, options: Mapping[str, Any]) -> Order:
    """The order to bring that cluster to a later version.

    Raises:
        Refusal: 422, it is not ACTIVE, or the version is not one of its `versions`.
    """
    need_status(cluster, ACTIVE)
    wanted = options["targetVersion"]
    if wanted not in {str(version) for version in upgrades_of(cluster.product_code)}:
        raise unfit(field_name="options.targetVersion", why="is not one of the versions offered to this cluster")
    own, debian, target = version_of(cluster.product_code), int(debian_of(cluster.product_code)), int(wanted)
    story = Story()
    story.then(4.0, f"Checking that the content can be brought from version {own} to {target}")
    story.then(6.0, "Stopping PostgreSQL", node_statuses=[UPGRADING] * cluster.nodes)
    while debian < OLDEST_DEBIAN[target]:
        debian += 1
        story.then(10.0, f"Upgrading the nodes to Debian {debian}", product_code=f"deb{debian}pg{own}")
    code = f"deb{debian}pg{target}"
    story.then(12.0, f"Upgrading PostgreSQL from version {own} to {target}", product_code=code)
    story.then(12.0, "Starting PostgreSQL and reindexing", node_statuses=[])
    story.then(14.0, "Making a full backup")
    steps = story.ended(10.0, f"Cluster {cluster.name} has PostgreSQL {target}", status=ACTIVE)
    return changing(cluster, "postgresql_upgrade", steps, at_once={"status": UPGRADING})
