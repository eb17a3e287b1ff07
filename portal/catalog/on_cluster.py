"""What the kinds have in common that change a cluster which exists."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from portal import itcare
from portal.accounts.models import User
from portal.catalog.base import Kind, KindForm, Parameters
from portal.inventory.models import ACTIVE, INACTIVE, Cluster, Part, PartName, Service
from portal.inventory.parts import read_part
from portal.sealing import SecretText

UNTOLD: Final = "ITCare has not told the status of this cluster."
# What the choices of a form come from, in words.
_TOLD_BY: Final[Mapping[PartName, str]] = {
    PartName.VERSIONS: "which versions it offers",
    PartName.EXTENSIONS: "which extensions it offers",
    PartName.DATABASES: "which databases there are",
}


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
        forbids = self._forbids(found)
        return [forbids] if forbids else [words for words in self.unfit(parameters, found) if words]

    def not_now(self, cluster: Cluster, asker: User) -> str:
        """Return why the person cannot ask this of the cluster as it is, whatever the parameters; empty if they can.

        Args:
            cluster: the cluster, which the person may ask for.
            asker: the person.
        """
        return self._forbids(cluster) or self.nothing_for(asker, cluster)

    def _forbids(self, cluster: Cluster) -> str:
        if cluster.gone_at:
            return "ITCare no longer knows this cluster."
        if cluster.service is None or not cluster.read_at:
            return "ITCare has not told enough about this cluster yet."
        return self.state_forbids(cluster)

    @abstractmethod
    def state_forbids(self, cluster: Cluster) -> str:
        """Return why the cluster's state forbids it; empty if it does not."""

    def nothing_for(self, asker: User, cluster: Cluster) -> str:  # noqa: ARG002 - most kinds offer everybody the same
        """Return why the person has nothing to choose from; empty if they have."""
        return ""

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


def untold(cluster: Cluster, name: PartName) -> str:
    """Return why a part is not known where it holds nothing to choose; empty where ITCare told that there is nothing.

    Only for a part that holds nothing. What ITCare told before may be asked for although the last reading failed, as
    everything known of a cluster may: it is no guess, the form says that it is from before (`told_before`), and it is
    read again just before anything is sent (`tell`).
    """
    part = _part(cluster, name)
    if part and part.failed:
        return f"ITCare did not tell {_TOLD_BY[name]}: {part.failed}"
    return "" if part and part.read_at else f"ITCare has not told {_TOLD_BY[name]} yet."


def told_before(cluster: Cluster | None, name: PartName) -> str:
    """Return words for a form whose choices are from before, because the last reading of the part failed; else none."""
    part = _part(cluster, name) if cluster else None
    if part is None or not part.failed:
        return ""
    return f"From before: when it was last asked, ITCare did not tell {_TOLD_BY[name]}: {part.failed}"


def tell(client: itcare.Client, cluster: Cluster, name: PartName) -> None:
    """Read a part anew, just before something is sent that rests on it.

    Raises:
        ItcareError: it was not read, so nothing may be sent; its sentence says which part, and why.
    """
    try:
        read_part(client, cluster, name)
    except itcare.ItcareError as error:
        error.sentence = f"ITCare did not tell {_TOLD_BY[name]}: {error.sentence}"
        raise


def _part(cluster: Cluster, name: PartName) -> Part | None:
    # Not filtered by the database: a page that has read all parts asks for several of them.
    return next((part for part in cluster.parts.all() if part.name == name), None)


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
