"""Delete a cluster (API.md 7.2)."""

from collections.abc import Sequence

from portal import itcare
from portal.catalog.base import Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, ConfirmedForm, known
from portal.inventory.models import Cluster
from portal.sealing import SecretText


class Delete(ClusterKind):
    """Deletes a cluster with its data."""

    name = "delete"
    label = "Delete"
    form = ConfirmedForm
    removes = True
    effect_shows = True
    words = Words(
        does="ITCare deletes the cluster, its nodes and its data.",
        interrupts="Everything that uses the cluster, for good.",
        undo="Nothing brings it back.",
        look_at="Whether anybody still uses it, and whether the data is kept elsewhere.",
        takes="Usually some minutes.",
        risk="high",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:  # noqa: ARG002
        """Return what is asked for, in one line."""
        return f"Delete {known(cluster)}"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:  # noqa: ARG002
        """Return what goes."""
        found = known(cluster)
        return [Row("Cluster", "Gone, with its data", f"{found}, {found.size_words}")]

    def state_forbids(self, cluster: Cluster) -> str:
        """A protected cluster is not deleted; whether it runs does not matter (API.md A21)."""
        if cluster.protected:
            return "An administrator has protected this cluster against deletion."
        return ""

    def effect(self, parameters: Parameters, cluster: Cluster) -> str:  # noqa: ARG002
        """It is gone; one that is gone is not sent for."""
        return "ITCare no longer knows the cluster" if cluster.gone_at else ""

    def payload(self, parameters: Parameters) -> dict[str, object]:  # noqa: ARG002 - a DELETE has no body
        """Return nothing: the call has no body."""
        return {}

    def send(
        self,
        client: itcare.Client,
        parameters: Parameters,  # noqa: ARG002
        cluster: Cluster | None,
        secret: SecretText | None,  # noqa: ARG002
    ) -> itcare.Accepted:
        """Make the one DELETE.

        Raises:
            ItcareError: as the client says.
        """
        return client.delete(known(cluster).upstream_id)
