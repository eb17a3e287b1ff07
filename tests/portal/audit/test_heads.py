"""The head leaves the database, and tells when the log no longer holds the one before."""

import json
import logging
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import Settings

from portal.audit import heads
from portal.audit.models import Entry
from portal.audit.record import record
from tests.portal.audit.tampering import tamper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("five_entries")]


def test_a_head_is_published_once_for_each_newest_entry(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "portal.audit.heads")
    heads.publish()
    last = Entry.objects.get(number=5)
    assert caplog.messages == [f"audit head number=5 count=5 hash={last.hash}"]
    with transaction.atomic():
        newest = record("thing.done", actor="a@b.fr", subject_type="thing", subject_id=6, subject="thing 6")
    heads.publish()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["number"], line["count"], line["hash"]) for line in lines] == [
        (5, 5, last.hash),
        (6, 6, newest.hash),
    ]


def test_without_a_file_the_head_goes_to_the_log(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.AUDIT_HEADS_FILE = ""
    caplog.set_level(logging.INFO, "portal.audit.heads")
    heads.publish()
    assert caplog.messages == [f"audit head number=5 count=5 hash={Entry.objects.get(number=5).hash}"]


def test_an_empty_log_has_no_head(settings: Settings, tmp_path: Path) -> None:
    tamper("DELETE FROM audit_entry")
    settings.AUDIT_HEADS_FILE = str(tmp_path / "heads")
    heads.publish()
    assert not (tmp_path / "heads").exists()


@pytest.mark.parametrize("statement", ["DELETE FROM audit_entry WHERE number = 5", "DELETE FROM audit_entry"])
def test_publishing_says_when_the_last_head_is_gone_and_goes_on_saying_it(
    file: Path, caplog: pytest.LogCaptureFixture, statement: str
) -> None:
    last, before = Entry.objects.get(number=5), file.read_text()
    tamper(statement)
    if "WHERE" in statement:
        with transaction.atomic():
            record("thing.done", actor="a@b.fr", subject_type="thing", subject_id=6, subject="another fifth")
    heads.publish()
    heads.publish()
    assert caplog.messages == [f"The audit log was altered: entry 5, published as {last.hash}, is not in it."] * 2
    assert file.read_text() == before


def test_publishing_says_when_entries_are_missing_in_the_middle(caplog: pytest.LogCaptureFixture) -> None:
    tamper("DELETE FROM audit_entry WHERE number = 2")
    heads.publish()
    assert caplog.messages == ["The audit log was altered: its entry 5 is only the 4. one."]
