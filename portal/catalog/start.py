"""Start a cluster (API.md 7.3)."""

from collections.abc import Sequence

from portal.catalog.base import KindForm, Parameters, Row, Words
from portal.catalog.on_cluster import UNTOLD, ClusterKind, known
from portal.inventory.models import ACTIVE, INACTIVE, Cluster


class Start(ClusterKind):
    """Starts a stopped cluster."""

    name = "start"
    label = "Start"
    effect_shows = True
    form = KindForm
    words = Words(
        does="ITCare starts the nodes of the cluster, and PostgreSQL on them.",
        interrupts="Nothing: the cluster is stopped now.",
        undo="It can be stopped again.",
        look_at="Why it was stopped; its history tells.",
        takes="Usually some minutes.",
        risk="low",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:  # noqa: ARG002
        """Return what is asked for, in one line."""
        return f"Start {known(cluster)}"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:  # noqa: ARG002
        """Return what changes."""
        return [Row("Status", "Active", "Stopped")]

    def state_forbids(self, cluster: Cluster) -> str:
        """Only a stopped cluster can be started."""
        if cluster.status == INACTIVE:
            return ""
        if cluster.status == ACTIVE:
            return "The cluster is running already."
        if not cluster.status:
            return UNTOLD
        return f"The cluster is {cluster.look.word.lower()}: only a stopped one can be started."

    def effect(self, parameters: Parameters, cluster: Cluster) -> str:  # noqa: ARG002
        """It is active; the revision leaves the status out, but only a stopped cluster is sent for."""
        return "the cluster is active" if cluster.status == ACTIVE else ""
