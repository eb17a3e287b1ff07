"""DELETE /databases/postgresql/{id} (API.md 7.2): no prior stop is asked for (A21)."""

from sandbox.world.model import DELETING, SUCCESS, Cluster, Step
from sandbox.world.places import NETWORKS
from sandbox.world.stories import Order, changing


def order(cluster: Cluster) -> Order:
    """The order to delete that cluster."""
    network = NETWORKS[cluster.network_id].technical_id
    steps = (
        Step(0.0, "Order received"),
        Step(4.0, "Stopping PostgreSQL"),
        Step(12.0, "Removing backup and monitoring", {"backed_up": False, "monitored": False}),
        Step(20.0, "Removing nodes", {"nodes": 0, "databases": []}),
        Step(28.0, f"Releasing addresses in network {network}", {"addressed": False}),
        Step(34.0, f"Cluster {cluster.name} is deleted", removes=True, status=SUCCESS),
    )
    return changing(cluster, "postgresql_delete", steps, at_once={"status": DELETING})
