"""PATCH with `install_extension` (API.md 7.3). The catalogue stays as it is (A9)."""

from collections.abc import Mapping
from typing import Any

from sandbox.world.catalogue import EXTENSIONS, NEED_RESTART
from sandbox.world.model import ACTIVE, RESTARTING, Cluster
from sandbox.world.stories import Order, Story, changing
from sandbox.world.world import World
from sandbox.writes.conditions import need_status, unfit


def order(_world: World, cluster: Cluster, options: Mapping[str, Any]) -> Order:
    """The order to install extensions in one of that cluster's databases.

    Raises:
        Refusal: 422, it is not ACTIVE, has no such database, or one of them is not offered.
    """
    need_status(cluster, ACTIVE)
    database = options["dbname"]
    if database not in cluster.databases:
        raise unfit(field_name="options.dbname", why="no such database")
    names = [each["name"] for each in options["extensions_list"]]
    offered = {name for name, _, _, _ in EXTENSIONS} | set(cluster.offered)
    for place, name in enumerate(names):
        if name not in offered:
            raise unfit(field_name=f"options.extensions_list.{place}.name", why="no such extension is offered")
    listed = ", ".join(dict.fromkeys(names))
    story = Story()
    story.then(3.0, "Installing packages on all nodes")
    if NEED_RESTART.intersection(names):
        for place in range(cluster.nodes, 0, -1):
            statuses = [RESTARTING if each == place else ACTIVE for each in range(1, cluster.nodes + 1)]
            told = f"Restarting PostgreSQL on node {cluster.node_name(place)}"
            story.then(5.0, told, node_statuses=statuses)
    story.then(4.0, f"Creating {listed} in database {database}", node_statuses=[])
    installed = dict.fromkeys([*cluster.installed, *(f"{database}/{name}" for name in names)])
    steps = story.ended(4.0, f"Installed in database {database}: {listed}", installed=list(installed))
    return changing(cluster, "postgresql_install_extension", steps)
