"""Pages of changes. Each view makes one domain call; who may do what is in policy and in the querysets."""

import re
import uuid
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.http import Request, signed_in
from portal.audit.record import record_refusal
from portal.catalog.base import Kind, KindForm
from portal.catalog.kinds import KINDS
from portal.changes import decide, policy, queries, submit
from portal.changes.forms import ApproveForm, RejectForm
from portal.changes.models import Change, State
from portal.operations.start import busy
from portal.operations.states import LostRaceError
from portal.web.answers import SeeOther, form_of
from portal.web.live import stamp, unchanged
from portal.web.paging import page

PAGE_SIZE = 25


@require_safe
@signed_in
def index(request: Request) -> HttpResponse:
    """List the requests that the person may see."""
    return _list(request, queries.listed(request.user), "changes/list.html", order="-pk")


@require_safe
@signed_in
def approvals(request: Request) -> HttpResponse:
    """List the requests that wait for the person's decision."""
    return _list(request, queries.waiting_for(request.user), "changes/approvals.html", order="pk")


def _list(request: Request, changes: Any, template: str, *, order: str) -> HttpResponse:  # noqa: ANN401 - a queryset
    found = page(changes, order=[order], after=request.GET.get("after"), size=PAGE_SIZE)
    shown = [(change.pk, change.changed_at, change.operation and change.operation.changed_at) for change in found.items]
    mark = stamp(*(part for row in shown for part in row))
    if request.htmx and (nothing := unchanged(request, mark)):
        return nothing
    context = {
        "changes": found.items,
        "next_url": f"?after={found.next_after}" if found.next_after else "",
        "first_url": request.path if request.GET.get("after") else "",
        "stamp": mark,
        "after": request.GET.get("after", ""),
        "may_ask": not policy.why_not_ask(request.user),
    }
    return render(request, f"{template}#live" if request.htmx else template, context)


@sensitive_post_parameters("adm_password")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def new(request: Request, kind: str) -> HttpResponse:
    """Show the form of a kind, or take it: a valid one becomes a draft, or is filed at once with ``send=now``."""
    entry = KINDS.get(kind)
    if entry is None:
        raise Http404
    if why_not := policy.why_not_ask(request.user):
        if request.method == "POST":
            record_refusal(
                "change.ask",
                why=why_not,
                actor=request.user.email,
                actor_id=request.user.pk,
                subject_type="kind",
                subject_id=entry.name,
                subject=entry.label,
            )
        raise PermissionDenied(why_not)
    token = _token(request)
    if request.method == "POST" and (earlier := submit.already(request.user, token)):
        return _sent_before(request, entry, earlier)
    draft = _draft(request)
    if draft and (draft.state != State.DRAFT or policy.why_not_own(request.user, draft)):
        messages.error(request, "This is no draft of yours any more: it was not changed.")
        return _see(draft)
    if request.method == "POST":
        return _take(request, entry, draft, token)
    initial = {**draft.parameters, "reason": draft.why} if draft else None
    return _form_page(request, entry, entry.form(user=request.user, initial=initial), draft, token)


