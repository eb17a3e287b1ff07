"""The forms of a decision."""

from typing import Final

from django import forms

_TOO_LONG: Final = {"max_length": "At most %(limit_value)d characters; these are %(show_value)d."}


class ApproveForm(forms.Form):
    """A comment is welcome."""

    comment = forms.CharField(
        label="Comment",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Needed to reject.",
        error_messages=_TOO_LONG,
    )


class RejectForm(ApproveForm):
    """A rejection says why."""

    comment = forms.CharField(
        label="Comment",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Needed to reject.",
        error_messages={**_TOO_LONG, "required": "Say why you reject it: the requester reads this."},
    )
