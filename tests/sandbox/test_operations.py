"""The eight operations of PATCH: what they do over time, what they refuse, and how they fail."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contracts.openapi import document
from tests.sandbox.inside import Clock, Inside, told

NUMBER, SOURCE = 1234, 5678
EXTENSIONS = [{"name": "hstore"}, {"name": "citext"}]
PARTY = {"excluded": True, "exclusionReason": "handled here"}


def ago(clock: Clock, **parts: float) -> str:
    return (datetime.fromtimestamp(clock.time, UTC) - timedelta(**parts)).isoformat(timespec="milliseconds")


@pytest.fixture
def sandbox(inside: Callable[..., Inside]) -> Inside:
    """Return a stand-in with two clusters that every operation fits."""
    made = inside(clusters=0)
    made.place(NUMBER, name="destination", databases=["postgres", "mydb"], service_id=125)
    made.place(SOURCE, name="source", databases=["postgres", "other"], service_id=125, installed=["other/hstore"])
    return made


def options(operation: str, clock: Clock) -> dict[str, Any]:
    """Options that fit the clusters of the fixture."""
    given: dict[str, dict[str, Any]] = {
        "resize": {"sizing": "4cpu8gb"},
        "restore": {"sourceId": SOURCE, "stop": "BEFORE", "timestamp": ago(clock, hours=1)},
        "enable_ha": {"replicationLag": 50, "changeReference": "000"},
        "update_patch_party": {"patchParty": PARTY},
        "install_extension": {"dbname": "mydb", "extensions_list": EXTENSIONS},
        "upgrade": {"targetVersion": "17", "changeReference": "RFC 1234"},
    }
    return given.get(operation, {})


ALL = ("stop", "resize", "restore", "enable_ha", "update_patch_party", "install_extension", "upgrade", "start")


def prepared(sandbox: Inside, operation: str) -> None:
    if operation == "start":
        sandbox.control("PATCH", NUMBER, status="INACTIVE")


@pytest.mark.parametrize(
    ("operation", "nodes", "count", "least", "most"),
    [
        ("start", 1, 4, 14, 18),
        ("start", 3, 7, 26, 33),
        ("stop", 1, 4, 12, 16),
        ("resize", 1, 6, 26, 32),
        ("resize", 3, 10, 51, 63),
        ("restore", 1, 7, 46, 58),
        ("restore", 3, 8, 55, 69),
        ("enable_ha", 1, 7, 50, 62),
        ("install_extension", 1, 4, 9, 13),
        ("upgrade", 1, 7, 52, 64),
        ("update_patch_party", 1, 1, 0, 0),
    ],
)
def test_a_story_in_several_messages(
    sandbox: Inside, clock: Clock, operation: str, nodes: int, count: int, least: float, most: float
) -> None:
    topology = "HA" if nodes == 3 else "STANDALONE"
    sandbox.control("PATCH", NUMBER, nodes=nodes, topology=topology)
    prepared(sandbox, operation)
    action = sandbox.ordered(NUMBER, operation, **options(operation, clock))
    story = told(sandbox, clock, action, tick=0.25)
    assert len(story) == count
    assert [status for _, status, _ in story] == ["IN_PROGRESS"] * (count - 1) + ["SUCCESS"]
    assert least <= story[-1][0] <= most


def test_stop_and_start_take_the_nodes_along(sandbox: Inside, clock: Clock) -> None:
    sandbox.control("PATCH", NUMBER, nodes=2, topology="HA")
    assert standings(sandbox, clock, "stop") == [
        ("STOPPING", ["ACTIVE", "ACTIVE"]),
        ("STOPPING", ["ACTIVE", "STOPPING"]),
        ("STOPPING", ["STOPPING", "INACTIVE"]),
        ("INACTIVE", ["INACTIVE", "INACTIVE"]),
    ]
    assert standings(sandbox, clock, "start") == [
        ("STARTING", ["INACTIVE", "INACTIVE"]),
        ("STARTING", ["STARTING", "INACTIVE"]),
        ("STARTING", ["ACTIVE", "STARTING"]),
        ("STARTING", ["ACTIVE", "ACTIVE"]),
        ("ACTIVE", ["ACTIVE", "ACTIVE"]),
    ]


def standings(
    sandbox: Inside, clock: Clock, operation: str, read: Callable[[Any], Any] = lambda node: node["status"]
) -> list[tuple[str, list[Any]]]:
    """Return the cluster's status and what is read of each node, each time one changes."""
    action = sandbox.ordered(NUMBER, operation, **options(operation, clock))
    seen: list[tuple[str, list[Any]]] = []
    running = True
    while running:
        running = sandbox.call("GET", f"/actions/{action}")["status"] == "IN_PROGRESS"
        standing = (sandbox.detail(NUMBER)["status"], [read(node) for node in sandbox.part(NUMBER, "nodes")])
        if not seen or seen[-1] != standing:
            seen.append(standing)
        clock.time += 0.25
    return seen


