"""A short audit log, and the file that its head was published to."""

from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import Settings

from portal.audit import heads
from portal.audit.record import record


@pytest.fixture
def five_entries(transactional_db: None) -> None:
    for number in range(1, 6):
        with transaction.atomic():
            record("thing.done", actor="a@b.fr", subject_type="thing", subject_id=number, subject=f"thing {number}")


@pytest.fixture
def file(five_entries: None, tmp_path: Path, settings: Settings) -> Path:
    """Return the file of heads, which knows the five entries."""
    settings.AUDIT_HEADS_FILE = str(tmp_path / "heads")
    heads.publish()
    return tmp_path / "heads"
