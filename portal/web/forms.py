"""How form fields are put on a page: label, hint, warning and error tied to their input."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.forms.boundfield import BoundWidget
from django.forms.renderers import TemplatesSetting


class BoundField(forms.BoundField):
    """A field that may carry a warning, and hints for each of its choices.

    A form that accepts a value with a reservation has `warnings: dict[str, str]`, field name to sentence. A choice
    field may have `hints: Mapping[str, str]`, value to sentence, and `links: Mapping[str, str]`, value to the address
    of a web page about it; whoever sets them sees to it that it is one.
    """

    @property
    def warning(self) -> str:
        """The sentence shown with an accepted value."""
        warnings: Mapping[str, str] = getattr(self.form, "warnings", {})
        return warnings.get(self.name, "")

    @property
    def aria_describedby(self) -> str | None:
        """The ids of hint, error and warning, in the order in which they are read out."""
        described = super().aria_describedby
        if described is None or not self.warning:
            return described
        return f"{described} {self.auto_id}_warning".strip()

    @property
    def aria_label_target(self) -> str:
        """The id that a link to this field leads to: the input's, or that of the group of choices."""
        return self.id_for_label or self.auto_id

    @property
    def choices_with_hints(self) -> Iterator[tuple[BoundWidget, str, str]]:
        """Each choice with its sentence and its link; either may be empty."""
        hints: Mapping[str, str] = getattr(self.field, "hints", {})
        links: Mapping[str, str] = getattr(self.field, "links", {})
        for choice in self.subwidgets:
            value = str(choice.data["value"])
            yield choice, hints.get(value, ""), links.get(value, "")

    @property
    def optional(self) -> bool:
        """Whether the label says so: not where other answers may make the field needed (`conditional` on the field)."""
        return not self.field.required and not getattr(self.field, "conditional", False)

    @property
    def has_hints(self) -> bool:
        """Whether the choices explain themselves, and so need more room."""
        return bool(getattr(self.field, "hints", None) or getattr(self.field, "links", None))


class Renderer(TemplatesSetting):
    """The FORM_RENDERER: Django's own templates, and ours for a field."""

    field_template_name = "components/field.html"
    bound_field_class = BoundField


class FilteredSelect(forms.Select):
    """A select whose options belong to values of other selects; static/js/form.js hides those that do not fit.

    `by` names the other fields; `belongs` says for each option value and each of those names, which values it
    belongs to. An option that is not listed always fits. Without JavaScript all options stay, and the form checks.
    """

    def __init__(self, *, by: Sequence[str], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs={**(attrs or {}), "data-filter-by": " ".join(by)})
        self.belongs: Mapping[str, Mapping[str, Sequence[str]]] = {}

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - as Django has it
        """Add `data-for-<name>`, values separated by "|", to the option."""
        option: dict[str, Any] = super().create_option(*args, **kwargs)
        for name, values in self.belongs.get(str(option["value"]), {}).items():
            option["attrs"][f"data-for-{name}"] = "|".join(values)
        return option


class SuggestingInput(forms.NumberInput):
    """A field for a number that suggests some with their words; `suggestions` holds them."""

    template_name = "components/suggested.html"

    def __init__(self, suggestions: Sequence[tuple[int, str]], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.suggestions = suggestions

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ANN401 - as Django has it
        """Add the suggestions, and the name of their list."""
        listed = {**(attrs or {}), "list": f"{name}-suggestions"} if self.suggestions else attrs
        context: dict[str, Any] = super().get_context(name, value, listed)
        context["widget"]["suggestions"] = self.suggestions
        return context