def test_resize_changes_one_node_after_the_other_and_then_the_cluster(sandbox: Inside, clock: Clock) -> None:
    sandbox.control("PATCH", NUMBER, nodes=2, topology="HA")
    seen = standings(sandbox, clock, "resize", lambda node: (node["status"], node["cpu"], node["ram"]))
    old, new = ("ACTIVE", 2, 4), ("ACTIVE", 4, 8)
    assert seen == [
        ("RESIZING", [old, old]),
        ("RESIZING", [old, ("RESIZING", 2, 4)]),
        ("RESIZING", [old, new]),
        ("RESIZING", [("RESIZING", 2, 4), new]),
        ("RESIZING", [new, new]),
        ("ACTIVE", [new, new]),
    ]
    detail = sandbox.detail(NUMBER)
    assert (detail["sizing"], detail["nodeSizing"], detail["cpu"], detail["ram"]) == ("4cpu8gb", "4cpu8gb", 4, 8)


def test_enable_ha_adds_a_node_in_another_zone(sandbox: Inside, clock: Clock) -> None:
    seen = standings(
        sandbox, clock, "enable_ha", lambda node: (node["name"], node["status"], node["labelAvailabilityZone"])
    )
    first = ("PG123401", "ACTIVE", "EB-A")
    assert seen == [
        ("CONVERTING", [first]),
        ("CONVERTING", [first, ("PG123402", "CREATING", "EB-B")]),
        ("CONVERTING", [first, ("PG123402", "ACTIVE", "EB-B")]),
        ("ACTIVE", [first, ("PG123402", "ACTIVE", "EB-B")]),
    ]
    detail = sandbox.detail(NUMBER)
    told_now = {name: detail[name] for name in ("topology", "nodeCount", "allowedReplicationLag", "replicationStatus")}
    assert told_now == {"topology": "HA", "nodeCount": 2, "allowedReplicationLag": 50, "replicationStatus": True}
    assert len({node["ipAddress"] for node in sandbox.part(NUMBER, "nodes")}) == 2


def test_restore_replaces_the_content_and_holds_the_source(sandbox: Inside, clock: Clock) -> None:
    action = sandbox.ordered(NUMBER, "restore", **options("restore", clock))
    assert sandbox.detail(NUMBER)["status"] == "RESTORING"
    assert sandbox.patch(SOURCE, "stop").status == 409
    (running,) = sandbox.call("GET", "/actions", statuses="IN_PROGRESS")
    assert (running["id"], running["resourceName"]) == (action, "destination")
    clock.time += 20
    assert (sandbox.part(NUMBER, "databases"), sandbox.part(NUMBER, "extensions")) == ([], [])
    clock.time += 600
    assert sandbox.call("GET", f"/actions/{action}")["status"] == "SUCCESS"
    assert sandbox.part(NUMBER, "databases") == [{"name": "postgres"}, {"name": "other"}]
    assert sandbox.control("GET", NUMBER).body["installed"] == ("other/hstore",)
    assert sandbox.part(SOURCE, "databases") == [{"name": "postgres"}, {"name": "other"}]
    assert sandbox.patch(SOURCE, "stop").status == 202


def test_a_cluster_may_be_restored_from_its_own_backup(sandbox: Inside, clock: Clock) -> None:
    given = {**options("restore", clock), "sourceId": NUMBER, "stop": "AFTER"}
    action = sandbox.ordered(NUMBER, "restore", **given)
    clock.time += 600
    assert sandbox.call("GET", f"/actions/{action}")["status"] == "SUCCESS"
    assert sandbox.part(NUMBER, "databases") == [{"name": "postgres"}, {"name": "mydb"}]
    assert sandbox.patch(NUMBER, "stop").status == 202


def test_an_extension_is_remembered_and_the_catalogue_stays(sandbox: Inside, clock: Clock) -> None:
    before = sandbox.part(NUMBER, "extensions")
    for database in ("mydb", "postgres", "mydb"):
        sandbox.ordered(NUMBER, "install_extension", dbname=database, extensions_list=EXTENSIONS)
        clock.time += 600
    assert sandbox.part(NUMBER, "extensions") == before
    assert sandbox.control("GET", NUMBER).body["installed"] == (
        "mydb/hstore",
        "mydb/citext",
        "postgres/hstore",
        "postgres/citext",
    )


