"""Fragments that refresh themselves: the stamp says what a fragment shows, so that nothing is sent when nothing moved.

An ETag cannot do this: with `no-store` the browser never asks conditionally.
"""

import hashlib
from datetime import datetime
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse


def stamp(*parts: str | int | datetime | None) -> str:
    """Return a short mark of what a fragment shows.

    Make it of the versions or times of the rows behind the fragment and not of its text, which holds a CSRF token
    that is masked anew in each answer.
    """
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def unchanged(request: HttpRequest, current: str) -> HttpResponse | None:
    """Return the empty answer (204, nothing is swapped) if the browser already shows `current`, otherwise None."""
    if request.GET.get("seen") == current:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return None
