"""Change how a cluster takes part in patching (API.md 7.3, 13)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from portal.catalog.base import KindForm, Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, known
from portal.inventory.models import Cluster

INCLUDED, EXCLUDED = "false", "true"
GROUPS: Final = ("1", "2", "3")
# By what ITCare tells of a cluster.
_CHOICES: Final[Mapping[bool | None, str]] = {False: INCLUDED, True: EXCLUDED}
_WORDS: Final[Mapping[str | None, str]] = {INCLUDED: "Takes part", EXCLUDED: "Is left out"}
ONE_NODE: Final = "The patch group can only be chosen where there is one node."


class PatchPartyForm(KindForm):
    """Asks whether to take part; for the group where there is one member; for the reason when excluded."""

    excluded = forms.ChoiceField(
        label="Patching",
        choices=list(_WORDS.items()),
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose whether the cluster takes part."),
    )
    patch_group = forms.ChoiceField(
        label="Patch group",
        required=False,
        choices=[("", "As it is"), *((group, f"Group {group}") for group in GROUPS)],
        help_text="Groups are patched at different times.",
        error_messages={"invalid_choice": "There are the groups 1, 2 and 3."},
    )
    exclusion_reason = forms.CharField(
        label="Why it is left out",
        required=False,
        max_length=500,
        help_text="Needed when it is left out: ITCare asks for it, and it is sent to cegedim.cloud.",
        error_messages={"max_length": "At most %(limit_value)d characters; these are %(show_value)d."},
    )

    field_order = ("excluded", "patch_group", "exclusion_reason", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        self.fields["excluded"].hints = {  # type: ignore[attr-defined]  # read by the field's template
            INCLUDED: "Patched and restarted with the others, four times a year.",
            EXCLUDED: "Not patched: somebody has to see to its security.",
        }
        self.fields["exclusion_reason"].conditional = True  # type: ignore[attr-defined]  # read by the field's template
        if self.cluster:
            # Nothing is chosen beforehand where ITCare does not tell what holds now.
            self.fields["excluded"].initial = _CHOICES.get(self.cluster.patch_excluded)
            self.fields["patch_group"].initial = self.cluster.patch_group
            self.fields["exclusion_reason"].initial = self.cluster.exclusion_reason
        if self.cluster is None or self.cluster.node_count != 1:
            del self.fields["patch_group"]

    def clean(self) -> dict[str, Any]:
        """Ask for the reason when excluded; drop what does not belong to the choice."""
        data = self.cleaned_data
        if "patch_group" not in self.fields and self.data.get("patch_group"):
            raise forms.ValidationError(ONE_NODE)
        if data.get("excluded") == EXCLUDED:
            data.pop("patch_group", None)
            if not data.get("exclusion_reason") and "exclusion_reason" not in self.errors:
                self.add_error("exclusion_reason", "Say why it is left out: ITCare asks for it.")
        else:
            data.pop("exclusion_reason", None)
        return data


class UpdatePatchParty(ClusterKind):
    """Includes a cluster in patching, or leaves it out."""

    name = "update_patch_party"
    label = "Change patching"
    # Not told of PostgreSQL (API.md 7.4).
    effect_shows = False
    form = PatchPartyForm
    # An answer without an action ends it (API.md A10).
    empty_answer_ends = True
    words = Words(
        does="ITCare changes whether, and in which group, the cluster is patched.",
        interrupts="Nothing now. A cluster that takes part is restarted when it is patched.",
        undo="It can be changed back at any time.",
        look_at="A cluster that is left out keeps its security holes.",
        takes="At once.",
        risk="medium",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:
        """Return what is asked for, in one line."""
        if parameters["excluded"] == EXCLUDED:
            return f"Leave {known(cluster)} out of patching"
        group = f" in group {parameters['patch_group']}" if parameters.get("patch_group") else ""
        return f"Let {known(cluster)} take part in patching{group}"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:
        """Return what is asked for, beside what holds now where ITCare tells it (API.md 7.4)."""
        now = known(cluster)
        reason = now.exclusion_reason if now.patch_excluded else ""
        rows = [
            Row("Patching", _WORDS[parameters["excluded"]], _WORDS.get(_CHOICES.get(now.patch_excluded), "")),
            Row("Patch group", parameters.get("patch_group", ""), now.patch_group),
            Row("Why it is left out", parameters.get("exclusion_reason", ""), reason),
        ]
        return [row for row in rows if row.new]

    def state_forbids(self, cluster: Cluster) -> str:  # noqa: ARG002
        """Nothing about the state forbids it."""
        return ""

    def unfit(self, parameters: Parameters, cluster: Cluster) -> Sequence[str]:
        """Refuse a group where there are several members."""
        if parameters.get("patch_group") and cluster.node_count != 1:
            return [ONE_NODE]
        return []

    def options(self, parameters: Parameters) -> Mapping[str, Any]:
        """Return the API's ``patchParty``."""
        party: dict[str, Any] = {"excluded": parameters["excluded"] == EXCLUDED}
        if parameters.get("patch_group"):
            party["patchGroup"] = parameters["patch_group"]
        if parameters.get("exclusion_reason"):
            party["exclusionReason"] = parameters["exclusion_reason"]
        return {"patchParty": party}
