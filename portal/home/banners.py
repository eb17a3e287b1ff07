"""What stands above every page, for a page that is open: it looks now and then (static/js/live.js)."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts.http import Request, signed_in
from portal.home.shell import shell
from portal.web.live import unchanged


@require_safe
@signed_in
def banners(request: Request) -> HttpResponse:
    """Show the banners alone; nothing comes while they are as they were."""
    frame = shell(request)
    mark: str = frame["banners_seen"]()
    if nothing := unchanged(request, mark):
        return nothing
    return render(request, "home/banners.html", {"banners": frame["banners"](), "banners_seen": mark})
