"""The moment of a restore: every spelling is either understood or refused with a sentence, and nothing is guessed."""

from datetime import UTC, datetime

import pytest
import time_machine

from portal.changes.models import Change
from portal.inventory.models import Cluster, Service
from tests.browsing import Silent
from tests.browsing import silent_itcare as silent_itcare  # noqa: PLC0414 - a fixture
from tests.cast import Cast, cluster
from tests.markup import Element, at_field
from tests.portal.catalog.asking import Values, address, ask, asked, opened, production

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
# In Europe/Paris clocks go from 3 back to 2 on 25 October 2026, and from 2 on to 3 on 29 March 2026.
AFTER_AUTUMN, AFTER_SPRING = datetime(2026, 10, 26, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC)
NO_MOMENT = "This is no moment: give day and time, such as 2026-11-02 09:32:02."
NO_TIME = "Give the time of that day too, such as 2026-11-02 09:32:02."
TOO_FAR = "This moment is out of all reach: give day and time, such as 2026-11-02 09:32:02."
LONG_AGO = "This is more than 7 days ago: the backup does not reach that far."
TO_COME = "This moment has not come yet."


def over(service: Service) -> Cluster:
    """A cluster that is restored from its own backup."""
    return cluster(service, 1, backup_status=True, read_at=datetime.now(UTC))


def filled(row: Cluster, timestamp: str, zone: str | None = None) -> Values:
    """A form that gives this moment."""
    values: Values = {"source_id": str(row.upstream_id), "stop": "BEFORE", "timestamp": timestamp}
    return values if zone is None else {**values, "timestamp_zone": zone}


def shown(page: Element) -> tuple[str, str]:
    """What stands in the two fields of the moment."""
    field = page.one("input", name="timestamp").attributes.get("value", "")
    options = page.one("select", name="timestamp_zone").all("option")
    (chosen,) = [option for option in options if "selected" in option.attributes]
    return field, chosen.attributes["value"]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("0001-01-01T00:00:00", TOO_FAR),
        ("9999-12-31T23:59:59-14:00", TOO_FAR),
        ("0001-01-01T00:00:00+14:00", TOO_FAR),
        ("0001-01-01T00:00:00Z", LONG_AGO),
        ("9999-12-31T23:59:59Z", TO_COME),
        ("9999-12-31T23:59:59", TO_COME),
        ("0001-01-01", NO_TIME),
        ("2026-11-20", NO_TIME),
        ("2026-W48-1", NO_MOMENT),
        ("20261120T100000", NO_MOMENT),
        ("2026-11-20T10", NO_MOMENT),
        ("2026-11-20T24:00:00", NO_MOMENT),
        ("2026-11-20T10:00:60", NO_MOMENT),
        ("2026-11-20T10:00:00+25:00", NO_MOMENT),
        ("2026-11-20T10:00:00 Europe/Paris", NO_MOMENT),
        ("0000-01-01T00:00:00", NO_MOMENT),
        ("1764072000", NO_MOMENT),
        ("\u0662\u0660\u0662\u0666-11-20T10:00:00", NO_MOMENT),
        ("2" * 61, NO_MOMENT),
        ("tomorrow", NO_MOMENT),
    ],
)
def test_what_is_no_moment_of_a_backup_has_a_sentence_at_the_field(
    cast: Cast, silent_itcare: Silent, typed: str, sentence: str
) -> None:
    with time_machine.travel(NOW, tick=True):
        row = over(cast.service)
        answer = ask(cast.developer, "restore", row, filled(row, typed))
    assert (answer.status, at_field(answer.page, "timestamp")) == (422, sentence)
    assert Change.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "zone", "meant"),
    [
        ("2026-11-25T10:30:00+02:00", None, "2026-11-25T08:30:00.000+00:00"),
        ("2026-11-25T08:30:00Z", None, "2026-11-25T08:30:00.000+00:00"),
        ("2026-11-25 08:30:00 UTC", None, "2026-11-25T08:30:00.000+00:00"),
        ("2026-11-25 03:30:00 -0500", None, "2026-11-25T08:30:00.000+00:00"),
        ("2026-11-25T03:30:00.250-05", None, "2026-11-25T08:30:00.250+00:00"),
        ("2026-11-25T09:30", None, "2026-11-25T08:30:00.000+00:00"),
        ("2026-11-25T09:30", "", "2026-11-25T08:30:00.000+00:00"),
        ("2026-11-25T09:30:00", "+00:00", "2026-11-25T09:30:00.000+00:00"),
        ("2026-11-25T03:30:00", "-05:00", "2026-11-25T08:30:00.000+00:00"),
        # Its own offset counts.
        ("2026-11-25T03:30:00-05:00", "+00:00", "2026-11-25T08:30:00.000+00:00"),
    ],
)
def test_each_spelling_means_one_moment(
    cast: Cast, silent_itcare: Silent, typed: str, zone: str | None, meant: str
) -> None:
    with time_machine.travel(NOW, tick=True):
        row = over(cast.service)
        change = asked(cast.developer, "restore", row, filled(row, typed, zone))
    assert change.parameters["timestamp"] == meant
    assert "timestamp_zone" not in change.parameters


