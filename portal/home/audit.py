"""The audit page: who did what, when, to what; each person sees what concerns their services."""

from typing import Final
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts import rights
from portal.accounts.http import Request, signed_in
from portal.audit.models import Entry
from portal.home.verbs import words_of
from portal.inventory.models import Service
from portal.web.paging import page

PAGE_SIZE: Final = 50


@require_safe
@signed_in
def audit(request: Request) -> HttpResponse:
    """List the entries that the person may see, the newest first; ``q`` searches actor and subject."""
    query = request.GET.get("q", "").strip()[:100].replace("\0", "")
    rows = Entry.objects.all()
    if not rights.reads_everything(request.user):
        services = Service.objects.visible_to(request.user)
        # A draft is its author's alone until it is filed, and stays so if it never is.
        unfiled = Q(verb="change.draft") | Q(verb__in=["change.withdrawn", "change.expired"], detail__from="draft")
        rows = rows.filter(service_id__in=services.values("pk")).exclude(unfiled)
    if query:
        rows = rows.filter(subject__icontains=query) | rows.filter(actor__icontains=query)
    found = page(rows, order=["-number"], after=request.GET.get("after"), size=PAGE_SIZE)
    context = {
        "entries": [(entry, words_of(entry.verb)) for entry in found.items],
        "query": query,
        "next_url": "?" + urlencode({"q": query, "after": found.next_after}) if found.next_after else "",
        "first_url": "?" + urlencode({"q": query}) if request.GET.get("after") else "",
    }
    return render(request, "audit/list.html", context)
