"""Answers that Django has no class for."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

View = Callable[..., HttpResponseBase]


class SeeOther(HttpResponseRedirect):
    """What was asked for is done; what came of it is read at another address (RFC 9110, 303)."""

    status_code = HTTPStatus.SEE_OTHER


def form_of(page: str) -> Callable[[View], View]:
    """Let a view take the POST of a form that stands on a page, and nothing else.

    Who comes to its address without a form (back from the sign-in page, by a reload, with a copied address) is led to
    the page, where the form is; other methods are answered 405.

    Args:
        page: the name of the page's address; it takes the same arguments as the view.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401 - any view's
            if request.method == "POST":
                return view(request, *args, **kwargs)
            if request.method in {"GET", "HEAD"}:
                return SeeOther(reverse(page, args=args, kwargs=kwargs))
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

        return answer

    return decorate
