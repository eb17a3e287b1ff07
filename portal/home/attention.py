"""The page *Needs a person*: what is open, with its evidence and what one may do about it."""

from http import HTTPStatus
from typing import Any, Final, NoReturn

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.accounts.http import Request, signed_in
from portal.audit.record import record_refusal
from portal.home import evidence
from portal.home.attention_forms import ActForm, form_of_act
from portal.home.switch import switch
from portal.operations import acts, resolve
from portal.operations.acts import Act
from portal.operations.models import Concern
from portal.operations.states import LostRaceError
from portal.web.answers import SeeOther, form_of
from portal.web.live import stamp, unchanged
from portal.web.paging import page

PAGE_SIZE: Final = 10
NOT_YOURS: Final = "Only approvers of the service's team, and administrators, can act on this."
MOVED: Final = (
    "Somebody was faster, or the evidence has changed: this is how it stands now. Look again before you decide."
)
# What each act is called in addresses: the names of the routes.
ROUTES: Final = {
    Act.ADOPT: "adopt_action",
    Act.DONE: "mark_done",
    Act.FAILED: "mark_failed",
    Act.SEND: "send_again",
    Act.SEND_NOW: "send_now",
    Act.RELEASE: "release_cluster",
    Act.NOTED: "note_concern",
}
# Acts after which it is sent, unless somebody else has to agree: with what is said then.
SENDS: Final = {
    Act.SEND: (resolve.send_again, "On its way to ITCare once more"),
    Act.SEND_NOW: (resolve.send_now, "On its way to ITCare"),
}
DANGEROUS: Final = (Act.SEND, Act.SEND_NOW, Act.RELEASE)


@require_safe
@signed_in
def index(request: Request) -> HttpResponse:
    """List what needs a person and concerns the services of this one, the oldest first."""
    return attention_page(request)


def attention_page(request: Request, *, status: int = HTTPStatus.OK, **shown: Any) -> HttpResponse:  # noqa: ANN401 - forms
    """Show the list, with the switch as its forms left it.

    Args:
        request: From whom.
        status: Of the answer.
        shown: What else the switch shows: a form with errors, a problem.
    """
    rows = evidence.with_evidence(Concern.objects.matters().visible_to(request.user))
    after = request.GET.get("after", "")
    found = page(rows, order=["raised_at", "pk"], after=after, size=PAGE_SIZE)
    numbers = [row.pk for row in found.items]
    workable = set(Concern.objects.workable_by(request.user).filter(pk__in=numbers).values_list("pk", flat=True))
    matters = [evidence.matter(row, request.user, workable=row.pk in workable) for row in found.items]
    mark = stamp(*(part for each in matters for part in each.marks))
    live = bool(request.htmx) and request.method == "GET"
    if live and (nothing := unchanged(request, mark)):
        return nothing
    context = {
        "matters": matters,
        "next_url": f"?after={found.next_after}" if found.next_after else "",
        "first_url": reverse("attention") if after else "",
        "after": after,
        "stamp": mark,
        **({} if live else {"switch": switch(request.user, **shown)}),
    }
    return render(request, "attention/list.html#live" if live else "attention/list.html", context, status=status)


@require_safe
@signed_in
def detail(request: Request, concern_id: int) -> HttpResponse:
    """Show one matter, with a form for each act."""
    return _page(request, _get(request, concern_id))


@form_of("concern")
@signed_in
def adopt(request: Request, concern_id: int) -> HttpResponse:
    """Say which action carries the operation out."""
    return _act(request, concern_id, Act.ADOPT)


@form_of("concern")
@signed_in
def mark_done(request: Request, concern_id: int) -> HttpResponse:
    """Say that it was done."""
    return _act(request, concern_id, Act.DONE)


@form_of("concern")
@signed_in
def mark_failed(request: Request, concern_id: int) -> HttpResponse:
    """Say that it was not done."""
    return _act(request, concern_id, Act.FAILED)


@form_of("concern")
@signed_in
def send_again(request: Request, concern_id: int) -> HttpResponse:
    """Say that it may be sent once more."""
    return _act(request, concern_id, Act.SEND)


@form_of("concern")
@signed_in
def send_now(request: Request, concern_id: int) -> HttpResponse:
    """Say that it was not sent before, and may be sent."""
    return _act(request, concern_id, Act.SEND_NOW)


@form_of("concern")
@signed_in
def release_cluster(request: Request, concern_id: int) -> HttpResponse:
    """Give up without knowing."""
    return _act(request, concern_id, Act.RELEASE)


