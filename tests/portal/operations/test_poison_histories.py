"""Reading the histories that somebody waits for goes past one that cannot be kept; its cluster's page says so."""

import signal
import socket
import threading

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone
from pytest_django import Settings

from portal.inventory.models import Part, PartName
from portal.operations import history
from portal.operations.models import Action, Concern
from tests.cast import Cast, cluster
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import answering
from tests.portal.operations.poisoning import NAMES, refusing

pytestmark = pytest.mark.django_db(transaction=True)


def waits(cast: Cast) -> list[Part]:
    """Three clusters whose history somebody waits for."""
    made = [cluster(cast.service, number, name=name) for number, name in enumerate(NAMES)]
    for there in made:
        Part.objects.create(cluster=there, name=PartName.HISTORY, wanted_at=timezone.now())
    return list(Part.objects.order_by("wanted_at"))


def notes() -> list[tuple[bool, str, bool]]:
    """Of each history: whether it was read, why not, and whether it still waits."""
    rows = Part.objects.order_by("cluster")
    return [(row.read_at is not None, row.failed, row.wanted_at is not None) for row in rows]


def test_one_that_cannot_be_kept_stops_no_other(
    cast: Cast, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.STUCK_FAILURES = 1
    _, poison, _ = waits(cast)
    told = [{"id": number, "status": "SUCCESS", "resourceName": name} for number, name in enumerate(NAMES, 1)]
    script = [answer(200, [action]) for action in told]
    with refusing("operations_action", "resource_name <> 'poison01'"), answering(settings, *script):
        history.read_waiting()
    assert notes() == [(True, "", False), (False, history.NOT_KEPT, True), (True, "", False)]
    assert sorted(Action.objects.values_list("resource_name", flat=True)) == ["first01", "third01"]
    assert [bool(record.exc_info) for record in caplog.records if record.levelname == "ERROR"] == [True]
    concern = Concern.objects.get()
    assert (concern.situation, concern.service) == ("stuck", None)
    assert concern.words.startswith(f"Part {poison.pk} ({poison}) could not be handled 1 times in a row or more")


def test_one_that_cannot_even_be_taken_stops_no_other_and_goes_on_waiting(cast: Cast, settings: Settings) -> None:
    _, poison, _ = waits(cast)
    with (
        refusing("inventory_part", "id <> {} OR wanted_at <= now()", poison.pk),
        answering(settings, answer(200, []), answer(200, [])) as api,
    ):
        history.read_waiting()
        assert len(api.received) == 2
    assert notes() == [(True, "", False), (False, "", True), (True, "", False)]


def test_a_worker_whose_time_is_over_blames_no_history(cast: Cast, settings: Settings) -> None:
    waits(cast)

    def time_is_over(*_: object) -> None:
        raise SoftTimeLimitExceeded

    def in_vain(connection: socket.socket) -> None:
        """Never answer who asked, and end the time of it instead, as Celery does: by a signal."""
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        connection.recv(1)

    before = signal.signal(signal.SIGUSR1, time_is_over)
    try:
        with answering(settings, in_vain) as api, pytest.raises(SoftTimeLimitExceeded):
            history.read_waiting()
        assert len(api.received) == 1
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert notes() == [(False, "", True)] * 3
    # None rests.
    Part.objects.update(wanted_at=timezone.now())
    with answering(settings, answer(200, [])):
        history.read_waiting()
    assert notes() == [(True, "", False)] * 3
