"""The history of a cluster that somebody waits for is read, whatever becomes of who reads it."""

import pytest
from django.db import Error
from django.db.models import F
from pytest_django import Settings

from portal.inventory.models import Part
from portal.operations import history
from portal.operations.refresh import refresh_history
from tests.cast import Cast, cluster
from tests.faults.cutting import through
from tests.faults.proxy import Moment, Rule, cut
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import Held, answering, meanwhile
from tests.portal.operations.poisoning import refusing

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_asked_for_while_it_is_read_is_read_once_more(cast: Cast, settings: Settings) -> None:
    there = cluster(cast.service, 1)
    refresh_history(there)
    held = Held(answer(200, []))
    with answering(settings, held, answer(200, [])) as api:
        with meanwhile(history.read_waiting):
            assert held.asked.wait(20)
            assert not history.waiting().exists()
            refresh_history(there)
            held.go.set()
        assert history.waiting().count() == 1
        history.read_waiting()
        assert (len(api.received), list(Part.objects.values_list("wanted_at", "failed"))) == (2, [(None, "")])


def test_a_reader_that_does_not_survive_it_leaves_it_to_the_next(cast: Cast, settings: Settings) -> None:
    refresh_history(cluster(cast.service, 1))
    # The first of them says that it is being read, the second what was read.
    lost = Rule(lambda message: "(inventory_part)" in message.text, Moment.BEFORE, cut, 2)
    with answering(settings, answer(200, []), answer(200, [])) as api:
        with through(lost), pytest.raises(Error):
            history.read_waiting()
        assert [history.waiting().count(), *Part.objects.values_list("read_at", flat=True)] == [0, None]
        Part.objects.update(wanted_at=F("wanted_at") - history.AGAIN)
        history.read_waiting()
        assert (len(api.received), Part.objects.filter(wanted_at=None, read_at__isnull=False).count()) == (2, 1)


def test_one_that_cannot_be_written_down_does_not_stop_the_others(cast: Cast, settings: Settings) -> None:
    poison, other = cluster(cast.service, 1), cluster(cast.service, 2)
    for each in (poison, other):
        refresh_history(each)
    nothing = answer(200, [])
    with (
        refusing("inventory_part", "cluster_id <> {} OR read_at IS NULL", poison.pk),
        answering(settings, nothing, nothing),
    ):
        history.read_waiting()
    found = Part.objects.order_by("cluster_id").values_list("read_at", "wanted_at")
    assert [(read is None, wanted is None) for read, wanted in found] == [(True, False), (False, True)]
