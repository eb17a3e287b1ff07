"""One thing at a time on a cluster: what holds it, what a restore holds besides, and who is told so."""

import pytest

from portal.changes import decide, submit
from portal.changes.models import Change
from portal.inventory.models import Cluster
from portal.operations import cancel
from portal.operations.models import Operation
from tests.cast import Cast
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.portal.catalog.asking import RESTORE, SOURCE, TARGET, Values, approve, approved, asked, placed
from tests.portal.operations.engine import at_once, followed, sent
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

BUSY = "Another operation is under way on this cluster: wait until it has ended."
RESIZE: Values = {"sizing": "4cpu8gb"}


@pytest.fixture
def pair(cast: Cast, upstream: Sandbox) -> tuple[Cluster, Cluster]:
    """A cluster, and another one whose backup fits it."""
    return placed(upstream, cast.service, TARGET), placed(upstream, cast.service, SOURCE)


def refused_as_busy(cast: Cast, change: Change) -> None:
    """Agree; the cluster is busy, and the request stays as it was."""
    answer = approve(cast.approver, change)
    assert answer.status == 409
    assert BUSY in answer.page.one("main").text
    assert answer.page.one(id="live").attributes["data-state"] == "pending"
    change.refresh_from_db()
    assert (change.state, change.operation, change.decisions.count()) == ("pending", None, 0)


@told(
    Row(
        "Several people, sweeps or workers at the same instant",
        "a second request for a cluster",
        "it is approved while the first waits, and while it runs",
        "the approval is refused and the request stays pending; when the first has ended it can be approved",
        "Another operation is under way on this cluster: wait until it has ended.",
    )
)
def test_a_busy_cluster_takes_no_second_approval_and_the_request_waits_for_it(
    cast: Cast, upstream: Sandbox, pair: tuple[Cluster, Cluster]
) -> None:
    target, _ = pair
    second = asked(cast.developer, "update_patch_party", target, {"excluded": "false"})
    first = approved(cast, "stop", target, {})
    refused_as_busy(cast, second)
    row = sent(first)
    assert row.state == "running"
    refused_as_busy(cast, second)
    assert followed(row).state == "succeeded"
    assert approve(cast.approver, second).status == 303
    assert sent(Operation.objects.get(change=second)).state == "running"
    assert [write["body"]["operation"] for write in upstream.writes()] == ["stop", "update_patch_party"]
    settle_down()
    judge(upstream)


def test_a_restore_holds_its_source_until_it_has_ended(
    cast: Cast, upstream: Sandbox, pair: tuple[Cluster, Cluster]
) -> None:
    target, source = pair
    change = asked(cast.developer, "resize", source, RESIZE)
    restore = approved(cast, "restore", target, RESTORE)
    assert restore.source == source
    refused_as_busy(cast, change)
    restore = sent(restore)
    refused_as_busy(cast, change)
    assert followed(restore).state == "succeeded"
    assert approve(cast.approver, change).status == 303


def test_a_restore_waits_while_its_source_is_changed(cast: Cast, pair: tuple[Cluster, Cluster]) -> None:
    target, source = pair
    change = asked(cast.developer, "restore", target, RESTORE)
    resize = approved(cast, "resize", source, RESIZE)
    refused_as_busy(cast, change)
    cancel.cancel(resize, cast.developer)
    assert approve(cast.approver, change).status == 303


def test_two_restores_do_not_read_each_other(cast: Cast, pair: tuple[Cluster, Cluster]) -> None:
    target, source = pair
    there = asked(cast.developer, "restore", source, {**RESTORE, "source_id": str(TARGET)})
    approved(cast, "restore", target, RESTORE)
    refused_as_busy(cast, there)


def test_a_cluster_restored_from_its_own_backup_holds_itself_alone(
    cast: Cast, upstream: Sandbox, pair: tuple[Cluster, Cluster]
) -> None:
    target, _ = pair
    operation = approved(cast, "restore", target, {**RESTORE, "source_id": str(TARGET)})
    assert operation.source is None
    assert followed(sent(operation)).state == "succeeded"
    (write,) = upstream.writes()
    assert (write["path"], write["body"]["options"]["sourceId"]) == (f"/databases/postgresql/{TARGET}", TARGET)


@told(
    Row(
        "Several people, sweeps or workers at the same instant",
        "two requests for one cluster",
        "two approvers agree to one each in the same instant, on two connections; likewise a restore and a change of "
        "the cluster that it reads",
        "one operation; the other approval is refused and its request stays pending, until it can be approved",
        "Another operation is under way on this cluster: wait until it has ended.",
    )
)
@pytest.mark.parametrize("what", ["one cluster", "the source of a restore", "each the other's source"])
def test_of_two_approvals_at_once_one_starts_and_the_other_stays_pending(
    cast: Cast, upstream: Sandbox, pair: tuple[Cluster, Cluster], what: str
) -> None:
    target, source = pair
    # None of them leaves the cluster so that the other request no longer fits.
    patched: tuple[str, Cluster, Values] = ("update_patch_party", target, {"excluded": "false"})
    asks: dict[str, tuple[tuple[str, Cluster, Values], tuple[str, Cluster, Values]]] = {
        "one cluster": (patched, patched),
        "the source of a restore": (("restore", target, RESTORE), ("resize", source, RESIZE)),
        "each the other's source": (
            ("restore", target, RESTORE),
            ("restore", source, {**RESTORE, "source_id": str(TARGET)}),
        ),
    }
    first, second = (asked(cast.developer, *one) for one in asks[what])
    results = at_once(
        lambda: decide.approve(first, cast.approver, ""), lambda: decide.approve(second, cast.approver2, "")
    )
    started = [result for result in results if isinstance(result, Operation)]
    told = [str(result) for result in results if isinstance(result, submit.NotPossibleError)]
    assert (len(started), told) == (1, [BUSY])
    assert sorted(Change.objects.values_list("state", flat=True)) == ["approved", "pending"]
    assert Operation.objects.get() == started[0]
    settle_down()
    judge(upstream)
    refused = Change.objects.get(state="pending")
    assert approve(cast.approver, refused).status == 303
    settle_down()
    judge(upstream)
    assert list(Operation.objects.values_list("state", flat=True)) == ["succeeded", "succeeded"]
