"""Answers that Django has no class for."""

from http import HTTPStatus

from django.http import HttpResponseRedirect


class SeeOther(HttpResponseRedirect):
    """What was asked for is done; what came of it is read at another address (RFC 9110, 303)."""

    status_code = HTTPStatus.SEE_OTHER
