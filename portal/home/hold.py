"""Turns the switch of all sends, for administrators."""

from http import HTTPStatus
from typing import NoReturn

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.urls import reverse

from portal.accounts import rights
from portal.accounts.http import Request, signed_in
from portal.audit.record import record_refusal
from portal.home.attention import attention_page
from portal.home.attention_forms import LetGoForm, ReasonForm
from portal.home.switch import NOT_YOURS
from portal.operations import holds
from portal.operations.models import Hold
from portal.operations.states import LostRaceError
from portal.web.answers import SeeOther, form_of


@form_of("attention")
@signed_in
def hold_sends(request: Request) -> HttpResponse:
    """Send nothing from now on."""
    if not rights.administers(request.user):
        _refuse(request, "sends.hold")
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return attention_page(request, form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if not holds.hold(form.cleaned_data["reason"], by=request.user):
        words = "All sends are held already: this is how the switch stands now."
        return attention_page(request, form=form, problem=words, status=HTTPStatus.CONFLICT)
    messages.success(request, "Nothing is sent to ITCare from now on. What runs is followed all the same.")
    return SeeOther(reverse("attention"))


@form_of("attention")
@signed_in
def let_sends_go(request: Request) -> HttpResponse:
    """Let operations be sent again."""
    if not rights.administers(request.user):
        _refuse(request, "sends.let_go")
    form = LetGoForm(request.POST)
    if not form.is_valid():
        return attention_page(request, form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        holds.let_go(Hold(pk=form.cleaned_data["hold"]), form.cleaned_data["reason"], by=request.user)
    except LostRaceError:
        words = "Somebody else has let go of that hold: this is how the switch stands now."
        return attention_page(request, form=form, problem=words, status=HTTPStatus.CONFLICT)
    messages.success(request, "Operations are sent again, the oldest first.")
    return SeeOther(reverse("attention"))


def _refuse(request: Request, verb: str) -> NoReturn:
    record_refusal(
        verb,
        why=NOT_YOURS,
        actor=request.user.email,
        actor_id=request.user.pk,
        subject_type="hold",
        subject_id=0,
        subject="Sends",
    )
    raise PermissionDenied(NOT_YOURS)
