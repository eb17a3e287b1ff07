"""What the kinds have in common that change a cluster which exists."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from portal import itcare
from portal.catalog.base import Kind, KindForm, Parameters
from portal.inventory.models import ACTIVE, INACTIVE, Cluster, Service
from portal.sealing import SecretText

UNTOLD: Final = "ITCare has not told the status of this cluster."


class ConfirmedForm(KindForm):
    """A form that wants the cluster's name typed, because what it asks for destroys or interrupts."""

    confirm_name = forms.CharField(
        label="Name of the cluster, to be sure",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Type the name of the cluster: what you ask for cannot be taken back."},
    )

    def clean_confirm_name(self) -> str:
        """Check that the name is the cluster's, letter for letter."""
        typed: str = self.cleaned_data["confirm_name"]
        if self.cluster is None or typed != self.cluster.name:
            message = f"This is not the name of the cluster: type {self.cluster} exactly."
            raise forms.ValidationError(message)
        return typed


class ClusterKind(Kind):
    """A kind that changes a cluster: addressed by its number, refused by the state that it is in."""

    def target(self, parameters: Parameters, cluster: Cluster | None) -> tuple[str, int]:  # noqa: ARG002 - as create has it
        """Return the cluster's name, and the upstream number of its service."""
        found = known(cluster)
        if found.service is None:
            message = f"{found} belongs to no known service"
            raise ValueError(message)
        return found.name, found.service.upstream_id

    def broken(self, parameters: Parameters, cluster: Cluster | None, service: Service) -> Sequence[str]:  # noqa: ARG002
        """Return a sentence for each condition that does not hold now."""
        found = known(cluster)
        not_now = self.not_now(found)
        return [not_now] if not_now else [words for words in self.unfit(parameters, found) if words]

    def not_now(self, cluster: Cluster) -> str:
        """Return why this cannot be asked of the cluster as it is, whatever the parameters; empty if it can."""
        if cluster.gone_at:
            return "ITCare no longer knows this cluster."
        if cluster.service is None or not cluster.read_at:
            return "ITCare has not told enough about this cluster yet."
        return self.state_forbids(cluster)

    @abstractmethod
    def state_forbids(self, cluster: Cluster) -> str:
        """Return why the cluster's state forbids it; empty if it does not."""

    def unfit(self, parameters: Parameters, cluster: Cluster) -> Sequence[str]:  # noqa: ARG002 - most kinds have none
        """Return why these parameters do not fit the cluster as it is."""
        return []

    def options(self, parameters: Parameters) -> Mapping[str, Any]:  # noqa: ARG002 - some kinds have none
        """Return the options of the operation, in the API's words (API.md 7.3)."""
        return {}

    def payload(self, parameters: Parameters) -> dict[str, object]:
        """Return the body of the PATCH."""
        options = dict(self.options(parameters))
        return {"operation": self.name, "options": options} if options else {"operation": self.name}

    def send(
        self,
        client: itcare.Client,
        parameters: Parameters,
        cluster: Cluster | None,
        secret: SecretText | None,  # noqa: ARG002 - no kind on a cluster has one
    ) -> itcare.Accepted:
        """Make the one PATCH.

        Raises:
            ItcareError: as the client says.
        """
        return client.patch(known(cluster).upstream_id, self.name, self.options(parameters) or None)


def known(cluster: Cluster | None) -> Cluster:
    """Return the cluster that the kind cannot do without.

    Raises:
        ValueError: there is none.
    """
    if cluster is None:
        message = "this kind of operation needs a cluster"
        raise ValueError(message)
    return cluster


def major(cluster: Cluster) -> int:
    """Return the major version of PostgreSQL; 0 where ITCare has not told one that can be read."""
    digits = cluster.version.partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def change_reference() -> forms.CharField:
    """Return the field for the number of a change request, which ITCare keeps with the action."""
    return forms.CharField(
        label="Change reference",
        required=False,
        max_length=100,
        help_text="The number of your change request, such as RFC 1234, if there is one.",
    )


def must_be_active(cluster: Cluster) -> str:
    """Return why a cluster that is not active forbids it."""
    if cluster.status == ACTIVE:
        return ""
    if cluster.status == INACTIVE:
        return "The cluster is stopped: start it first."
    if not cluster.status:
        return UNTOLD
    return f"The cluster is {cluster.look.word.lower()}: only an active one can be changed like this."
