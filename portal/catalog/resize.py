"""Resize the nodes of a cluster (API.md 7.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings

from portal.catalog import products
from portal.catalog.base import KindForm, Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, known, must_be_active
from portal.inventory.models import ACTIVE, Cluster


class ResizeForm(KindForm):
    """Offers every size but the cluster's own."""

    sizing = forms.ChoiceField(
        label="New size of a node",
        error_messages={
            "required": "Choose the new size.",
            "invalid_choice": "This size is not offered, or it is the size that the cluster has.",
        },
    )

    field_order = ("sizing", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        own = self.cluster.sizing if self.cluster else ""
        field = self.fields["sizing"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        others = [(sizing, words) for sizing, words in products.sizing_choices() if sizing != own]
        field.choices = [("", "Choose"), *others]


class Resize(ClusterKind):
    """Gives the nodes of a cluster another size."""

    name = "resize"
    label = "Resize"
    effect_shows = True
    form = ResizeForm
    words = Words(
        does="ITCare gives every node of the cluster another size. Disks stay as they are.",
        interrupts="Each node restarts. A standalone cluster is away meanwhile; connections drop.",
        undo="The resize itself cannot be undone, says ITCare; afterwards the cluster can be resized back.",
        look_at="Whether the interruption fits, and whether a smaller size still carries the load.",
        takes="Usually a quarter of an hour.",
        risk="medium",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:
        """Return what is asked for, in one line."""
        return f"Resize {known(cluster)} to {products.sizing_words(parameters['sizing'])}"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:
        """Return the size, old and new."""
        old = products.sizing_words(known(cluster).sizing)
        return [Row("Size of a node", products.sizing_words(parameters["sizing"]), old)]

    def state_forbids(self, cluster: Cluster) -> str:
        """Only an active cluster can be resized."""
        return must_be_active(cluster)

    def unfit(self, parameters: Parameters, cluster: Cluster) -> Sequence[str]:
        """Refuse a size that is not offered any more, or that the cluster has meanwhile."""
        if parameters["sizing"] == cluster.sizing:
            return ["The cluster has this size already."]
        return [] if parameters["sizing"] in settings.ITCARE_SIZINGS else ["This size is not offered any more."]

    def effect(self, parameters: Parameters, cluster: Cluster) -> str:
        """It has the size that was asked for, and rests; a cluster that has it already is not sent for."""
        if cluster.sizing != parameters["sizing"] or cluster.status != ACTIVE:
            return ""
        return f"each node of the cluster has {products.sizing_words(cluster.sizing)}"

    def options(self, parameters: Parameters) -> Mapping[str, Any]:
        """Return the new size."""
        return {"sizing": parameters["sizing"]}
