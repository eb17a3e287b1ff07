"""What Django calls a bad request, told as what it is. A connection really cut: tests/faults/test_connections.py."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.middleware import SessionMiddleware
from django.contrib.sessions.models import Session
from django.core.exceptions import BadRequest
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Page


def answered(view: Callable[[HttpRequest], Any], request: HttpRequest) -> HttpResponse:
    """What Django makes of what the view answers or raises."""
    answer = convert_exception_to_response(view)(request)
    assert isinstance(answer, HttpResponse)
    return answer


@pytest.mark.django_db
def test_a_session_that_ended_meanwhile_is_told_as_that(cast: Cast) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.session["seen"] = True
        Session.objects.all().delete()
        return HttpResponse("Done.")

    cookies = signed_in(cast.developer).cookies
    request = RequestFactory(headers={"Cookie": cookies.output(header="", sep=";")}).get("/")
    answer = answered(SessionMiddleware(view), request)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Session")
    page = Page.of(answer.content).one("main")
    assert page.one("h1").text == "You were signed out meanwhile"


def test_what_really_is_one_stays_one() -> None:
    def view(_request: HttpRequest) -> HttpResponse:
        raise BadRequest

    answer = answered(view, RequestFactory().get("/"))
    assert (answer.status_code, Page.of(answer.content).one("h1").text) == (400, "Bad request")
