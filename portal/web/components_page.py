"""All components in all their states on one page, to look at and to test; not served in production."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from portal.web.facts import Facts, Link
from portal.web.forms import FilteredSelect
from portal.web.looks import Look

LOOKS = [
    Look("Ready", "check", "good"),
    Look("Working", "loader-circle", "busy", "The other side has taken it and reports as it goes."),
    Look("Waits for you", "clock", "warn"),
    Look("Needs a person", "x", "bad", "Nobody can tell from here whether it was done."),
    Look("Switched off", "circle-stop", "off"),
]


class Specimen(forms.Form):
    """One field of each sort; bound to `WRONG` it shows each error."""

    WRONG: ClassVar[Mapping[str, Any]] = {
        "text": "Dash-ed",
        "number": "30",
        "kept": "a value longer than most",
        "country": "",
        "several": ["2"],
    }

    text = forms.RegexField(
        r"^[a-z0-9]+$",
        label="Small letters",
        help_text="Letters and digits, no dash.",
        error_messages={"invalid": "Only small letters and digits: the dash has to go."},
        widget=forms.TextInput(attrs={"data-lowercase": "true"}),
    )
    number = forms.IntegerField(
        label="Number, 40 to 1024",
        min_value=40,
        max_value=1024,
        error_messages={"min_value": "At least 40.", "max_value": "At most 1024."},
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    kept = forms.CharField(
        label="Short text",
        required=False,
        widget=forms.TextInput(
            attrs={
                "data-warn-over": "20",
                "data-warning": "Longer than 20 characters: accepted, but not everything can take it.",
            },
        ),
    )
    choice = forms.ChoiceField(
        label="One of two",
        choices=[("one", "Plain"), ("two", "With more to say")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one of the two."},
    )
    country = forms.ChoiceField(label="Country", choices=[("", "Choose"), ("fr", "France"), ("de", "Germany")])
    town = forms.ChoiceField(
        label="Town",
        required=False,
        choices=[("", "Choose"), ("paris", "Paris"), ("lyon", "Lyon"), ("bonn", "Bonn")],
        widget=FilteredSelect(by=["country"]),
        help_text="Only towns of the country above.",
    )
    several = forms.MultipleChoiceField(
        label="Any of these",
        required=False,
        choices=[("1", "First"), ("2", "Second"), ("3", "Third")],
        widget=forms.CheckboxSelectMultiple,
    )
    agree = forms.BooleanField(label="I have read it", help_text="All of it.", required=False)
    why = forms.CharField(label="Why", widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        self.warnings = {"kept": "Longer than 20 characters: accepted, but not everything can take it."}
        self.fields["choice"].hints = {  # type: ignore[attr-defined]
            "one": "Nothing else is asked.",
            "two": "Asks for one more thing, just below.",
        }
        town = self.fields["town"].widget
        if isinstance(town, FilteredSelect):
            town.belongs = {
                "paris": {"country": ["fr"]},
                "lyon": {"country": ["fr"]},
                "bonn": {"country": ["de"]},
            }


def components(request: HttpRequest) -> HttpResponse:
    """Show the page of components."""
    now = timezone.now()
    context = {
        "looks": LOOKS,
        "empty": Specimen(),
        "wrong": Specimen({f"wrong-{name}": value for name, value in Specimen.WRONG.items()}, prefix="wrong"),
        "now": now,
        "earlier": now - timedelta(minutes=2, seconds=10),
        "long_ago": now - timedelta(days=400),
        "soon": now + timedelta(hours=3),
        "entries": _entries(now),
        "facts": _facts(now),
        "long_word": "a" * 60,
    }
    return render(request, "components_page.html", context)


def _facts(now: datetime) -> Facts:
    return Facts(
        "Together",
        [
            ("Words", "plain"),
            ("Time", now),
            ("State", LOOKS[0]),
            ("Elsewhere", Link("Read more", "https://example.com/")),
        ],
    )


def _entries(now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "tone": "done",
            "icon": "check",
            "text": "Asked",
            "note": "because of Thursday",
            "at": now - timedelta(hours=1),
        },
        {"tone": "done", "icon": "check", "text": "Agreed", "at": now - timedelta(minutes=48)},
        {"tone": "warn", "icon": "clock", "text": "Answered late", "at": now - timedelta(minutes=9)},
        {"tone": "bad", "icon": "x", "text": "Refused once, and sent again", "at": now - timedelta(minutes=3)},
        {"tone": "now", "icon": "loader-circle", "text": "Moving", "at": now},
        {"tone": "next", "icon": "circle", "text": "Confirmed by the other side"},
    ]
