"""Pages for the browser tests: the components, and a fragment that refreshes itself from a number that tests set."""

from dataclasses import dataclass, field
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import include, path
from django_htmx.middleware import HtmxDetails

from portal.web.components_page import LOOKS, components
from portal.web.live import stamp, unchanged


@dataclass
class Subject:
    """What the live page shows, and how often it was asked."""

    number: int = 0
    status: int = HTTPStatus.OK
    asked: list[str] = field(default_factory=list)


SUBJECT = Subject()
LAST = 3

FRAGMENT = Template(
    """{% load portal %}<section id="live" data-number="{{ number }}"
    {% if running %}hx-get="/live/?seen={{ seen }}" hx-trigger="every 100ms" hx-swap="outerHTML"{% endif %}>
    {% status look id="subject" about="The thing" %} <a href="#more">A link</a>
    <details><summary>More</summary><p>Within</p></details></section>"""
)
PAGE = Template(
    '{% extends "base.html" %}{% block title %}Live{% endblock %}'
    "{% block content %}<h1>Live</h1>{{ fragment }}{% endblock %}"
)


def live(request: HttpRequest) -> HttpResponse:
    """Show the subject, as a page or as its fragment."""
    htmx = HtmxDetails(request)
    if htmx:
        SUBJECT.asked.append(request.GET["seen"])
        if SUBJECT.status != HTTPStatus.OK:
            return HttpResponse("<p>never shown</p>", status=SUBJECT.status)
    seen = stamp(SUBJECT.number)
    if htmx and (nothing := unchanged(request, seen)):
        return nothing
    number = SUBJECT.number
    context = {"number": number, "running": number < LAST, "seen": seen, "look": LOOKS[number]}
    fragment = FRAGMENT.render(RequestContext(request, context))
    return HttpResponse(fragment if htmx else PAGE.render(RequestContext(request, {"fragment": fragment})))


urlpatterns = [
    path("components/", components),
    path("live/", live),
    path("", include("portal.urls")),
]
