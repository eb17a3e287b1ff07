"""The forms of what people do about a concern, and of the switch that holds all sends."""

from typing import Any, Final

from django import forms

from portal.operations import acts
from portal.operations.acts import Act
from portal.operations.models import Concern

_WORDS: Final = {
    "required": "Say why: it stays in the history and in the audit log.",
    "max_length": "At most %(limit_value)d characters; these are %(show_value)d.",
}


class ReasonForm(forms.Form):
    """Everything that people do here has a reason."""

    reason = forms.CharField(
        label="Why", max_length=400, widget=forms.Textarea(attrs={"rows": 2}), error_messages=_WORDS
    )


class ActForm(ReasonForm):
    """An act on a concern, with the mark of what the person saw."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, concern: Concern, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        self.concern = concern


class AdoptForm(ActForm):
    """Which action carries it out; each has a button of its own."""

    action = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Take one of the actions that are offered."""
        chosen = [action.pk for action in acts.candidates(self.concern) if str(action.pk) == self.data.get("action")]
        if not chosen:
            message = "Choose the action by its own button: what was sent is none of those that are offered."
            raise forms.ValidationError(message)
        return {**self.cleaned_data, "action": chosen[0]}


class SendForm(ActForm):
    """Sending again, or in doubt, wants the cluster's name typed."""

    confirm_name = forms.CharField(
        label="Name of the cluster, to be sure",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Type the name of the cluster: what is sent cannot be taken back."},
    )

    field_order = ("confirm_name", "reason", "seen")

    def clean_confirm_name(self) -> str:
        """Check that the name is the cluster's, letter for letter."""
        typed: str = self.cleaned_data["confirm_name"]
        name = self.concern.operation.name if self.concern.operation else ""
        if typed != name:
            message = f"This is not the name of the cluster: type {name} exactly."
            raise forms.ValidationError(message)
        return typed


class LetGoForm(ReasonForm):
    """Ends the hold that the person saw."""

    hold = forms.IntegerField(required=False, widget=forms.HiddenInput)


FORMS: Final[dict[Act, type[ActForm]]] = {Act.ADOPT: AdoptForm, Act.SEND: SendForm, Act.SEND_NOW: SendForm}


def form_of_act(act: Act, concern: Concern, data: Any = None) -> ActForm:  # noqa: ANN401 - what Django takes
    """The form of an act, filled with what was sent; its fields have ids of their own, since a page has several.

    What the person saw is set afresh where nothing was sent.
    """
    mark = {"seen": acts.basis(concern)}
    return FORMS.get(act, ActForm)(data, concern=concern, auto_id=f"{act}_%s", initial=mark)
