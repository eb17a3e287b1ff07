"""The request of a signed-in person, and the decorator that demands one."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django_htmx.middleware import HtmxDetails

from portal.accounts.models import User

P = ParamSpec("P")


class Request(HttpRequest):
    """A request of somebody who is signed in."""

    htmx: HtmxDetails
    user: User


def signed_in(
    view: Callable[Concatenate[Request, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Let only people who are signed in reach the view."""
    return cast("Callable[Concatenate[HttpRequest, P], HttpResponse]", login_required(view))  # type: ignore[arg-type]
