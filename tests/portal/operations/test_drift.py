"""Belief and truth: what differs from what the last operation left is told, once, and half an answer tells nothing."""

from datetime import timedelta

import pytest
from django.db.models import F

from portal.inventory import reading, resources, waiting
from portal.inventory.models import Cluster
from portal.operations import concerns, drift, history
from portal.operations.models import Concern, Operation
from portal.upstream.client import client
from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Page
from tests.portal.catalog.asking import TARGET, approved, placed
from tests.portal.operations.engine import fault, followed, sent
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

LEFT = "The last operation here, “Resize target to 4 CPU, 8 GB”, left it otherwise."


@pytest.fixture
def resized(cast: Cast, upstream: Sandbox) -> Operation:
    """An operation that has ended, on a cluster that was read after it."""
    cluster = placed(upstream, cast.service, TARGET, name="target")
    operation = followed(sent(approved(cast, "resize", cluster, {"sizing": "4cpu8gb"})))
    look()
    return Operation.objects.get(pk=operation.pk)


def look() -> None:
    """Read the cluster as the sweep has it read, and compare."""
    drift.ask()
    reading.read_cluster(client(), Cluster.objects.get(upstream_id=TARGET), parts=False)
    drift.compare()


def told() -> list[tuple[str, bool]]:
    """What is told of drift, and whether it still is open."""
    return [(row.words, row.closed_at is None) for row in Concern.objects.order_by("pk")]


def test_a_cluster_is_read_once_more_when_its_operation_has_ended(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET)
    operation = followed(sent(approved(cast, "resize", cluster, {"sizing": "4cpu8gb"})))
    assert (drift.compare(), operation.left) == (0, None)
    assert (drift.ask(), drift.ask()) == (1, 0)
    assert list(waiting.wanted().values_list("pk", flat=True)) == [cluster.pk]
    reading.read_cluster(client(), cluster)
    assert (drift.ask(), drift.compare(), drift.compare()) == (0, 1, 0)
    operation.refresh_from_db()
    assert operation.left == {
        "gone": False,
        "version": "16",
        "topology": "STANDALONE",
        "sizing": "4cpu8gb",
        "storage": 40,
        "status": "ACTIVE",
    }
    assert told() == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sizing": "8cpu16gb"}, f"Size 8cpu16gb instead of 4cpu8gb. {LEFT}"),
        ({"product_code": "deb12pg17"}, f"Version 17 instead of 16. {LEFT}"),
        ({"status": "INACTIVE"}, f"Status INACTIVE instead of ACTIVE. {LEFT}"),
        ({"disk": 80}, f"Disk 80 instead of 40. {LEFT}"),
        (
            {"status": "INACTIVE", "sizing": "2cpu4gb"},
            f"Size 2cpu4gb instead of 4cpu8gb, status INACTIVE instead of ACTIVE. {LEFT}",
        ),
    ],
)
def test_what_differs_is_told_and_closed_when_it_no_longer_does(
    cast: Cast, upstream: Sandbox, resized: Operation, fields: dict[str, object], words: str
) -> None:
    before = {name: value for name, value in upstream.cluster(TARGET).items() if name in fields}
    upstream.change_cluster(TARGET, **fields)
    look()
    look()
    assert told() == [(words, True)]
    assert resized.cluster is not None
    page = Page.of(signed_in(cast.developer).get(resized.cluster.get_absolute_url()).content)
    assert f"Not as the portal left it. {words}" in [note.text for note in page.with_class("note")]
    upstream.change_cluster(TARGET, **before)
    look()
    assert told() == [(words, False)]
    page = Page.of(signed_in(cast.developer).get(resized.cluster.get_absolute_url()).content)
    assert "Not as the portal left it." not in page.text


def test_a_success_that_the_cluster_does_not_show_is_told(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET, name="target")
    operation = followed(sent(approved(cast, "resize", cluster, {"sizing": "4cpu8gb"})))
    assert operation.state == "succeeded"
    upstream.change_cluster(TARGET, sizing="2cpu4gb")
    look()
    words = "ITCare says that “Resize target to 4 CPU, 8 GB” succeeded, and the cluster does not show it."
    assert told() == [(words, True)]


def test_what_somebody_noted_is_not_told_again_but_another_difference_is(
    cast: Cast, upstream: Sandbox, resized: Operation
) -> None:
    upstream.change_cluster(TARGET, sizing="8cpu16gb")
    look()
    concerns.close(Concern.objects.open(), "Our hoster did it.", by=cast.approver)
    Operation.objects.update(compared_at=F("compared_at") - timedelta(seconds=1))
    assert drift.compare() == 1
    assert told() == [(f"Size 8cpu16gb instead of 4cpu8gb. {LEFT}", False)]
    upstream.change_cluster(TARGET, sizing="2cpu8gb")
    look()
    assert told()[1:] == [(f"Size 2cpu8gb instead of 4cpu8gb. {LEFT}", True)]


def test_a_status_of_something_under_way_is_no_difference(upstream: Sandbox, resized: Operation) -> None:
    upstream.change_cluster(TARGET, status="RESIZING")
    look()
    assert Cluster.objects.get(upstream_id=TARGET).status == "RESIZING"
    assert told() == []


def test_a_newer_operation_takes_the_place_of_the_difference(cast: Cast, upstream: Sandbox, resized: Operation) -> None:
    upstream.change_cluster(TARGET, sizing="8cpu16gb")
    look()
    cluster = Cluster.objects.select_related("service").get(upstream_id=TARGET)
    operation = sent(approved(cast, "resize", cluster, {"sizing": "2cpu4gb"}))
    look()
    assert told() == [(f"Size 8cpu16gb instead of 4cpu8gb. {LEFT}", True)]
    followed(operation)
    look()
    assert told() == [(f"Size 8cpu16gb instead of 4cpu8gb. {LEFT}", False)]


def test_a_cluster_that_nobody_here_deleted_and_is_gone_is_told_with_the_actions_seen(
    upstream: Sandbox, resized: Operation
) -> None:
    assert resized.cluster is not None
    upstream.remove_cluster(TARGET)
    history.read(client(), resized.cluster)
    reading.read_cluster(client(), resized.cluster)
    drift.compare()
    assert told() == []
    Cluster.objects.update(missed_at=F("missed_at") - reading.GONE_AFTER)
    reading.read_cluster(client(), Cluster.objects.get(pk=resized.cluster.pk))
    drift.compare()
    words = (
        "ITCare no longer knows the cluster. The last operation here, “Resize target to 4 CPU, 8 GB”, did not do that."
    )
    assert told() == [(words, True)]


def test_a_cluster_that_was_deleted_here_is_as_it_was_left(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET)
    operation = followed(sent(approved(cast, "delete", cluster, {})))
    drift.compare()
    operation.refresh_from_db()
    assert operation.left is not None
    assert (operation.left["gone"], told()) == (True, [])


def test_half_a_list_takes_nothing_from_the_other_half(upstream: Sandbox, resized: Operation) -> None:
    upstream.set_faults(fault("refuse", match={"path": "/compute/resources"}, times=None, status=200, body=[]))
    resources.read_resources(client())
    assert Cluster.objects.filter(gone_at=None, missed_at=None).count() == Cluster.objects.count() == 1
    drift.compare()
    assert told() == []