def test_an_hour_that_comes_twice_needs_its_offset(cast: Cast, silent_itcare: Silent) -> None:
    with time_machine.travel(AFTER_AUTUMN, tick=True):
        row = over(cast.service)
        answer = ask(cast.developer, "restore", row, filled(row, "2026-10-25T02:30:00"))
        twice = "In Europe/Paris this hour comes twice on that day: choose its offset from UTC, +02:00 or +01:00."
        assert (answer.status, at_field(answer.page, "timestamp")) == (422, twice)
        zones = [
            option.attributes["value"] for option in answer.page.one("select", name="timestamp_zone").all("option")
        ]
        assert (zones, shown(answer.page)) == (["", "+00:00", "+01:00", "+02:00"], ("2026-10-25T02:30:00", ""))
        change = asked(cast.developer, "restore", row, filled(row, "2026-10-25T02:30:00", "+01:00"))
        assert change.parameters["timestamp"] == "2026-10-25T01:30:00.000+00:00"
        assert [new["new"] for new in change.shown if new["label"] == "Replayed to"] == [
            "just before 25 Oct 2026, 02:30:00 CET, 2026-10-25 01:30:00 UTC"
        ]
        Change.objects.update(state="withdrawn", ended_at=datetime.now(UTC))
        page = opened(cast.developer, f"{address('restore', row)}&again_change={change.pk}").page
        assert shown(page) == ("2026-10-25T02:30:00", "+01:00")


def test_an_hour_that_is_left_out_is_told(cast: Cast, silent_itcare: Silent) -> None:
    with time_machine.travel(AFTER_SPRING, tick=True):
        row = over(cast.service)
        answer = ask(cast.developer, "restore", row, filled(row, "2026-03-29T02:30:00"))
        never = "In Europe/Paris this hour is left out on that day: choose another one, or its offset from UTC."
        assert (answer.status, at_field(answer.page, "timestamp")) == (422, never)


def test_what_the_browser_could_not_settle_is_asked_for_in_the_readers_zone(cast: Cast, silent_itcare: Silent) -> None:
    with time_machine.travel(NOW, tick=True):
        row = over(cast.service)
        answer = ask(cast.developer, "restore", row, filled(row, "2026-11-25T01:30:00", "reader"))
    words = "This hour comes twice in your time zone, or never: choose its offset from UTC."
    assert (answer.status, at_field(answer.page, "timestamp")) == (422, words)
    assert shown(answer.page) == ("2026-11-25T01:30:00", "")
    assert len([box for box in answer.page.all("div") if "data-own" in box.attributes]) == 1


def test_a_form_with_a_mistake_keeps_the_moment_with_its_offset(cast: Cast, silent_itcare: Silent) -> None:
    with time_machine.travel(NOW, tick=True):
        row = over(cast.service)
        values = filled(row, "2026-11-25T03:30:00-05:00", "")
        answer = ask(cast.developer, "restore", row, {**values, "reason": ""})
    assert (answer.status, shown(answer.page)) == (422, ("2026-11-25T03:30:00", "-05:00"))


@pytest.mark.parametrize(("in_production", "days"), [(False, 7), (True, 14)])
def test_the_picker_cannot_leave_the_window_and_says_its_zone_and_utc(
    cast: Cast, silent_itcare: Silent, *, in_production: bool, days: int
) -> None:
    with time_machine.travel(NOW, tick=False):
        row = over(production(cast) if in_production else cast.service)
        page = opened(cast.developer, address("restore", row)).page
    field = page.one("input", name="timestamp").attributes
    first = 25 - days
    assert (field["type"], field["min"], field["max"]) == (
        "datetime-local",
        f"2026-11-{first}T13:00:00",
        "2026-11-25T13:00:00",
    )
    (box,) = [each for each in page.all("div") if "data-moment" in each.attributes]
    assert box.attributes["data-days"] == str(days)
    assert [option.text for option in box.all("option")] == ["Europe/Paris, the portal's", "UTC"]
    narrower = " A source that is not in production goes back 7 days only." if in_production else ""
    assert at_field(page, "timestamp", "helptext") == (
        "In the time of Europe/Paris, unless another zone is chosen. "
        f"From {first} Nov 2026, 13:00:00 (2026-11-{first} 12:00:00 UTC) "
        f"to 25 Nov 2026, 13:00:00 (2026-11-25 12:00:00 UTC).{narrower}"
    )
