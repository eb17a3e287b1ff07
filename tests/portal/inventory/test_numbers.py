"""Which of its two numbers addresses a cluster, and whose a number is (API.md A5): learned, not assumed."""

import pytest
from pytest_django import Settings

from portal.inventory import reading, resources
from portal.inventory.models import Cluster
from portal.upstream.client import client
from tests.portal.inventory.test_sync import FIRST, read, read_lists
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

NEW = 800_000_000


def test_the_other_number_is_tried_once_and_kept_where_it_works(small: Sandbox, settings: Settings) -> None:
    settings.ITCARE_ASSUMPTIONS = {"internal_id_first": "false"}
    read_lists()
    row = Cluster.objects.get(other_id=FIRST)
    assert row.upstream_id != FIRST
    reading.read_cluster(client(), row)
    after = Cluster.objects.get(pk=row.pk)
    assert (after.upstream_id, after.other_id, after.read_failed) == (FIRST, row.resource_id, "")
    assert after.nodes.count() > 0
    read_lists()
    assert Cluster.objects.count() == 5
    again = Cluster.objects.get(pk=row.pk)
    assert (again.upstream_id, again.other_id, again.gone_at) == (FIRST, row.resource_id, None)


def test_neither_number_works(small: Sandbox) -> None:
    read_lists()
    small.remove_cluster(FIRST)
    row = read()
    assert (row.upstream_id, row.missed_at is not None, row.gone_at) == (FIRST, True, None)


def test_a_cluster_that_was_read_is_not_asked_for_by_another_number(small: Sandbox) -> None:
    read_lists()
    second = FIRST + 10
    read()
    # The other number leads to another cluster: of the same name even, it must not become this one.
    Cluster.objects.filter(upstream_id=second).delete()
    Cluster.objects.filter(upstream_id=FIRST).update(other_id=second)
    small.remove_cluster(FIRST)
    small.change_cluster(second, name=Cluster.objects.get(upstream_id=FIRST).name)
    assert (read().missed_at is not None, Cluster.objects.filter(upstream_id=second).exists()) == (True, False)


def test_the_other_number_of_quite_another_cluster_is_not_taken(small: Sandbox) -> None:
    read_lists()
    second = FIRST + 10
    Cluster.objects.filter(upstream_id=second).delete()
    Cluster.objects.filter(upstream_id=FIRST).update(other_id=second)
    small.remove_cluster(FIRST)
    row = read()
    assert (row.upstream_id, row.read_at, row.missed_at is not None) == (FIRST, None, True)


def test_a_new_cluster_that_is_listed_under_the_address_of_another_one_is_not_taken_for_it(small: Sandbox) -> None:
    read_lists()
    before = Cluster.objects.get(upstream_id=FIRST)
    small.place_cluster(NEW, id=FIRST, name="another01")
    read_lists()
    after = Cluster.objects.get(pk=before.pk)
    assert (after.name, after.upstream_id, after.resource_id) == (before.name, FIRST, before.resource_id)
    another = Cluster.objects.get(name="another01")
    assert (another.upstream_id, another.resource_id, Cluster.objects.count()) == (NEW, FIRST, 6)
    found = resources.find(client(), name="another01", service=None)
    assert found == another
    # Its row in the list does not stand for the other one, which the list no longer shows.
    Cluster.objects.update(wanted_at=None)
    small.remove_cluster(FIRST)
    read_lists()
    assert [row.pk for row in Cluster.objects.exclude(wanted_at=None)] == [before.pk]


def test_a_cluster_whose_numbers_are_those_of_others_is_not_kept(
    small: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    read_lists()
    first, second = FIRST, FIRST + 10
    small.remove_cluster(first)
    small.place_cluster(first, id=second, name="another01")
    read_lists()
    assert sorted(Cluster.objects.values_list("upstream_id", flat=True)) == [FIRST + 10 * n for n in range(5)]
    assert not Cluster.objects.filter(name="another01").exists()
    assert "Cluster another01 is not kept: its numbers are those of others." in caplog.text
