"""Pages of changes. Each view makes one domain call; who may do what is in policy and in the querysets."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from portal.accounts.http import Request, signed_in
from portal.audit.record import record_refusal
from portal.changes import again, decide, policy, queries, submit
from portal.changes.forms import ApproveForm, RejectForm
from portal.changes.models import Change, State
from portal.operations import telling
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


@require_safe
@signed_in
def detail(request: Request, change_id: int) -> HttpResponse:
    """Show one request, with the decision card, or its draft's summary."""
    return _page(request, get_change(request, change_id))


@form_of("change")
@signed_in
def submit_draft(request: Request, change_id: int) -> HttpResponse:
    """File the person's own draft."""
    change = get_change(request, change_id)
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
    return file_draft(request, change)


@form_of("change")
@signed_in
def approve(request: Request, change_id: int) -> HttpResponse:
    """Agree to a request."""
    change = get_change(request, change_id)
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
    return see(change)


@form_of("change")
@signed_in
def reject(request: Request, change_id: int) -> HttpResponse:
    """Say no to a request."""
    change = get_change(request, change_id)
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
    return see(change)


@form_of("change")
@signed_in
def withdraw(request: Request, change_id: int) -> HttpResponse:
    """Take one's own request back."""
    change = get_change(request, change_id)
    try:
        decide.withdraw(change, request.user)
    except decide.NotAllowedError as refused:
        raise PermissionDenied(str(refused)) from refused
    except LostRaceError:
        return _lost(request, change_id)
    messages.success(request, f"Withdrawn: {change.title}.")
    return see(change)


def get_change(request: Request, change_id: int) -> Change:
    """The request, with what its page shows, if the person may see it."""
    rows = Change.objects.visible_to(request.user)
    joined = rows.select_related("service", "cluster__service", "requester", "operation__cluster", "password")
    return get_object_or_404(joined, pk=change_id)


def see(change: Change) -> HttpResponse:
    """Lead to the request's page."""
    return SeeOther(change.get_absolute_url())


def file_draft(request: Request, change: Change) -> HttpResponse:
    """File a draft and lead to it, or say on its page why it cannot be filed."""
    try:
        submit.submit(change, request.user)
    except submit.NotPossibleError as no:
        return _page(request, change, problem=str(no), status=HTTPStatus.CONFLICT)
    except (LostRaceError, ValueError):
        # A second click: the first one has filed it.
        return see(change)
    for words in change.notes.values():
        messages.warning(request, words)
    messages.success(request, f"Filed: {change.title}. An approver of the service's team decides.")
    return see(change)


def _lost(request: Request, change_id: int) -> HttpResponse:
    problem = "Somebody was faster: this is how the request stands now."
    return _page(request, get_change(request, change_id), problem=problem, status=HTTPStatus.CONFLICT)


def _page(
    request: Request,
    change: Change,
    *,
    form: ApproveForm | None = None,
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    operation = change.operation
    situation = queries.situation(change, request.user)
    moved_at = change.cluster.changed_at if change.cluster else None
    pending = change.state == State.PENDING
    broken = submit.in_the_way(change, held=situation.held) if policy.is_open(change) else []
    lapsed = decide.lapsed(change) if pending else ""
    mark = stamp(
        change.pk,
        change.changed_at,
        operation.changed_at if operation else None,
        moved_at,
        *situation.marks,
        lapsed,
        *broken,
    )
    live = bool(request.htmx) and request.method == "GET"
    if live and (nothing := unchanged(request, mark)):
        return nothing
    why_not, why_not_approve = policy.verdicts(request.user, change) if pending else ("", "")
    own = not policy.why_not_own(request.user, change)
    context = {
        "change": change,
        "rows": change.shown,
        "words": change.entry.words,
        "situation": situation,
        "outcome": telling.of(operation) if operation else None,
        "again": again.of_change(request.user, change),
        "decision": None if policy.is_open(change) else queries.decision_of(change),
        "form": form or ApproveForm(),
        "problem": problem,
        "broken": broken,
        "lapsed": lapsed,
        "why_not": why_not,
        "why_not_approve": why_not_approve,
        "may_submit": own and change.state == State.DRAFT,
        "may_withdraw": own and policy.is_open(change),
        "ended": not policy.is_open(change) and (operation is None or operation.finished),
        "stamp": mark,
    }
    return render(request, "changes/detail.html#live" if live else "changes/detail.html", context, status=status)
