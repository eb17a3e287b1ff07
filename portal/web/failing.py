"""Pages for what failed after a view had answered."""

from http import HTTPStatus

from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django calls a bad request: also a session that could not be saved, which is nobody's fault.

    htmx puts neither page into the one that is open, and says there what to do (`live.js`).
    """
    if not isinstance(exception, SessionInterrupted):
        return defaults.bad_request(request, exception)
    if _lost_the_database(exception):
        return HttpResponse(render_to_string("503.html"), status=HTTPStatus.SERVICE_UNAVAILABLE)
    # Not 409: a page that is open takes that for somebody who was faster. A 401 has to name a way to sign in.
    return HttpResponse(
        render_to_string("401.html"), status=HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Session"}
    )


def _lost_the_database(exception: BaseException) -> bool:
    """Whether PostgreSQL, or the way to it, failed: otherwise there was no such session any more.

    Django raises the same in both cases; only a failure has an error of psycopg's as its cause.
    """
    error: BaseException | None = exception
    while error is not None and not isinstance(error, DatabaseError):
        error = error.__context__
    return error is not None and error.__cause__ is not None
