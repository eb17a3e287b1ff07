"""The forms of a decision."""

from django import forms


class ApproveForm(forms.Form):
    """A comment is welcome."""

    comment = forms.CharField(
        label="Comment",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Needed to reject.",
    )


class RejectForm(ApproveForm):
    """A rejection says why."""

    comment = forms.CharField(
        label="Comment",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Needed to reject.",
        error_messages={"required": "Say why you reject it: the requester reads this."},
    )
