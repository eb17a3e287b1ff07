"""What every answer of the portal has in common."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

GetResponse = Callable[[HttpRequest], HttpResponse]
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}


class Redirects:
    """Turn the redirect of an htmx request into one of the whole page.

    The browser follows a redirect by itself before htmx sees it, so a poll of somebody who was signed out would put the
    sign-in form into a box of the page. It must stand after HtmxMiddleware. Only addresses of this host are passed on.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 204 with HX-Redirect where the view answered an htmx request with a redirect."""
        response = self.get_response(request)
        htmx = HtmxDetails(request)
        if not htmx or response.status_code not in _REDIRECTS:
            return response
        target = response["Location"]
        if urlsplit(target).path == resolve_url(settings.LOGIN_URL):
            # One comes back to the page one was reading, not to the bare fragment that was refused.
            target = redirect_to_login(_safe(htmx.current_url_abs_path or "", request)).url
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": _safe(target, request)})


class NoStore:
    """Keep pages and fragments out of every cache; files under STATIC_URL have long lives of their own."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add `Cache-Control: no-store` and `Vary: HX-Request`."""
        response = self.get_response(request)
        if not request.path.startswith(str(settings.STATIC_URL)):
            response["Cache-Control"] = "no-store"
            patch_vary_headers(response, ["HX-Request"])
        return response


def _safe(url: str, request: HttpRequest) -> str:
    """Return the address if it leads to this host, otherwise that of the home page."""
    allowed = url_has_allowed_host_and_scheme(
        url,
        allowed_hosts={request.get_host()},
        require_https=request.is_secure(),
    )
    return url if allowed else resolve_url(settings.LOGIN_REDIRECT_URL)
