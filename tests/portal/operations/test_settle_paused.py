"""While ITCare cannot be asked at all, what is unclear waits as it is: no row is to blame, and none slows down."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from portal.operations import settle
from portal.operations.models import Concern, Operation
from portal.operations.states import State
from portal.upstream import circuit, pause
from portal.upstream.models import Pause
from tests.cast import Cast
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import answering, time_passes
from tests.portal.operations.needing import bare
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def both(cast: Cast) -> list[Operation]:
    """Two whose time has come: an unclear one, and one that was accepted without an id."""
    rows = [bare(cast), bare(cast, State.RUNNING, name="cluster00002", upstream_action_id=None, last_proof="accepted")]
    time_passes()
    return rows


def waiting() -> list[tuple[int, bool, bool]]:
    """Failures in a row, whether somebody holds it, and whether it waits for half a minute at least."""
    later = Operation.objects.filter(look_at__gt=Now() + timedelta(seconds=30))
    numbers = set(later.values_list("pk", flat=True))
    return [(row.failures, row.lease_until is not None, row.pk in numbers) for row in Operation.objects.order_by("pk")]


def paused() -> None:
    pause.hold("ITCare asks the portal to slow down.", seconds=60)


def shut() -> None:
    for _ in range(circuit.FAILURES):
        circuit.Circuit().reached("ITCare does not answer.")
    Pause.objects.update(until=Now() + timedelta(minutes=1))


@pytest.mark.parametrize("begin", [paused, shut])
def test_a_pause_and_a_circuit_that_is_open_end_the_pass(
    both: list[Operation], settings: Settings, begin: Callable[[], None]
) -> None:
    begin()
    with answering(settings) as api:
        assert (settle.settle(), api.received) == (1, [])
    assert waiting() == [(0, False, True)] * len(both)
    assert Concern.objects.count() == 0


def test_so_does_being_asked_to_slow_down_in_the_middle(both: list[Operation], settings: Settings) -> None:
    with answering(settings, answer(200, []), answer(429, Retry_After="40")) as api:
        assert settle.settle() == 2
        assert len(api.received) == 2
    # The first was looked at in vain; the call for the second is its own failure.
    assert [failures for failures, _, _ in waiting()] == [1, 1]
    assert waiting()[1] == (1, False, True)
    assert both[1].pk not in set(Operation.objects.due(State.RUNNING).values_list("pk", flat=True))


@pytest.mark.parametrize("begin", [paused, shut])
def test_what_needs_no_call_is_settled_all_the_same(
    both: list[Operation], cast: Cast, settings: Settings, begin: Callable[[], None]
) -> None:
    refused = bare(cast, name="cluster00003")
    refused.attempts.update(proof="refused", message="ITCare refused this.")
    unrecorded = row_of(cast, State.UNCLEAR, kind="resize", name="cluster00004")
    # Those that have to be asked about have waited longer.
    Operation.objects.filter(pk__in=[row.pk for row in both]).update(look_at=Now() - timedelta(hours=9))
    begin()
    with answering(settings) as api:
        assert (settle.settle(), api.received) == (3, [])
    assert list(Operation.objects.order_by("pk").values_list("state", flat=True)) == [
        *("unclear", "running", "failed", "unclear"),
    ]
    concern = Concern.objects.get()
    assert (concern.operation, concern.situation) == (unrecorded, "stuck")
    assert waiting()[:2] == [(0, False, True)] * 2


def test_a_person_is_told_of_each_when_that_lasts_too_long(both: list[Operation], settings: Settings) -> None:
    paused()
    Operation.objects.update(sent_at=Now() - timedelta(seconds=2 * settings.SETTLE_GRACE_SECONDS))
    settle.settle()
    told = Concern.objects.order_by("operation").values_list("operation", "situation")
    assert list(told) == [(row.pk, "unsettled") for row in both]
