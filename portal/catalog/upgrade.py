"""Upgrade PostgreSQL (API.md 7.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from portal import itcare
from portal.catalog.base import KindForm, Parameters, Row, Words
from portal.catalog.on_cluster import (
    ClusterKind,
    change_reference,
    known,
    major,
    must_be_active,
    tell,
    told_before,
    untold,
)
from portal.inventory.models import Cluster, PartName


class UpgradeForm(KindForm):
    """Offers the versions that the cluster offers, above its own (API.md A11)."""

    target_version = forms.ChoiceField(
        label="New version",
        error_messages={
            "required": "Choose the new version.",
            "invalid_choice": "ITCare does not offer this version for the cluster.",
        },
    )
    change_reference = change_reference()

    field_order = ("target_version", "change_reference", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        field = self.fields["target_version"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        above = versions_above(self.cluster) if self.cluster else []
        field.choices = [("", "Choose"), *((str(version), f"PostgreSQL {version}") for version in above)]
        field.help_text = told_before(self.cluster, PartName.VERSIONS)


def versions_above(cluster: Cluster) -> list[int]:
    """Return the versions that the cluster offers above its own, in order."""
    own = major(cluster)
    return sorted(version for version in cluster.offered_versions if version > own)


class Upgrade(ClusterKind):
    """Brings a cluster to a later version of PostgreSQL."""

    name = "upgrade"
    label = "Upgrade"
    form = UpgradeForm
    words = Words(
        does="ITCare upgrades PostgreSQL, and the operating system first where it is too old.",
        interrupts="Expect an outage: engine, indexes and statistics are worked on. Its length grows with the data.",
        undo="It cannot be undone; a backup from before can only be restored to a cluster of the same version.",
        look_at="Whether the application runs with the new version, and whether a non-production cluster went first.",
        takes="From a quarter of an hour for small clusters to hours for large ones.",
        risk="high",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:
        """Return what is asked for, in one line."""
        return f"Upgrade {known(cluster)} to PostgreSQL {parameters['target_version']}"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:
        """Return the version, old and new."""
        rows = [
            Row("Version", f"PostgreSQL {parameters['target_version']}", f"PostgreSQL {known(cluster).version}"),
            Row("Change reference", parameters.get("change_reference", "")),
        ]
        return [row for row in rows if row.new]

    def state_forbids(self, cluster: Cluster) -> str:
        """There must be a later version that ITCare has told of, and the cluster active."""
        if not versions_above(cluster):
            return untold(cluster, PartName.VERSIONS) or "ITCare offers no later version for this cluster."
        return must_be_active(cluster)

    def unfit(self, parameters: Parameters, cluster: Cluster) -> Sequence[str]:
        """Refuse a version that is not offered any more."""
        offered = [str(version) for version in versions_above(cluster)]
        return [] if parameters["target_version"] in offered else ["ITCare does not offer this version any more."]

    def look(self, client: itcare.Client, parameters: Parameters, cluster: Cluster | None) -> None:  # noqa: ARG002
        """Read the versions that are offered.

        Raises:
            ItcareError: as the client says.
        """
        tell(client, known(cluster), PartName.VERSIONS)

    def options(self, parameters: Parameters) -> Mapping[str, Any]:
        """Return the version, as the text that the API takes, and the reference if there is one."""
        reference = parameters.get("change_reference")
        return {"targetVersion": parameters["target_version"]} | ({"changeReference": reference} if reference else {})
