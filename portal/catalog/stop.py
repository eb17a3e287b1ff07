"""Stop a cluster (API.md 7.3)."""

from collections.abc import Sequence
from typing import Any

from portal.catalog.base import Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, ConfirmedForm, known, must_be_active
from portal.inventory.models import INACTIVE, Cluster


class StopForm(ConfirmedForm):
    """Wants the name typed in production, and where nobody knows whether it is: a stop interrupts real work."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        if self.cluster is not None and not self.cluster.perhaps_production:
            del self.fields["confirm_name"]


class Stop(ClusterKind):
    """Stops a running cluster."""

    name = "stop"
    label = "Stop"
    effect_shows = True
    form = StopForm
    words = Words(
        does="ITCare stops PostgreSQL and the nodes of the cluster.",
        interrupts="Everything that uses the cluster, until it is started again. Monitoring is switched off meanwhile.",
        undo="The stop itself cannot be undone while it runs, says ITCare; afterwards the cluster can be started.",
        look_at="Who still uses it, and who has been told.",
        takes="Usually some minutes.",
        risk="high",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:  # noqa: ARG002
        """Return what is asked for, in one line."""
        return f"Stop {known(cluster)}"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:  # noqa: ARG002
        """Return what changes."""
        return [Row("Status", "Stopped", "Active")]

    def state_forbids(self, cluster: Cluster) -> str:
        """Only an active cluster can be stopped."""
        return must_be_active(cluster).replace("stopped: start it first", "stopped already")

    def effect(self, parameters: Parameters, cluster: Cluster) -> str:  # noqa: ARG002
        """It is stopped; the revision leaves the status out, but only an active cluster is sent for."""
        return "the cluster is stopped" if cluster.status == INACTIVE else ""
