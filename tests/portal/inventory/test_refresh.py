"""Opening a cluster asks for a fresh reading, at most once a minute."""

import json
from datetime import timedelta

import pytest
import redis
from django.db.models.functions import Now

from portal.inventory import tasks
from portal.inventory.models import Cluster
from portal.inventory.refresh import FRESH, refresh
from tests.cast import Cast, cluster
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


def hints(broker: str) -> list[str]:
    with redis.Redis.from_url(broker) as client:
        return [json.loads(message)["headers"]["task"] for message in client.lrange("celery", 0, -1)]


def opened(row: Cluster) -> bool:
    """Open its page, and say whether that asked for a reading."""
    row.refresh_from_db()
    refresh(row)
    return Cluster.objects.filter(pk=row.pk, wanted_at__isnull=False).exists()


def test_opening_an_unread_cluster_asks_for_it_once(cast: Cast, broker: str) -> None:
    row = cluster(cast.service, 1)
    assert [opened(row), opened(row)] == [True, True]
    assert hints(broker) == ["portal.inventory.tasks.read_cluster"]


def test_what_was_read_lately_is_left_alone(cast: Cast, broker: str) -> None:
    row = cluster(cast.service, 1, tried_at=Now(), read_at=Now(), parts_read_at=Now())
    assert (opened(row), hints(broker)) == (False, [])
    Cluster.objects.update(tried_at=Now() - FRESH - timedelta(seconds=1))
    assert (opened(row), len(hints(broker))) == (True, 1)


def test_a_cluster_whose_parts_were_never_read_is_asked_for(cast: Cast, broker: str) -> None:
    assert opened(cluster(cast.service, 1, tried_at=Now(), read_at=Now()))


def test_a_cluster_that_is_gone_is_not_asked_for(cast: Cast, broker: str) -> None:
    assert (opened(cluster(cast.service, 1, gone_at=Now())), hints(broker)) == (False, [])


def test_without_a_broker_the_wish_stays_for_the_sweep(cast: Cast) -> None:
    assert opened(cluster(cast.service, 1))


def test_the_task_reads_what_somebody_waits_for_and_nothing_else(cast: Cast, small: Sandbox) -> None:
    wanted = cluster(cast.service, 0, name="unread", tried_at=Now(), read_at=Now(), parts_read_at=Now())
    before = Cluster.objects.values().get()
    tasks.read_cluster(wanted.pk)
    assert Cluster.objects.values().get() == before
    Cluster.objects.update(wanted_at=Now())
    tasks.read_cluster(wanted.pk)
    row = Cluster.objects.get()
    assert (row.wanted_at, row.name == "unread", row.nodes.exists()) == (None, False, True)