def test_an_extension_that_needs_it_restarts_the_nodes(sandbox: Inside, clock: Clock) -> None:
    sandbox.control("PATCH", NUMBER, nodes=2, topology="HA")
    needing = [each["name"] for each in sandbox.part(NUMBER, "extensions") if each["requiresRestarting"]]
    assert needing == ["pg_stat_statements"]
    sandbox.ordered(NUMBER, "install_extension", dbname="mydb", extensions_list=[{"name": needing[0]}])
    seen = []
    for _ in range(100):
        seen.append([node["status"] for node in sandbox.part(NUMBER, "nodes")])
        clock.time += 0.25
    assert list(dict.fromkeys(map(tuple, seen))) == [
        ("ACTIVE", "ACTIVE"),
        ("ACTIVE", "RESTARTING"),
        ("RESTARTING", "ACTIVE"),
    ]
    assert seen[-1] == ["ACTIVE", "ACTIVE"]


@pytest.mark.parametrize(
    ("code", "target", "codes"),
    [
        ("deb12pg16", "17", ["deb12pg16", "deb12pg17"]),
        ("deb11pg14", "15", ["deb11pg14", "deb11pg15"]),
        ("deb10pg11", "12", ["deb10pg11", "deb10pg12"]),
        ("deb10pg11", "17", ["deb10pg11", "deb11pg11", "deb12pg11", "deb12pg17"]),
    ],
)
def test_an_upgrade_brings_the_operating_system_along(
    sandbox: Inside, clock: Clock, code: str, target: str, codes: list[str]
) -> None:
    sandbox.control("PATCH", NUMBER, product_code=code)
    sandbox.ordered(NUMBER, "upgrade", targetVersion=target)
    seen = []
    for _ in range(400):
        detail = sandbox.detail(NUMBER)
        seen.append((detail["productCode"], detail["status"]))
        clock.time += 0.25
    assert list(dict.fromkeys(each for each, _ in seen)) == codes
    assert list(dict.fromkeys(status for _, status in seen)) == ["UPGRADING", "ACTIVE"]
    detail = sandbox.detail(NUMBER)
    assert (detail["version"], detail["productVersion"], detail["productName"]) == (
        target,
        target,
        f"PostgreSQL {target}",
    )
    assert sandbox.part(NUMBER, "versions") == [
        version for version in (12, 13, 14, 15, 16, 17) if version > int(target)
    ]


def test_the_patch_party_is_settled_at_once(sandbox: Inside) -> None:
    def remembered() -> tuple[bool, str, str]:
        cluster = sandbox.control("GET", NUMBER).body
        return cluster["patch_excluded"], cluster["patch_group"], cluster["exclusion_reason"]

    reply = sandbox.patch(NUMBER, "update_patch_party", patchParty={"excluded": False, "patchGroup": "3"})
    assert (reply.status, reply.body["status"], reply.body["process"]) == (
        202,
        "SUCCESS",
        "postgresql_update_patch_party",
    )
    assert remembered() == (False, "3", "")
    assert "completedAt" in sandbox.call("GET", f"/actions/{reply.body['id']}")
    sandbox.ordered(NUMBER, "update_patch_party", patchParty=PARTY)
    assert remembered() == (True, "3", "handled here")
    sandbox.ordered(NUMBER, "update_patch_party", patchParty={"excluded": False})
    assert remembered() == (False, "3", "")


