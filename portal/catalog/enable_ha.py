"""Make a standalone cluster highly available (API.md 7.3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from portal.catalog.base import KindForm, Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, change_reference, known, major, must_be_active
from portal.inventory.models import ACTIVE, Cluster

SMALLEST_LAG, LARGEST_LAG = 1, 500
OLDEST: Final = 12


class EnableHaForm(KindForm):
    """Asks for the lag that is allowed between the nodes."""

    replication_lag = forms.IntegerField(
        label="Allowed replication lag, in MB",
        min_value=SMALLEST_LAG,
        max_value=LARGEST_LAG,
        initial=50,
        help_text=f"{SMALLEST_LAG} to {LARGEST_LAG}.",
        error_messages={
            "required": f"Give the allowed lag, {SMALLEST_LAG} to {LARGEST_LAG} MB.",
            "invalid": "The lag is a whole number of MB.",
            "min_value": f"At least {SMALLEST_LAG}, at most {LARGEST_LAG} MB.",
            "max_value": f"At least {SMALLEST_LAG}, at most {LARGEST_LAG} MB.",
        },
    )
    change_reference = change_reference()

    field_order = ("replication_lag", "change_reference", "reason")


class EnableHa(ClusterKind):
    """Adds nodes to a standalone cluster."""

    name = "enable_ha"
    label = "Make highly available"
    effect_shows = True
    form = EnableHaForm
    words = Words(
        does="ITCare adds a second node and replicates to it.",
        interrupts="Connections may drop once while replication is set up.",
        undo="It cannot be undone: there is no way back to standalone.",
        look_at="What it costs, and whether the network has a free address.",
        takes="Usually half an hour, more with much data.",
        risk="medium",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:  # noqa: ARG002
        """Return what is asked for, in one line."""
        return f"Make {known(cluster)} highly available"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:
        """Return the topology, old and new, and what is asked with it."""
        rows = [
            Row("Topology", "High availability", known(cluster).topology_words),
            Row("Allowed replication lag", f"{parameters['replication_lag']} MB"),
            Row("Change reference", parameters.get("change_reference", "")),
        ]
        return [row for row in rows if row.new]

    def state_forbids(self, cluster: Cluster) -> str:
        """Only an active standalone cluster of version 12 or later can be converted."""
        if cluster.topology_words == "High availability":
            return "The cluster is highly available already."
        if cluster.topology_words != "Standalone":
            return "ITCare has not told the topology of this cluster."
        if major(cluster) < OLDEST:
            return f"Version {cluster.version or 'unknown'}: it needs {OLDEST} or later."
        return must_be_active(cluster)

    def effect(self, parameters: Parameters, cluster: Cluster) -> str:  # noqa: ARG002 - the lag alone proves nothing
        """It is highly available, and rests; only a standalone one is sent for."""
        done = cluster.topology_words == "High availability" and cluster.status == ACTIVE
        return "the cluster is highly available" if done else ""

    def options(self, parameters: Parameters) -> Mapping[str, Any]:
        """Return the lag, and the reference if there is one."""
        reference = parameters.get("change_reference")
        return {"replicationLag": parameters["replication_lag"]} | ({"changeReference": reference} if reference else {})
