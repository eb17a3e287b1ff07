"""Each rule of API.md 7 broken at ITCare after the approval: the operation fails with its sentence, without a write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from portal.changes.models import Change
from portal.inventory.models import Cluster, Database, Network
from portal.operations.models import Operation
from tests.cast import Cast, form_data
from tests.portal.catalog.asking import RESTORE, SOURCE, TARGET, Values, ago, approve, approved, ask, placed
from tests.portal.operations.engine import everybody_tries, fault, sent, time_passes
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

CONDITION, MOVED = "condition", "moved"
STOPPED = "The cluster is stopped: start it first."
HAS_MOVED = "The cluster moved since the approval: what was approved no longer fits. Ask again."
NO_SOURCE = "The source is no longer active, backed up and of the same version."


@dataclass(frozen=True)
class Case:
    """A valid request, what happens at ITCare after its approval, and how it ends."""

    kind: str
    meanwhile: Callable[[Sandbox], object]
    message: str
    reason: str = CONDITION
    values: Values = field(default_factory=dict)
    placing: dict[str, object] = field(default_factory=dict)


def changes(number: int = TARGET, **fields: object) -> Callable[[Sandbox], object]:
    """Something at ITCare changes the cluster."""
    return lambda upstream: upstream.change_cluster(number, **fields)


def tells_versions(*versions: int) -> Callable[[Sandbox], object]:
    """ITCare tells other versions than it did."""
    path = {"method": "GET", "path": f"/databases/postgresql/{TARGET}/versions"}
    rule = fault("refuse", times=None, match=path, status=200, body=list(versions))
    return lambda upstream: upstream.set_faults(rule)


RESIZE: Values = {"sizing": "4cpu8gb"}
HA: Values = {"replication_lag": "50"}
EXTEND: Values = {"dbname": "app", "extensions": ["ext1", "hstore"]}
EXTENSIBLE: dict[str, object] = {"databases": ["app", "postgres"], "offered": ["ext1"]}
UPGRADE: Values = {"target_version": "17"}
GROUP: Values = {"excluded": "false", "patch_group": "2"}

CASES = [
    Case("start", changes(status="ACTIVE"), "The cluster is running already.", placing={"status": "INACTIVE"}),
    Case(
        "start",
        changes(status="STARTING"),
        "The cluster is starting: only a stopped one can be started.",
        placing={"status": "INACTIVE"},
    ),
    Case("stop", changes(status="INACTIVE"), "The cluster is stopped already."),
    Case("resize", changes(status="INACTIVE"), STOPPED, values=RESIZE),
    Case(
        "resize",
        changes(status="UPGRADING"),
        "The cluster is upgrading: only an active one can be changed like this.",
        values=RESIZE,
    ),
    Case("resize", changes(sizing="4cpu8gb"), HAS_MOVED, MOVED, RESIZE),
    Case("resize", changes(disk=80), HAS_MOVED, MOVED, RESIZE),
    Case("delete", changes(name="renamed01"), HAS_MOVED, MOVED),
    Case("stop", changes(service_id=124), HAS_MOVED, MOVED),
    Case("enable_ha", changes(status="INACTIVE"), STOPPED, values=HA),
    Case("enable_ha", changes(topology="HA", nodes=3), HAS_MOVED, MOVED, HA),
    Case("enable_ha", changes(product_code="deb12pg17"), HAS_MOVED, MOVED, HA),
    Case("upgrade", changes(status="INACTIVE"), STOPPED, values=UPGRADE),
    Case("upgrade", changes(product_code="deb12pg17"), HAS_MOVED, MOVED, UPGRADE),
    Case("upgrade", tells_versions(), "ITCare offers no later version for this cluster.", values=UPGRADE),
    Case(
        "upgrade",
        tells_versions(16),
        "ITCare does not offer this version any more.",
        values={"target_version": "17"},
        placing={"product_code": "deb12pg15"},
    ),
    Case("install_extension", changes(status="INACTIVE"), STOPPED, values=EXTEND, placing=EXTENSIBLE),
    Case(
        "install_extension",
        changes(offered=[]),
        "ITCare does not offer ext1 any more.",
        values=EXTEND,
        placing=EXTENSIBLE,
    ),
    Case(
        "install_extension",
        changes(databases=["postgres"]),
        "The cluster has no database app any more.",
        values=EXTEND,
        placing=EXTENSIBLE,
    ),
    Case("restore", changes(status="INACTIVE"), STOPPED, values=RESTORE),
    Case("restore", changes(product_code="deb12pg17"), HAS_MOVED, MOVED, RESTORE),
    Case("restore", changes(SOURCE, status="INACTIVE"), NO_SOURCE, values=RESTORE),
    Case("restore", changes(SOURCE, backed_up=False), NO_SOURCE, values=RESTORE),
    Case("restore", changes(SOURCE, product_code="deb12pg17"), NO_SOURCE, values=RESTORE),
    Case(
        "update_patch_party",
        changes(nodes=2),
        "The patch group can only be chosen where there is one node.",
        values=GROUP,
    ),
]


def failed_unsent(operation: Operation, upstream: Sandbox) -> tuple[str, str]:
    """Let everybody try to send it; answers why it failed, after making sure that nothing was sent."""
    row = sent(operation)
    assert row.state == "failed"
    everybody_tries(row)
    assert (upstream.writes(), row.attempts.count(), row.sent_at) == ([], 0, None)
    return row.reason, row.message


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.message[:30]}")
def test_what_no_longer_fits_is_not_sent(cast: Cast, upstream: Sandbox, case: Case) -> None:
    placed(upstream, cast.service, SOURCE)
    operation = approved(cast, case.kind, placed(upstream, cast.service, TARGET, **case.placing), case.values)
    case.meanwhile(upstream)
    assert failed_unsent(operation, upstream) == (case.reason, case.message)


def test_a_moment_that_has_left_the_window_is_not_sent(cast: Cast, upstream: Sandbox) -> None:
    placed(upstream, cast.service, SOURCE)
    values: Values = {**RESTORE, "timestamp": ago(days=7, hours=-1)}
    operation = approved(cast, "restore", placed(upstream, cast.service, TARGET), values)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2), tick=True):
        ended = failed_unsent(operation, upstream)
    assert ended == (CONDITION, "This is more than 7 days ago: the backup does not reach that far.")


def test_a_cluster_that_was_protected_meanwhile_is_not_deleted(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET)
    operation = approved(cast, "delete", cluster, {})
    Cluster.objects.filter(pk=cluster.pk).update(protected=True)
    words = "An administrator has protected this cluster against deletion."
    assert failed_unsent(operation, upstream) == (CONDITION, words)


@pytest.mark.parametrize(("kind", "removed"), [("stop", TARGET), ("delete", TARGET), ("restore", SOURCE)])
def test_one_that_disappeared_is_asked_for_twice_before_it_counts_as_gone(
    cast: Cast, upstream: Sandbox, kind: str, removed: int
) -> None:
    placed(upstream, cast.service, SOURCE)
    values = RESTORE if kind == "restore" else {}
    operation = approved(cast, kind, placed(upstream, cast.service, TARGET), values)
    upstream.remove_cluster(removed)
    row = sent(operation)
    assert (row.state, upstream.writes()) == ("queued", [])
    time_passes()
    gone = Cluster.objects.get(upstream_id=removed)
    assert gone.missed_at is not None
    Cluster.objects.filter(pk=gone.pk).update(missed_at=gone.missed_at - timedelta(minutes=2))
    words = NO_SOURCE if kind == "restore" else "ITCare no longer knows this cluster."
    assert failed_unsent(row, upstream) == (CONDITION, words)


@pytest.mark.parametrize(
    ("kind", "unread", "values", "untold"),
    [
        ("stop", f"/databases/postgresql/{TARGET}$", {}, ""),
        ("restore", f"/databases/postgresql/{SOURCE}$", RESTORE, ""),
        (
            "upgrade",
            f"/databases/postgresql/{TARGET}/versions$",
            UPGRADE,
            "ITCare did not tell which versions it offers: ",
        ),
        (
            "install_extension",
            f"/databases/postgresql/{TARGET}/databases$",
            EXTEND,
            "ITCare did not tell which databases there are: ",
        ),
        (
            "install_extension",
            f"/databases/postgresql/{TARGET}/extensions$",
            EXTEND,
            "ITCare did not tell which extensions it offers: ",
        ),
    ],
)
def test_what_cannot_be_checked_waits_and_says_why(
    cast: Cast, upstream: Sandbox, kind: str, unread: str, values: Values, untold: str
) -> None:
    placed(upstream, cast.service, SOURCE)
    operation = approved(cast, kind, placed(upstream, cast.service, TARGET, **EXTENSIBLE), values)
    upstream.set_faults(fault("refuse", times=None, match={"method": "GET", "path": unread}, status=500))
    row = sent(operation)
    assert (row.state, row.failures, upstream.writes()) == ("queued", 1, [])
    assert row.message == f"{untold}ITCare is not available at the moment."
    upstream.set_faults()
    time_passes()
    assert (sent(row).state, len(upstream.writes())) == ("running", 1)


def test_a_name_that_was_taken_meanwhile_is_not_created_again(cast: Cast, upstream: Sandbox) -> None:
    operation = approved(cast, "create", None, {**form_data(name="wanted01")})
    upstream.place_cluster(TARGET, name="WANTED01")
    words = "A cluster named wanted01 exists already: choose another name."
    assert failed_unsent(operation, upstream) == (CONDITION, words)


def test_a_network_that_is_gone_meanwhile_gets_no_cluster(cast: Cast, upstream: Sandbox) -> None:
    operation = approved(cast, "create", None, {**form_data()})
    Network.objects.filter(upstream_id=132).delete()
    assert failed_unsent(operation, upstream) == (CONDITION, "The network no longer exists.")


def test_what_broke_before_the_decision_is_refused_there_and_stays_pending(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET, **EXTENSIBLE)
    assert ask(cast.developer, "install_extension", cluster, EXTEND).status == 303
    Database.objects.filter(cluster=cluster, name="app").delete()
    change = Change.objects.get()
    answer = approve(cast.approver, change)
    assert (answer.status, answer.page.one(id="live").attributes["data-state"]) == (409, "pending")
    assert "The cluster has no database app any more." in answer.page.one("main").text
    assert (Operation.objects.count(), upstream.writes()) == (0, [])
