"""The switch that holds all sends: what the page shows of it, and the forms that turn it."""

from dataclasses import dataclass
from typing import Final

from portal.accounts import rights
from portal.accounts.models import User
from portal.home.attention_forms import LetGoForm, ReasonForm
from portal.operations import holds
from portal.operations.models import Hold

NOT_YOURS: Final = "Only administrators hold sends and let them go."


@dataclass(frozen=True)
class Switch:
    """How the switch stands, for one person.

    Attributes:
        held: the hold that is in force.
        form: what turns it; None for those who may not.
        problem: why it was not turned just now.
        kept: what was typed, where it has no field any more.
    """

    held: Hold | None
    form: ReasonForm | None
    problem: str = ""
    kept: str = ""


def switch(user: User, *, form: ReasonForm | None = None, problem: str = "") -> Switch:
    """Tell how it stands; with the form that was sent, or what was typed into it where it does not fit any more."""
    held = holds.held()
    if not rights.administers(user):
        return Switch(held, None)
    fits = form is not None and isinstance(form, LetGoForm) == (held is not None)
    if fits and not problem:
        return Switch(held, form)
    typed = str(form["reason"].value()) if form is not None else ""
    # The person has seen by now which hold is in force.
    shown: dict[str, object] = {"reason": typed if fits else ""}
    fresh: ReasonForm = LetGoForm(initial={**shown, "hold": held.pk}) if held else ReasonForm(initial=shown)
    return Switch(held, fresh, problem, kept="" if fits else typed)