@pytest.mark.parametrize(
    ("standing", "operation", "changes", "refusal"),
    [
        ({}, "start", {}, (422, "status")),
        ({"status": "INACTIVE"}, "stop", {}, (422, "status")),
        ({"status": "INACTIVE"}, "resize", {}, (422, "status")),
        ({"status": "INACTIVE"}, "restore", {}, (422, "status")),
        ({"status": "INACTIVE"}, "enable_ha", {}, (422, "status")),
        ({"status": "INACTIVE"}, "install_extension", {}, (422, "status")),
        ({"status": "INACTIVE"}, "upgrade", {}, (422, "status")),
        ({"status": "MAINTENANCE"}, "stop", {}, (422, "status")),
        ({}, "resize", {"sizing": "2cpu4gb"}, (422, "options.sizing")),
        ({}, "resize", {"sizing": "99cpu4gb"}, (422, "options.sizing")),
        ({}, "restore", {"sourceId": 1}, (422, "options.sourceId")),
        ({"product_code": "deb12pg15"}, "restore", {}, (422, "options.sourceId")),
        ({"topology": "HA", "nodes": 3}, "enable_ha", {}, (422, "topology")),
        ({"product_code": "deb10pg11"}, "enable_ha", {}, (422, "version")),
        ({}, "install_extension", {"dbname": "elsewhere"}, (422, "options.dbname")),
        (
            {},
            "install_extension",
            {"extensions_list": [{"name": "hstore"}, {"name": "timescaledb"}]},
            (422, "options.extensions_list.1.name"),
        ),
        ({}, "upgrade", {"targetVersion": "16"}, (422, "options.targetVersion")),
        ({}, "upgrade", {"targetVersion": "15"}, (422, "options.targetVersion")),
        ({}, "upgrade", {"targetVersion": "18"}, (422, "options.targetVersion")),
        ({}, "upgrade", {"targetVersion": "017"}, (422, "options.targetVersion")),
        ({}, "update_patch_party", {"patchParty": {"excluded": True}}, (400, "options.patchParty.exclusionReason")),
        (
            {},
            "update_patch_party",
            {"patchParty": {"excluded": True, "exclusionReason": " "}},
            (400, "options.patchParty.exclusionReason"),
        ),
        (
            {"topology": "HA", "nodes": 2},
            "update_patch_party",
            {"patchParty": {"excluded": False, "patchGroup": "1"}},
            (422, "options.patchParty.patchGroup"),
        ),
    ],
)
def test_what_an_operation_needs(
    sandbox: Inside,
    clock: Clock,
    standing: dict[str, Any],
    operation: str,
    changes: dict[str, Any],
    refusal: tuple[int, str],
) -> None:
    if standing:
        sandbox.control("PATCH", NUMBER, **standing)
    before = sandbox.control("GET", NUMBER).body
    assert sandbox.refused(NUMBER, operation, **{**options(operation, clock), **changes}) == refusal
    assert sandbox.control("GET", NUMBER).body == before
    assert sandbox.call("GET", "/actions", statuses="IN_PROGRESS") == []


@pytest.mark.parametrize("standing", [{"status": "INACTIVE"}, {"backed_up": False}, {"product_code": "deb12pg17"}])
def test_what_a_restore_needs_of_its_source(sandbox: Inside, clock: Clock, standing: dict[str, Any]) -> None:
    sandbox.control("PATCH", SOURCE, **standing)
    assert sandbox.refused(NUMBER, "restore", **options("restore", clock)) == (422, "options.sourceId")


@pytest.mark.parametrize(
    ("destination", "source", "days"), [(125, 125, 14), (125, 123, 7), (123, 125, 7), (124, 123, 7)]
)
def test_the_window_of_a_restore(sandbox: Inside, clock: Clock, destination: int, source: int, days: int) -> None:
    sandbox.control("PATCH", NUMBER, service_id=destination)
    sandbox.control("PATCH", SOURCE, service_id=source)

    def asked(**parts: float) -> int:
        given = {**options("restore", clock), "timestamp": ago(clock, **parts)}
        return sandbox.patch(NUMBER, "restore", **given).status

    refused = (422, "options.timestamp")
    for parts in ({"seconds": -1}, {"days": days, "seconds": 1}):
        given = {**options("restore", clock), "timestamp": ago(clock, **parts)}
        assert sandbox.refused(NUMBER, "restore", **given) == refused
    assert asked(days=days) == 202
    clock.time += 600
    assert asked(seconds=0) == 202


def test_a_restore_from_a_busy_source_is_a_conflict(sandbox: Inside, clock: Clock) -> None:
    sandbox.ordered(SOURCE, "resize", sizing="4cpu8gb")
    reply = sandbox.patch(NUMBER, "restore", **options("restore", clock))
    assert (reply.status, reply.body["errorCode"]) == (409, "OPERATION_IN_PROGRESS")
    assert sandbox.detail(NUMBER)["status"] == "ACTIVE"


@pytest.mark.parametrize("running", ["stop", "resize", "restore", "enable_ha", "install_extension", "upgrade"])
def test_one_action_at_a_time(sandbox: Inside, clock: Clock, running: str) -> None:
    action = sandbox.ordered(NUMBER, running, **options(running, clock))
    for operation in ALL:
        reply = sandbox.patch(NUMBER, operation, **options(operation, clock))
        assert (reply.status, reply.body["errorCode"]) == (409, "OPERATION_IN_PROGRESS")
    clock.time += 600
    assert sandbox.call("GET", f"/actions/{action}")["status"] == "SUCCESS"
    assert sandbox.patch(NUMBER, "update_patch_party", patchParty=PARTY).status == 202


