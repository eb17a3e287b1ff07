"""The form of a request: shown, taken, kept as a draft or filed at once."""

import re
import uuid
from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal.accounts.http import Request, signed_in
from portal.accounts.models import User
from portal.audit.record import record_refusal
from portal.catalog.base import Kind, KindForm
from portal.catalog.kinds import KINDS
from portal.catalog.on_cluster import ClusterKind
from portal.changes import again, policy, submit
from portal.changes.models import Change, State
from portal.changes.views import file_draft, get_change, see
from portal.inventory.models import Cluster, Service
from portal.inventory.refresh import refresh
from portal.operations.models import Operation
from portal.operations.start import busy
from portal.operations.states import LostRaceError
from portal.web.answers import SeeOther


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
        return see(draft)
    origin = draft or _again(request, entry)
    cluster = _cluster(request, entry, origin)
    if request.method == "POST":
        return _take(request, entry, draft, cluster, token)
    if cluster:
        # What the form offers, and whether it is offered, rests on what was read: a link to it is opened days later.
        refresh(cluster)
        if why_not := _not_now(entry, cluster, request.user):
            return render(request, "changes/not_now.html", {"kind": entry, "cluster": cluster, "why_not": why_not})
    form = entry.form(user=request.user, cluster=cluster, initial=again.values(origin) if origin else None)
    return _form_page(request, entry, form, draft, token)


def _cluster(request: Request, entry: Kind, origin: Change | Operation | None) -> Cluster | None:
    """The cluster that is asked about, of a service that the person may ask for; None for a kind that makes one."""
    if not entry.on_cluster:
        return None
    number = request.GET.get("cluster") or request.POST.get("cluster") or str(origin.cluster_id if origin else "")
    if not re.fullmatch(r"[0-9]{1,18}", number):
        raise Http404
    rows = Cluster.objects.visible_to(request.user).select_related("service")
    cluster = get_object_or_404(rows, pk=int(number))
    if not Service.objects.askable_by(request.user).filter(clusters=cluster).exists():
        message = "Only developers of the service's team can ask for this."
        raise PermissionDenied(message)
    return cluster


def _again(request: Request, entry: Kind) -> Operation | Change | None:
    """The operation, or the change that never became one, whose values are asked for once more, if one is named."""
    if number := _number(request, "again"):
        return get_object_or_404(Operation.objects.visible_to(request.user), pk=number, kind=entry.name)
    if number := _number(request, "again_change"):
        return get_object_or_404(Change.objects.visible_to(request.user), pk=number, kind=entry.name)
    return None


def _number(request: Request, name: str) -> int | None:
    digits = request.GET.get(name, "")
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else None


def _not_now(entry: Kind, cluster: Cluster, asker: User) -> str:
    """Why the person cannot ask this of the cluster now, whatever is typed."""
    return entry.not_now(cluster, asker) if isinstance(entry, ClusterKind) else ""


def _take(
    request: Request, entry: Kind, draft: Change | None, cluster: Cluster | None, token: uuid.UUID
) -> HttpResponse:
    form = entry.form(request.POST, user=request.user, cluster=cluster)
    if not _fits(entry, form):
        return _form_page(request, entry, form, draft, token, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        change = submit.save_draft(
            user=request.user, kind=entry, form=form, form_token=token, cluster=cluster, draft=draft
        )
    except LostRaceError:
        messages.error(request, "This draft was filed meanwhile; what you typed now was not added to it.")
        return see(draft) if draft else SeeOther(reverse("changes"))
    if request.POST.get("send") != "now":
        return see(change)
    return file_draft(request, change)


def _sent_before(request: Request, entry: Kind, earlier: Change) -> HttpResponse:
    """Lead to what the form has led to before; tell somebody who has changed it since that this changed nothing."""
    form = entry.form(request.POST, user=request.user, cluster=earlier.cluster)
    if form.is_valid() and (form.parameters, form.cleaned_data["reason"]) != (earlier.parameters, earlier.why):
        messages.warning(request, "This form was sent before and led to this request; what was sent now is not in it.")
    return see(earlier)


def _fits(entry: Kind, form: KindForm) -> bool:
    """Whether the form is valid, and nothing stands in its way: what does is said beside what was typed."""
    valid = form.is_valid()
    if form.cluster and (why_not := _not_now(entry, form.cluster, form.user)):
        form.add_error(None, f"This cannot be asked now. {why_not}")
        return False
    if not valid:
        return False
    name, _ = entry.target(form.parameters, form.cluster)
    if sentence := busy(name=name, cluster=form.cluster):
        form.add_error("name" if "name" in form.fields else None, sentence)
    if form.cluster and form.cluster.service:
        for words in entry.broken(form.parameters, form.cluster, form.cluster.service):
            form.add_error(None, words)
    return form.is_valid()


def _draft(request: Request) -> Change | None:
    """The draft that the form is to replace, if the address or the form names one; it may have been filed meanwhile."""
    number = request.POST.get("draft") or request.GET.get("draft")
    if not number:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", number):
        raise Http404
    return get_change(request, int(number))


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
    context = {"kind": entry, "form": form, "cluster": form.cluster, "draft": draft, "form_token": token}
    template = "changes/new.html" if entry.on_cluster else f"changes/new_{entry.name}.html"
    return render(request, template, context, status=status)
