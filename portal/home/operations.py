"""Pages of operations: the list, and one with its live timeline."""

from http import HTTPStatus
from typing import Final, NoReturn

# allauth: asks for the password (or a second factor) again, and then goes on with the POST that asked for it.
from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Subquery, When
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe

from portal.accounts.http import Request, signed_in
from portal.accounts.models import User
from portal.audit.record import record_refusal
from portal.changes import again
from portal.changes.queries import decision_on
from portal.home.timeline import Records, timeline, usual
from portal.operations import cancel as cancelling
from portal.operations import holds, telling
from portal.operations import reveal as revealing
from portal.operations.acts import in_doubt
from portal.operations.models import Operation
from portal.operations.states import LostRaceError, State
from portal.sealing import SealBroken
from portal.web.answers import SeeOther, form_of
from portal.web.live import stamp, unchanged
from portal.web.paging import page

PAGE_SIZE: Final = 25


@require_safe
@signed_in
def index(request: Request) -> HttpResponse:
    """List the operations that the person may see, the newest first."""
    rows = Operation.objects.visible_to(request.user).select_related("service", "requester", "cluster")
    found = page(rows, order=["-pk"], after=request.GET.get("after"), size=PAGE_SIZE)
    mark = stamp(*(part for row in found.items for part in (row.pk, row.changed_at)))
    if request.htmx and (nothing := unchanged(request, mark)):
        return nothing
    context = {
        "operations": found.items,
        "next_url": f"?after={found.next_after}" if found.next_after else "",
        "first_url": request.path if request.GET.get("after") else "",
        "after": request.GET.get("after", ""),
        "stamp": mark,
    }
    return render(request, "operations/list.html#live" if request.htmx else "operations/list.html", context)


@require_safe
@signed_in
def detail(request: Request, operation_id: int) -> HttpResponse:
    """Show one operation with its timeline; it refreshes itself until it has ended."""
    operation = _get(request, operation_id)
    cluster = operation.cluster
    concerns = list(operation.concerns.select_related("closed_by").order_by("pk"))
    moved = [part for each in concerns for part in (each.pk, each.closed_at)]
    changed, held = cluster.changed_at if cluster else None, operation.held  # type: ignore[attr-defined]  # annotated
    mark = stamp(operation.pk, operation.changed_at, changed, held, operation.overdue, *moved)
    if request.htmx and (nothing := unchanged(request, mark)):
        return nothing
    decision = decision_on(operation)
    change = decision.change if decision else None
    records = Records.of(operation, concerns)
    span = usual(operation)
    context = {
        "operation": operation,
        "change": change,
        "entries": timeline(operation, change, decision, records),
        "matters": [each for each in concerns if each.closed_at is None],
        "outcome": telling.outcome(operation, records.attempts, concerns),
        "evidence": telling.evidence(operation, records.attempts, records.actions),
        "usual": span,
        "share": _share(operation, span[1].total_seconds()) if span else None,
        "again": again.of_operation(request.user, operation),
        "doubted": any(map(in_doubt, concerns)),
        "loses_password": cancelling.loses_password(operation, concerns),
        "may_cancel": cancelling.in_time(operation, records.attempts)
        and not cancelling.why_not(operation, request.user),
        "may_reveal": operation.reveal_id is not None and not revealing.why_not(operation, request.user),
        "own_reveal": operation.requester_id == request.user.pk and operation.reveal_id is not None,
        "stamp": mark,
    }
    return render(request, "operations/detail.html#live" if request.htmx else "operations/detail.html", context)


def _share(operation: Operation, seconds: float) -> int | None:
    """How much of the usual time is over, in percent: never 100 before it has ended."""
    if operation.sent_at is None or operation.finished or seconds <= 0:
        return None
    return min(95, int(100 * (timezone.now() - operation.sent_at).total_seconds() / seconds))


@form_of("operation")
@signed_in
def cancel(request: Request, operation_id: int) -> HttpResponse:
    """Take an operation back that has not been sent."""
    operation = _get(request, operation_id)
    if why_not := cancelling.why_not(operation, request.user):
        _refuse("operation.cancel", operation, request.user, why_not)
    try:
        said = cancelling.cancel(operation, request.user, with_password="with_password" in request.POST)
    except cancelling.LosesPasswordError:
        return _not_done(request, operation, cancelling.LOSES)
    except LostRaceError:
        return _not_done(request, operation, cancelling.too_late(_get(request, operation_id)))
    messages.success(request, f"Cancelled: {operation.title}. {said}")
    return SeeOther(operation.get_absolute_url())


@form_of("operation")
@signed_in
def reveal(request: Request, operation_id: int) -> HttpResponse:
    """Show the generated password, once, after signing in again."""
    operation = _get(request, operation_id)
    why_not = revealing.why_not(operation, request.user)
    if operation.requester_id != request.user.pk:
        _refuse("password.reveal", operation, request.user, why_not)
    if why_not:
        return _not_done(request, operation, why_not)
    answer: HttpResponse = _reveal(request, operation)
    return answer


@reauthentication_required  # type: ignore[untyped-decorator]
@sensitive_variables("text")
def _reveal(request: Request, operation: Operation) -> HttpResponse:
    try:
        text = revealing.reveal(operation, request.user)
    except (LostRaceError, SealBroken):
        return _not_done(request, operation, "The password was shown already, or can no longer be opened.")
    return render(request, "operations/reveal.html", {"operation": operation, "password": text.reveal()})


def _refuse(verb: str, operation: Operation, user: User, why_not: str) -> NoReturn:
    record_refusal(
        verb,
        why=why_not,
        actor=user.email,
        actor_id=user.pk,
        subject_type="operation",
        subject_id=operation.pk,
        subject=operation.title,
        service_id=operation.service_id,
    )
    raise PermissionDenied(why_not)


def _not_done(request: Request, operation: Operation, words: str) -> HttpResponse:
    context = {"operation": operation, "words": words}
    return render(request, "operations/not_done.html", context, status=HTTPStatus.CONFLICT)


def _get(request: Request, operation_id: int) -> Operation:
    rows = Operation.objects.visible_to(request.user).told_overdue()
    holding = Case(When(state=State.QUEUED, then=Subquery(holds.in_force().values("why")[:1])))
    joined = rows.select_related("service", "cluster__service", "requester", "approver").annotate(held=holding)
    return get_object_or_404(joined, pk=operation_id)
