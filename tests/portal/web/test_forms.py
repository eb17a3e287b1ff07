import re
from typing import Any

from django import forms
from django.template import Context, Template
from django.template.loader import render_to_string

from portal.web.forms import FilteredSelect


class Order(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        self.warnings: dict[str, str] = {}
        self.fields["kind"].hints = {"a": "The <first>."}  # type: ignore[attr-defined]

    title = forms.CharField(label="Title", max_length=5, help_text="Short & good.")
    kind = forms.ChoiceField(label="Kind", choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    note = forms.CharField(label="Note", required=False)
    agree = forms.BooleanField(label="Agreed")
    token = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean_title(self) -> str:
        if "<" in self.cleaned_data["title"]:
            message = f"{self.cleaned_data['title']} is no title."
            raise forms.ValidationError(message)
        return str(self.cleaned_data["title"])


def shown(form: forms.Form, name: str) -> str:
    html = Template("{% load portal %}{% field field %}").render(Context({"field": form[name]}))
    return re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>", "[icon]", html, flags=re.DOTALL)).replace("> <", "><").strip()


def test_label_and_hint_belong_to_their_input() -> None:
    assert shown(Order(), "title") == (
        '<div class="field"><label for="id_title"> Title </label>'
        '<input type="text" name="title" maxlength="5" required aria-describedby="id_title_helptext" id="id_title">'
        '<div class="hint" id="id_title_helptext">Short &amp; good.</div></div>'
    )


def test_an_error_is_tied_to_its_input_and_escaped() -> None:
    assert shown(Order({"title": "<b>"}), "title") == (
        '<div class="field invalid"><label for="id_title"> Title </label>'
        '<input type="text" name="title" value="&lt;b&gt;" maxlength="5" required aria-invalid="true" '
        'aria-describedby="id_title_helptext id_title_error" id="id_title">'
        '<div class="hint" id="id_title_helptext">Short &amp; good.</div>'
        '<div class="error" id="id_title_error"> [icon] <span> &lt;b&gt; is no title. </span></div></div>'
    )


def test_an_accepted_value_may_carry_a_warning() -> None:
    form = Order({"note": "x"})
    form.warnings["note"] = "Accepted, but."
    assert shown(form, "note") == (
        '<div class="field"><label for="id_note"> Note <span class="soft">optional</span></label>'
        '<input type="text" name="note" value="x" aria-describedby="id_note_warning" id="id_note">'
        '<div class="warning" id="id_note_warning"> [icon] <span>Accepted, but.</span></div></div>'
    )


def test_a_field_that_is_needed_at_times_is_not_called_optional() -> None:
    form = Order()
    assert "optional" in shown(form, "note")
    form.fields["note"].conditional = True  # type: ignore[attr-defined]
    assert "optional" not in shown(form, "note")


def test_choices_are_a_group_with_a_sentence_each() -> None:
    assert shown(Order(), "kind") == (
        '<fieldset class="choice" id="id_kind" tabindex="-1" ><legend> Kind </legend>'
        '<label for="id_kind_0"><input type="radio" name="kind" value="a" id="id_kind_0" required>'
        "<span>A</span><small>The &lt;first&gt;.</small></label>"
        '<label for="id_kind_1"><input type="radio" name="kind" value="b" id="id_kind_1" required>'
        "<span>B</span></label></fieldset>"
    )


def test_the_error_of_a_group_is_said_with_the_group() -> None:
    assert shown(Order({}), "kind").startswith(
        '<fieldset class="choice invalid" id="id_kind" tabindex="-1" aria-describedby="id_kind_error"><legend> Kind '
        '</legend><div class="error" id="id_kind_error"> [icon] <span> This field is required. </span></div>'
    )


def test_a_checkbox_stands_before_its_label() -> None:
    assert shown(Order(), "agree") == (
        '<div class="field check"><input type="checkbox" name="agree" required id="id_agree">'
        '<label for="id_agree">Agreed</label></div>'
    )


def test_a_hidden_field_is_only_itself() -> None:
    assert shown(Order(), "token") == '<input type="hidden" name="token" id="id_token">'


def test_the_summary_of_errors_leads_to_each_field_in_order() -> None:
    form = Order({"title": "too long"})
    form.add_error(None, "<Both> are wrong.")
    html = render_to_string("components/form_errors.html", {"form": form, "kept": "Nothing is lost."})
    words = re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<[^>]+>", "", html, flags=re.DOTALL)).strip()
    assert re.findall(r'<a href="([^"]+)">([^<]+)</a>', html) == [
        ("#id_title", "Title"),
        ("#id_kind", "Kind"),
        ("#id_agree", "Agreed"),
    ]
    assert words == "3 fields need another look: Title, Kind, Agreed. &lt;Both&gt; are wrong. Nothing is lost."


def test_a_form_without_errors_has_no_summary() -> None:
    form = Order({"title": "good", "kind": "a", "agree": "on"})
    assert render_to_string("components/form_errors.html", {"form": form}).strip() == ""


def test_options_say_where_they_belong() -> None:
    widget = FilteredSelect(by=["country", "size"])
    widget.choices = [("", "Choose"), ("p", "Paris"), ("b", "Bonn")]
    widget.belongs = {"p": {"country": ["fr"], "size": ["big", '"huge"']}}
    html = widget.render("town", "p")
    assert re.sub(r"\s*\n\s*", "", html) == (
        '<select name="town" data-filter-by="country size"><option value="">Choose</option>'
        '<option value="p" selected data-for-country="fr" data-for-size="big|&quot;huge&quot;">Paris</option>'
        '<option value="b">Bonn</option></select>'
    )
