import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.template import Context, Template
from django.utils import timezone
from lucide import IconDoesNotExist

from portal.web.looks import Look

AT = datetime(2025, 11, 12, 9, 14, 3, tzinfo=UTC)
ISO, EXACT = "2025-11-12T09:14:03+00:00", "2025-11-12 09:14:03 UTC"


def shown(source: str, **context: object) -> str:
    return Template("{% load portal %}" + source).render(Context(context))


def without_icon(html: str) -> str:
    return re.sub(r"<svg.*?</svg>", "[icon]", html, flags=re.DOTALL)


def test_an_icon_is_skipped_by_screen_readers() -> None:
    html = shown('{% icon "check" %}')
    assert html.startswith("<svg")
    assert re.findall(r'(?:class|aria-hidden)="[^"]*"', html) == ['class="icon"', 'aria-hidden="true"']


def test_an_unknown_icon_is_a_mistake() -> None:
    with pytest.raises(IconDoesNotExist):
        shown("{% icon name %}", name="../../etc/passwd")


def test_a_status_is_word_icon_and_tone_together() -> None:
    assert without_icon(shown("{% status look %}", look=Look("Ready", "check", "good"))) == (
        '<span class="status good">[icon]<span class="word">Ready</span></span>'
    )


def test_a_status_that_is_announced_says_what_it_is_about() -> None:
    html = shown('{% status look id="thing-4" about=name %}', look=Look("Ready", "check", "good"), name='<b>"x"')
    assert without_icon(html) == (
        '<span class="status good" id="thing-4" data-about="&lt;b&gt;&quot;x&quot;">'
        '[icon]<span class="word">Ready</span></span>'
    )


def test_what_a_status_adds_on_hover_is_also_read_out() -> None:
    html = shown("{% status look %}", look=Look("<i>", "loader-circle", "busy", tip='"why" & what'))
    assert 'class="icon turn"' in html
    assert without_icon(html) == (
        '<span class="status busy" title="&quot;why&quot; &amp; what">[icon]<span class="word">&lt;i&gt;</span>'
        '<span class="quiet-label">: &quot;why&quot; &amp; what</span></span>'
    )


@pytest.mark.parametrize(
    ("tag", "html"),
    [
        (
            "{% moment at %}",
            f'<time datetime="{ISO}" title="{EXACT}" data-local="short">12 Nov 2025, 10:14</time>',
        ),
        (
            '{% moment at "clock" %}',
            f'<time datetime="{ISO}" title="{EXACT}" data-local="clock">10:14:03</time>',
        ),
        (
            '{% moment at "day" %}',
            f'<time datetime="{ISO}" title="{EXACT}">12 Nov 2025</time>',
        ),
    ],
)
def test_a_moment(tag: str, html: str) -> None:
    assert shown(tag, at=AT) == html


def test_a_date_has_no_zone() -> None:
    assert shown("{% moment at %}", at=date(2028, 11, 9)) == '<time datetime="2028-11-09">9 Nov 2028</time>'


@pytest.mark.parametrize("tag", ["{% moment at %}", "{% ago at %}", "{% took at %}", "{% moment nothing.at %}"])
def test_a_time_that_is_not_known_leaves_nothing(tag: str) -> None:
    assert shown(tag, at=None) == ""


def test_how_long_ago_ticks() -> None:
    at = timezone.now() - timedelta(minutes=2, seconds=1)
    html = shown("{% ago at %}", at=at)
    assert re.sub(r' title="[^"]*"', "", html) == (
        f'<time datetime="{at.isoformat()}" data-since="{at.isoformat()}">2 min ago</time>'
    )


def test_what_took_its_time_stands_still_and_what_runs_ticks() -> None:
    ended = shown("{% took start end %}", start=AT, end=AT + timedelta(seconds=130))
    assert ended == '<time datetime="PT130S">2 min 10 s</time>'
    start = timezone.now() - timedelta(hours=2)
    assert shown("{% took start %}", start=start) == (
        f'<time datetime="PT7200S" data-since="{start.isoformat()}" data-took>2 h</time>'
    )


def test_sizes() -> None:
    assert [shown("{{ size|gb }}", size=size) for size in (40, 0.5, 0, None)] == [
        "40\xa0GB",
        "0.5\xa0GB",
        "0\xa0GB",
        "\N{EN DASH}",
    ]
