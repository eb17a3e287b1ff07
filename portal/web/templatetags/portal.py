"""The template tags of every page: `{% load portal %}`."""

from datetime import date, datetime, timedelta
from functools import cache

from django import template
from django.forms import BaseForm, BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

from portal.web import times
from portal.web.looks import Look

register = template.Library()

_DURATION = "PT{}S"


@register.simple_tag
@cache
def icon(name: str, *, turn: bool = False) -> SafeString:
    """Return the lucide icon of that name as inline SVG that screen readers skip.

    It raises IconDoesNotExist for a name that lucide does not have.
    """
    classes = "icon turn" if turn else "icon"
    return mark_safe(lucide(name + "", size=None, **{"class": classes, "aria-hidden": "true"}))  # noqa: S308 - no input but a name that must exist


@register.simple_tag
def status(look: Look, *, id: str = "", about: str = "") -> SafeString:  # noqa: A002 - the name of the HTML attribute
    """Show a state by word, icon and colour.

    With an id, a change of the word inside a live fragment is announced, as "about: word".
    """
    named = format_html(' id="{}" data-about="{}"', id, about) if id else ""
    tip = format_html(' title="{}"', look.tip) if look.tip else ""
    heard = format_html('<span class="quiet-label">: {}</span>', look.tip) if look.tip else ""
    return format_html(
        '<span class="status {}"{}{}>{}<span class="word">{}</span>{}</span>',
        look.tone,
        named,
        tip,
        icon(look.icon, turn=look.icon.startswith("loader")),
        look.word,
        heard,
    )


@register.simple_tag
def moment(at: datetime | date | None, style: str = "short") -> SafeString:
    """Show a time with the exact instant in UTC on hover.

    `style` is "short" (day and time) or "clock" (time with seconds, where the page makes the day clear), both put into
    the reader's own zone by the browser, or "day" in the portal's zone. Nothing is shown for None.
    """
    if not at:  # a missing variable of a template is an empty text
        return mark_safe("")
    if not isinstance(at, datetime):
        return format_html('<time datetime="{}">{} {}</time>', at.isoformat(), at.day, f"{at:%b %Y}")
    local = timezone.localtime(at)
    if style == "day":
        day = f"{local.day} {local:%b %Y}"
        return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), times.exact(at), day)
    words = f"{local:%H:%M:%S}" if style == "clock" else times.short(at, timezone.now())
    return format_html(
        '<time datetime="{}" title="{}" data-local="{}">{}</time>',
        at.isoformat(),
        times.exact(at),
        style,
        words,
    )


@register.simple_tag
def ago(at: datetime | None) -> SafeString:
    """Show how long ago (or how far ahead) a time is; it ticks in the browser. Nothing is shown for None."""
    if not at:
        return mark_safe("")
    return format_html(
        '<time datetime="{0}" title="{1}" data-since="{0}">{2}</time>',
        at.isoformat(),
        times.exact(at),
        times.distance(at, timezone.now()),
    )


@register.simple_tag
def took(start: datetime | None, end: datetime | None = None) -> SafeString:
    """Show the time between start and end; without an end it is the time until now, and ticks in the browser."""
    if not start:
        return mark_safe("")
    span = (end or timezone.now()) - start
    ticking = format_html(' data-since="{}" data-took', start.isoformat()) if end is None else ""
    return format_html(
        '<time datetime="{}"{}>{}</time>',
        _DURATION.format(max(0, int(span.total_seconds()))),
        ticking,
        times.length(span),
    )


@register.filter
def gb(size: float | None) -> str:
    """Write a size in gigabytes: "40 GB", or a dash when it is not known."""
    return "\N{EN DASH}" if size is None else f"{size:g}\N{NO-BREAK SPACE}GB"


@register.simple_tag
def field(bound: BoundField) -> SafeString:
    """Show a form field with everything that belongs to it: label, hint, warning and error."""
    return bound.as_field_group()


@register.filter
def wrong_fields(form: BaseForm) -> list[BoundField]:
    """Return the visible fields of a form that have errors, in the order of the form."""
    return [bound for bound in form.visible_fields() if bound.errors]


@register.filter
def span(length: timedelta) -> str:
    """Write a length of time: "4 min 10 s"."""
    return times.length(length)