def _take(request: Request, entry: Kind, draft: Change | None, token: uuid.UUID) -> HttpResponse:
    form = entry.form(request.POST, user=request.user)
    if not _fits(entry, form):
        return _form_page(request, entry, form, draft, token, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        change = submit.save_draft(
            user=request.user, kind=entry, form=form, form_token=token, cluster=None, draft=draft
        )
    except LostRaceError:
        messages.error(request, "This draft was filed meanwhile; what you typed now was not added to it.")
        return _see(draft) if draft else SeeOther(reverse("changes"))
    if request.POST.get("send") != "now":
        return _see(change)
    return _submit(request, change)


def _sent_before(request: Request, entry: Kind, earlier: Change) -> HttpResponse:
    """Lead to what the form has led to before; tell somebody who has changed it since that this changed nothing."""
    form = entry.form(request.POST, user=request.user)
    if form.is_valid() and (form.parameters, form.cleaned_data["reason"]) != (earlier.parameters, earlier.why):
        messages.warning(request, "This form was sent before and led to this request; what was sent now is not in it.")
    return _see(earlier)


def _fits(entry: Kind, form: KindForm) -> bool:
    """Whether the form is valid, and nothing unfinished stands in its way."""
    if not form.is_valid():
        return False
    name, _ = entry.target(form.parameters, form.cluster)
    if sentence := busy(name=name, cluster=form.cluster):
        form.add_error("name" if "name" in form.fields else None, sentence)
    return form.is_valid()


def _draft(request: Request) -> Change | None:
    """The draft that the form is to replace, if the address or the form names one; it may have been filed meanwhile."""
    number = request.POST.get("draft") or request.GET.get("draft")
    if not number:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", number):
        raise Http404
    return _get(request, int(number))


def _token(request: Request) -> uuid.UUID:
    """The form's own number; a form without a usable one counts as a new form."""
    try:
        return uuid.UUID(request.POST.get("form_token", ""))
    except ValueError:
        return uuid.uuid4()


def _form_page(
    request: Request,
    entry: Kind,
    form: KindForm,
    draft: Change | None,
    token: uuid.UUID,
    *,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {"kind": entry, "form": form, "draft": draft, "form_token": token}
    return render(request, f"changes/new_{entry.name}.html", context, status=status)


@require_safe
@signed_in
def detail(request: Request, change_id: int) -> HttpResponse:
    """Show one request, with the decision card, or its draft's summary."""
    return _page(request, _get(request, change_id))


@form_of("change")
@signed_in
def submit_draft(request: Request, change_id: int) -> HttpResponse:
    """File the person's own draft."""
    change = _get(request, change_id)
    if why_not := policy.why_not_own(request.user, change):
        record_refusal(
            "change.submit",
            why=why_not,
            actor=request.user.email,
            actor_id=request.user.pk,
            subject_type="change",
            subject_id=change.pk,
            subject=change.title,
            service_id=change.service_id,
        )
        raise PermissionDenied(why_not)
    return _submit(request, change)


@form_of("change")
@signed_in
def approve(request: Request, change_id: int) -> HttpResponse:
    """Agree to a request."""
    change = _get(request, change_id)
    form = ApproveForm(request.POST)
    try:
        comment = form.cleaned_data["comment"] if form.is_valid() else ""
        if form.errors and not policy.why_not_decide(request.user, change):
            return _page(request, change, form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        decide.approve(change, request.user, comment)
    except decide.NotAllowedError as refused:
        raise PermissionDenied(str(refused)) from refused
    except submit.NotPossibleError as no:
        return _page(request, change, form=form, problem=str(no), status=HTTPStatus.CONFLICT)
    except LostRaceError:
        return _lost(request, change_id)
    messages.success(request, f"Approved: {change.title}. It is on its way to ITCare.")
    return _see(change)


@form_of("change")
@signed_in
def reject(request: Request, change_id: int) -> HttpResponse:
    """Say no to a request."""
    change = _get(request, change_id)
    form = RejectForm(request.POST)
    if not form.is_valid() and not policy.why_not_decide(request.user, change):
        return _page(request, change, form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        decide.reject(change, request.user, form.cleaned_data.get("comment", ""))
    except decide.NotAllowedError as refused:
        raise PermissionDenied(str(refused)) from refused
    except LostRaceError:
        return _lost(request, change_id)
    messages.success(request, f"Rejected: {change.title}.")
    return _see(change)


@form_of("change")
@signed_in
def withdraw(request: Request, change_id: int) -> HttpResponse:
    """Take one's own request back."""
    change = _get(request, change_id)
    try:
        decide.withdraw(change, request.user)
    except decide.NotAllowedError as refused:
        raise PermissionDenied(str(refused)) from refused
    except LostRaceError:
        return _lost(request, change_id)
    messages.success(request, f"Withdrawn: {change.title}.")
    return _see(change)


def _get(request: Request, change_id: int) -> Change:
    rows = Change.objects.visible_to(request.user)
    joined = rows.select_related("service", "cluster__service", "requester", "operation__cluster", "password")
    return get_object_or_404(joined, pk=change_id)


def _see(change: Change) -> HttpResponse:
    return SeeOther(change.get_absolute_url())


def _submit(request: Request, change: Change) -> HttpResponse:
    try:
        submit.submit(change, request.user)
    except submit.NotPossibleError as no:
        return _page(request, change, problem=str(no), status=HTTPStatus.CONFLICT)
    except (LostRaceError, ValueError):
        # A second click: the first one has filed it.
        return _see(change)
    for words in change.notes.values():
        messages.warning(request, words)
    messages.success(request, f"Filed: {change.title}. An approver of the service's team decides.")
    return _see(change)


def _lost(request: Request, change_id: int) -> HttpResponse:
    problem = "Somebody was faster: this is how the request stands now."
    return _page(request, _get(request, change_id), problem=problem, status=HTTPStatus.CONFLICT)


def _page(
    request: Request,
    change: Change,
    *,
    form: ApproveForm | None = None,
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    operation = change.operation
    mark = stamp(change.pk, change.changed_at, operation.changed_at if operation else None)
    live = bool(request.htmx) and request.method == "GET"
    if live and (nothing := unchanged(request, mark)):
        return nothing
    pending = change.state == State.PENDING
    broken = submit.in_the_way(change) if policy.is_open(change) else []
    own = not policy.why_not_own(request.user, change)
    context = {
        "change": change,
        "rows": change.entry.rows(change.parameters, change.cluster),
        "words": change.entry.words,
        "decision": None if policy.is_open(change) else queries.decision_of(change),
        "form": form or ApproveForm(),
        "problem": problem,
        "broken": broken,
        "why_not": policy.why_not_decide(request.user, change) if pending else "",
        "may_submit": own and change.state == State.DRAFT,
        "may_withdraw": own and policy.is_open(change),
        "ended": not policy.is_open(change) and (operation is None or operation.finished),
        "stamp": mark,
    }
    return render(request, "changes/detail.html#live" if live else "changes/detail.html", context, status=status)
