"""The home page: what waits for me, what is running, what is mine."""

from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts.http import Request, signed_in
from portal.changes import policy, queries
from portal.operations.models import Operation
from portal.web.live import stamp, unchanged

LINES: Final = 10


@require_safe
@signed_in
def home(request: Request) -> HttpResponse:
    """Show the three lists; they refresh themselves."""
    waiting = list(queries.waiting_for(request.user)[:LINES])
    unfinished = Operation.objects.visible_to(request.user).unfinished()
    running = list(unfinished.select_related("service", "requester", "cluster").order_by("-pk")[:LINES])
    mine = list(queries.mine(request.user)[:LINES])
    operations = [*running, *(change.operation for change in mine if change.operation)]
    changes = [*waiting, *mine]
    mark = stamp(
        *(part for change in changes for part in (change.pk, change.changed_at)),
        "operations",
        *(part for operation in operations for part in (operation.pk, operation.changed_at)),
    )
    if request.htmx and (nothing := unchanged(request, mark)):
        return nothing
    context = {
        "waiting": waiting,
        "running": running,
        "mine": mine,
        "stamp": mark,
        "may_ask": not policy.why_not_ask(request.user),
    }
    return render(request, "home/home.html#live" if request.htmx else "home/home.html", context)
