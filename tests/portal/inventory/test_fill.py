"""The fill in the background: in which order clusters are read, and how many in a minute."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from portal.inventory import resources, waiting
from portal.inventory.models import Cluster
from portal.upstream.client import client
from tests.cast import Cast, cluster
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timedelta(days=1)


def chosen(limit: int = 20) -> list[str]:
    return [row.name for row in waiting.take_next(limit)]


def test_first_what_somebody_waits_for_then_the_unread_then_the_longest_untried(cast: Cast) -> None:
    old = {"read_at": Now() - LONG_AGO}
    cluster(cast.service, 1, name="older", tried_at=Now() - 2 * LONG_AGO, **old)
    cluster(cast.service, 2, name="old", tried_at=Now() - LONG_AGO, **old)
    cluster(cast.service, 3, name="fresh", tried_at=Now() - timedelta(minutes=5), read_at=Now())
    cluster(cast.service, 4, name="failed", tried_at=Now() - LONG_AGO)
    cluster(cast.service, 5, name="unread")
    cluster(cast.service, 6, name="wanted", wanted_at=Now(), tried_at=Now() - LONG_AGO, **old)
    cluster(cast.service, 7, name="gone", gone_at=Now())
    assert waiting.any_waiting()
    assert chosen() == ["wanted", "unread", "failed", "older", "old"]
    assert (chosen(), waiting.any_waiting()) == ([], False)


def test_a_minute_takes_so_many_and_what_somebody_waits_for_is_not_held_up(cast: Cast, settings: Settings) -> None:
    settings.FILL_PER_MINUTE = 3
    for number in range(8):
        cluster(cast.service, number)
    assert [len(chosen(2)), len(chosen(2)), len(chosen(2))] == [2, 1, 0]
    assert not waiting.any_waiting()
    Cluster.objects.filter(tried_at=None).update(wanted_at=Now())
    assert [waiting.any_waiting(), len(chosen()), len(chosen())] == [True, 3, 0]


def test_an_unchanged_list_writes_no_row(small: Sandbox) -> None:
    resources.read_resources(client())
    before = list(Cluster.objects.order_by("pk").values())
    resources.read_resources(client())
    assert list(Cluster.objects.order_by("pk").values()) == before


def test_a_pass_whose_time_would_not_do_for_one_more_gives_the_rest_back(small: Sandbox, settings: Settings) -> None:
    resources.read_resources(client())
    settings.LEASE_SECONDS = 2 * settings.ITCARE_TOTAL_SECONDS
    assert [waiting.read_waiting(client()), waiting.read_waiting(client())] == [1, 1]
    assert Cluster.objects.filter(read_at__isnull=False).count() == 2
    assert Cluster.objects.filter(read_at=None, tried_at=None).count() == 3
    settings.LEASE_SECONDS = 600.0
    assert waiting.read_waiting(client()) == 3