@pytest.mark.parametrize("operation", ALL)
def test_an_operation_that_goes_wrong_leaves_the_cluster_as_it_was(
    sandbox: Inside, clock: Clock, operation: str
) -> None:
    sandbox.control("PATCH", NUMBER, product_code="deb10pg12")
    sandbox.control("PATCH", SOURCE, product_code="deb10pg12")
    prepared(sandbox, operation)

    def standing() -> Any:  # noqa: ANN401 - any JSON
        parts = {part: sandbox.part(NUMBER, part) for part in ("nodes", "databases", "extensions", "versions")}
        return sandbox.control("GET", NUMBER).body, sandbox.detail(NUMBER), parts

    before = standing()
    sandbox.application.faults.replace([{"fault": {"kind": "action_error", "message": "Out of luck"}}])
    action = sandbox.ordered(NUMBER, operation, **options(operation, clock))
    clock.time += 600
    ended = sandbox.call("GET", f"/actions/{action}")
    assert (ended["status"], ended["message"], "completedAt" in ended) == ("ERROR", "Out of luck", True)
    assert standing() == before
    sandbox.application.faults.replace([])
    assert sandbox.patch(NUMBER, operation, **options(operation, clock)).status == 202


@pytest.mark.parametrize("operation", ["resize", "restore", "enable_ha", "upgrade"])
def test_a_restart_goes_on_with_a_running_operation(
    inside: Callable[..., Inside], sandbox: Inside, clock: Clock, operation: str
) -> None:
    action = sandbox.ordered(NUMBER, operation, **options(operation, clock))
    clock.time += 16
    shown = sandbox.part(NUMBER, "nodes"), sandbox.detail(NUMBER), sandbox.call("GET", f"/actions/{action}")
    sandbox.application.stop()
    second = inside(clusters=0)
    assert (second.part(NUMBER, "nodes"), second.detail(NUMBER), second.call("GET", f"/actions/{action}")) == shown
    assert second.patch(NUMBER, "stop").status == 409
    assert second.patch(SOURCE, "stop").status == (409 if operation == "restore" else 202)
    clock.time += 600
    assert second.call("GET", f"/actions/{action}")["status"] == "SUCCESS"
    assert second.detail(NUMBER)["status"] == "ACTIVE"


def test_a_dry_run_of_an_operation_checks_and_does_nothing(sandbox: Inside, clock: Clock) -> None:
    sandbox.headers["itcare-dryrun"] = "true"
    reply = sandbox.patch(NUMBER, "resize", **options("resize", clock))
    assert (reply.status, reply.body, reply.headers) == (202, None, {"ITCare-DryRun": "true"})
    assert sandbox.refused(NUMBER, "start") == (422, "status")
    assert sandbox.detail(NUMBER)["status"] == "ACTIVE"


PATCH = document()["paths"]["/databases/postgresql/{id}"]["patch"]["requestBody"]["content"]["application/json"]
CREATE = document()["paths"]["/databases/postgresql"]["post"]["requestBody"]["content"]["application/json"]


@pytest.mark.parametrize("example", PATCH["examples"].values(), ids=PATCH["examples"])
def test_the_contracts_own_operations_are_accepted(
    inside: Callable[..., Inside], clock: Clock, example: dict[str, Any]
) -> None:
    clock.time = datetime(2022, 11, 3, 10, tzinfo=UTC).timestamp()
    sandbox = inside(clusters=0)
    body = example["value"]
    code = "deb10pg11" if body["operation"] == "upgrade" else "deb12pg16"
    status = "INACTIVE" if body["operation"] == "start" else "ACTIVE"
    sandbox.place(1234)
    sandbox.place(
        5678, status=status, sizing="4cpu8gb", product_code=code, databases=["mydb"], offered=["ext1", "ext2"]
    )
    action = sandbox.ordered(5678, body["operation"], **body.get("options", {}))
    clock.time += 600
    assert sandbox.call("GET", f"/actions/{action}")["status"] == "SUCCESS"


@pytest.mark.parametrize("example", CREATE["examples"].values(), ids=CREATE["examples"])
def test_the_contracts_own_creates_are_accepted(inside: Callable[..., Inside], example: dict[str, Any]) -> None:
    assert inside().call("POST", "/databases/postgresql", example["value"])["status"] == "IN_PROGRESS"


def test_a_cluster_may_be_offered_more_than_the_catalogue(sandbox: Inside) -> None:
    sandbox.place(77, offered=["ext1", "ext2"])
    assert [each["name"] for each in sandbox.part(77, "extensions")[:3]] == ["ext1", "ext2", "btree_gist"]
