"""What tests of pages begin with."""

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from portal.operations.models import Action, Attempt, Concern, Situation
from tests.cast import Cast, cluster
from tests.portal.operations.needing import bare, concern_of, grace_passes


@pytest.fixture
def concern(cast: Cast) -> Concern:
    """An unclear resize of team alpha, past its grace period, for which two actions may be the ones."""
    there = cluster(cast.service, 1, read_at=timezone.now())
    row = bare(cast, cluster=there, name=there.name, title="Resize cluster00001 to 4 CPU, 8 GB")
    grace_passes(row)
    Attempt.objects.update(http_status=500, correlation_id="correlation-7", watermark_at=Now(), message="Oops, it said")
    actions = [
        Action.objects.create(
            upstream_id=number,
            process="POSTGRESQL_RESIZE",
            status="IN_PROGRESS",
            submitted_by="someone",
            resource_name=there.name,
        )
        for number in (201, 202)
    ]
    return concern_of(row, *actions, situation=Situation.SEVERAL_FIT)
