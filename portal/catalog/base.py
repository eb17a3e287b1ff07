"""What an entry of the catalogue is. One kind of operation is one class in one file."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from django import forms

from portal import itcare
from portal.accounts.models import User
from portal.inventory.models import Cluster, Service
from portal.sealing import SecretText
from portal.web.facts import Fact

# Parameters as the form cleaned them and as they are frozen: JSON, in the API's words in snake_case, no secret.
Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of what changes: new beside old, where there is an old."""

    label: str
    new: str
    old: str = ""


@dataclass(frozen=True)
class Words:
    """What people read before they ask and before they decide."""

    does: str
    interrupts: str
    undo: str
    look_at: str
    takes: str
    risk: Literal["low", "medium", "high"]

    @property
    def facts(self) -> list[Fact]:
        """The same as a list of facts."""
        return [
            ("What it does", self.does),
            ("What it interrupts", self.interrupts),
            ("How long", self.takes),
            ("Can it be undone", self.undo),
            ("Risk", self.risk.capitalize()),
            ("Look at", self.look_at),
        ]


class KindForm(forms.Form):
    """The form of a kind: knows its rules, and who asks."""

    reason = forms.CharField(
        label="Why",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The approver reads this, and it stays in the history.",
        error_messages={
            "required": "Say why: the approver decides on it.",
            "max_length": "At most %(limit_value)d characters; these are %(show_value)d.",
        },
    )

    def __init__(self, *args: Any, user: User, cluster: Cluster | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        self.user = user
        self.cluster = cluster
        # Said at the field although the value is accepted; kept with the request for its summary.
        self.warnings: dict[str, str] = {}

    @property
    def parameters(self) -> dict[str, Any]:
        """What is frozen with the request: the cleaned values without secrets and without the reason."""
        hidden = {"reason", "confirm_name"}
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in hidden and not isinstance(value, SecretText) and value not in (None, "")
        }

    @property
    def secret(self) -> SecretText | None:
        """The secret that was typed, if the kind takes one."""
        return None


class Kind(ABC):
    """One kind of operation: form, conditions, payload, words."""

    name: ClassVar[str]
    label: ClassVar[str]
    form: ClassVar[type[KindForm]]
    words: ClassVar[Words]
    # A kind that makes a password shows it once to its requester.
    makes_password: ClassVar[bool] = False

    # An answer without an action ends the operation (API.md A10).
    empty_answer_ends: ClassVar[bool] = False
    # When it has succeeded the cluster is no more.
    removes: ClassVar[bool] = False
    # What it does can be read off the cluster afterwards. Where it cannot, only an action tells whether it was done.
    effect_shows: ClassVar[bool] = False
    # Asked for on a cluster; a kind that makes one is asked for on its own.
    on_cluster: ClassVar[bool] = True

    @abstractmethod
    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:
        """Return what is asked for, in one line."""

    @abstractmethod
    def target(self, parameters: Parameters, cluster: Cluster | None) -> tuple[str, int]:
        """Return the name of the cluster, and the upstream number of its service."""

    @abstractmethod
    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:
        """Return what changes, line by line, without secrets."""

    @abstractmethod
    def broken(self, parameters: Parameters, cluster: Cluster | None, service: Service) -> Sequence[str]:
        """Return a sentence for each condition that does not hold now, by what the inventory knows."""

    def copies_from(self, parameters: Parameters) -> int | None:  # noqa: ARG002 - most kinds copy nothing
        """Return the upstream number of the service whose data is copied into the cluster, as it was asked."""
        return None

    def also_holds(self, parameters: Parameters) -> Sequence[Cluster]:  # noqa: ARG002 - most kinds hold one cluster
        """Return further clusters on which nothing else may run meanwhile."""
        return []

    def look(self, client: itcare.Client, parameters: Parameters, cluster: Cluster | None) -> None:  # noqa: B027
        """Read afresh, just before sending, what the conditions rest on besides the cluster's own page.

        Raises:
            ItcareError: it was not read, so the conditions cannot be checked.
        """

    def effect(self, parameters: Parameters, cluster: Cluster) -> str:  # noqa: ARG002 - not every kind's shows
        """Return in words how the cluster, as just read, shows that this was done; empty if it does not.

        Never true of a cluster of which the revision and the conditions let this be sent: what was there before proves
        nothing.
        """
        return ""

    @abstractmethod
    def payload(self, parameters: Parameters) -> dict[str, object]:
        """Return what is sent, in the API's words, without secrets (API.md 7)."""

    @abstractmethod
    def send(
        self, client: itcare.Client, parameters: Parameters, cluster: Cluster | None, secret: SecretText | None
    ) -> itcare.Accepted:
        """Make the one upstream write.

        Raises:
            ItcareError: as the client says.
        """