@form_of("concern")
@signed_in
def note(request: Request, concern_id: int) -> HttpResponse:
    """Say that one knows."""
    return _act(request, concern_id, Act.NOTED)


def _act(request: Request, concern_id: int, act: Act) -> HttpResponse:
    concern = _get(request, concern_id)
    if not _workable(request, concern):
        _refuse(request, concern, act, NOT_YOURS)
    form = form_of_act(act, concern, request.POST)
    if not form.is_valid():
        return _page(request, concern, form=form, act=act, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        said = _do(act, concern, request, form)
    except resolve.NotAllowedError as no:
        _refuse(request, concern, act, str(no))
    except (resolve.NotPossibleError, LostRaceError) as no:
        concern = _get(request, concern_id)
        kept = form_of_act(act, concern, {**request.POST.dict(), "seen": acts.basis(concern)})
        problem = str(no) if isinstance(no, resolve.NotPossibleError) else MOVED
        return _page(request, concern, form=kept, act=act, problem=problem, status=HTTPStatus.CONFLICT)
    messages.success(request, f"{said}: {concern.subject}.")
    return SeeOther(reverse("attention"))


def _do(act: Act, concern: Concern, request: Request, form: ActForm) -> str:
    """Do it; answers what was done, in words."""
    why, seen = form.cleaned_data["reason"], form.cleaned_data["seen"]
    if act == Act.ADOPT:
        resolve.adopt(concern, request.user, why, seen=seen, action=form.cleaned_data["action"])
        return "Adopted, and followed from now on"
    if act in SENDS:
        does, said = SENDS[act]
        goes = does(concern, request.user, why, seen=seen)
        return said if goes else "You are the first of two; somebody else has to agree"
    if act == Act.NOTED:
        resolve.note(concern, request.user, why, seen=seen)
    else:
        resolve.end(concern, request.user, why, seen=seen, act=act)
    return acts.LABELS[act]


def _refuse(request: Request, concern: Concern, act: Act, why_not: str) -> NoReturn:
    about = "operation" if concern.operation_id else "cluster" if concern.cluster_id else "upstream"
    record_refusal(
        f"concern.{act}",
        why=why_not,
        actor=request.user.email,
        actor_id=request.user.pk,
        subject_type=about,
        subject_id=concern.operation_id or concern.cluster_id or 0,
        subject=concern.subject,
        service_id=concern.service_id,
    )
    raise PermissionDenied(why_not)


def _page(
    request: Request,
    concern: Concern,
    *,
    form: ActForm | None = None,
    act: Act | None = None,
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    workable = _workable(request, concern)
    every = "all" in request.GET
    shown = evidence.matter(concern, request.user, workable=workable, every=every)
    others = evidence.others(concern)
    rests_on = acts.basis(concern)
    mark = stamp(*shown.marks, *(part for other in others for part in (other.pk, other.status)))
    live = bool(request.htmx) and request.method == "GET"
    if live and (nothing := unchanged(request, mark)):
        return nothing
    forms = [
        {
            "offer": offer,
            "address": reverse(ROUTES[offer.act], args=[concern.pk]),
            "form": form if form is not None and offer.act == act else form_of_act(offer.act, concern),
            "open": offer.act in {act, request.GET.get("act"), Act.ADOPT, Act.NOTED},
            "dangerous": offer.act in DANGEROUS,
        }
        for offer in shown.offers
    ]
    context = {
        "matter": shown,
        # What the page asks for again when it refreshes itself.
        "asked": "&all" if every else "",
        "others": others,
        "forms": forms,
        "form": form,
        "problem": problem,
        "kept": form["reason"].value() if form is not None and act not in {each.act for each in shown.offers} else "",
        # Who may act finds something to do, unless it is being sent.
        "why_not": "" if shown.offers or concern.closed_at else acts.BEING_SENT if workable else NOT_YOURS,
        "rests_on": rests_on,
        "moved": live and request.GET.get("rests_on", rests_on) != rests_on,
        "since": request.GET.get("rests_on", rests_on) if live else rests_on,
        "stamp": mark,
    }
    return render(request, "attention/detail.html#live" if live else "attention/detail.html", context, status=status)


def _workable(request: Request, concern: Concern) -> bool:
    return Concern.objects.workable_by(request.user).filter(pk=concern.pk).exists()


def _get(request: Request, concern_id: int) -> Concern:
    return get_object_or_404(evidence.with_evidence(Concern.objects.visible_to(request.user)), pk=concern_id)
