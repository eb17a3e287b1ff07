"""What a request is behind sign-in, for views and the type checker."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails

from portal.accounts.models import User

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)


class Request(HttpRequest):
    """A request of somebody who is signed in."""

    htmx: HtmxDetails
    user: User


def signed_in(view: Callable[Concatenate[Request, P], R]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Lead people who are not signed in to the sign-in page; the view then has a `Request`."""
    return login_required(view)  # type: ignore[return-value]
