"""What a request is behind sign-in, for views and the type checker."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django_htmx.middleware import HtmxDetails

from portal.accounts.models import User

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)


class Request(HttpRequest):
    """A request of somebody who is signed in."""

    htmx: HtmxDetails
    user: User


def signed_in(view: Callable[Concatenate[Request, P], R]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Lead people who are not signed in to the sign-in page, and then back; the view then has a `Request`."""
    guarded = cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", login_required(cast("Any", view)))

    @wraps(view)
    def lead(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.method == "POST" and not request.user.is_authenticated:
            return redirect_to_login(_page_behind(request))
        return guarded(request, *args, **kwargs)

    return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", lead)


def _page_behind(request: HttpRequest) -> str:
    """The page that a form stood on, with its query: the address it was sent to may answer nothing but a POST."""
    page = urlsplit(request.headers.get("Referer", ""))
    if page.netloc != request.get_host() or not page.path:
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    return f"{page.path}?{page.query}" if page.query else page.path
