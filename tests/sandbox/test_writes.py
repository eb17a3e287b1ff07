import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import sandbox_server
from tests.sandbox.caller import EXAMPLE, HA_EXAMPLE, Caller

RESTORE = {"sourceId": 500000000, "stop": "BEFORE", "timestamp": "2022-11-02T09:32:02.000+00:00"}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Return a client of a stand-in whose actions do not end during a test."""
    with sandbox_server.start(tmp_path_factory.mktemp("slow"), speed=0.001, clusters=20) as sandbox:
        yield Caller(sandbox)


def test_the_documented_example_becomes_an_active_cluster(caller: Caller) -> None:
    answer = caller.create(name="NEWPOSTGRE01")
    ordered = answer.json()
    assert answer.status_code == 202
    assert (ordered["status"], ordered["process"], ordered["resourceName"]) == (
        "IN_PROGRESS",
        "postgresql_create",
        "newpostgre01",
    )
    assert ordered["id"] != ordered["internalId"]
    ended = caller.ended(ordered["id"])
    assert (ended["status"], ended["submittedBy"]) == ("SUCCESS", caller.sandbox.client_id)
    listed = caller.named("newpostgre01")
    detail = caller.get(f"/databases/postgresql/{listed['internalResourceId']}")
    told = {
        "status": "ACTIVE",
        "productCode": "deb12pg16",
        "version": "16",
        "serviceId": 123,
        "serviceName": "ACME - BILLING - DEV",
        "environment": "DEVELOPMENT",
        "nodeSizing": "2cpu4gb",
        "sizing": "2cpu4gb",
        "cpu": 2,
        "ram": 4,
        "networkId": 132,
        "area": "EB-QA",
        "labelAvailabilityZone": "EB-A",
        "storage": 40,
        "allowedReplicationLag": 10,
        "topology": "STANDALONE",
        "trigram": "tri",
        "tlsEnabled": True,
        "nodeCount": 1,
        "url": "newpostgre01.pg.cegedim.cloud",
    }
    assert {name: detail[name] for name in told} == told
    assert "Test123@2022" not in json.dumps(detail)
    assert [each["process"] for each in caller.get(f"/compute/resources/{listed['id']}/history")] == [
        "postgresql_create"
    ]


def test_high_availability_has_three_nodes_over_the_zones(caller: Caller) -> None:
    ordered = caller.call("POST", "/databases/postgresql", HA_EXAMPLE).json()
    assert caller.ended(ordered["id"])["status"] == "SUCCESS"
    number = caller.named("newpostgre02")["internalResourceId"]
    nodes = caller.get(f"/databases/postgresql/{number}/nodes")
    assert [(node["name"], node["labelAvailabilityZone"]) for node in nodes] == [
        ("NEWPG01", "EB-A"),
        ("NEWPG02", "EB-B"),
        ("NEWPG03", "EB-A"),
    ]
    assert len({node["ipAddress"] for node in nodes}) == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "four"}, "name"),
        ({"name": "a" * 61}, "name"),
        ({"name": "new-postgre"}, "name"),
        ({"name": "newpostgre\n"}, "name"),
        ({"name": "Cluster"}, "name"),
        ({"diskSize": 39}, "diskSize"),
        ({"diskSize": 1025}, "diskSize"),
        ({"diskSize": "40"}, "diskSize"),
        ({"allowedReplicationLag": 0}, "allowedReplicationLag"),
        ({"allowedReplicationLag": 10241}, "allowedReplicationLag"),
        ({"admPassword": "Test123@202"}, "admPassword"),
        ({"admPassword": "Test12312022"}, "admPassword"),
        ({"topology": "CLUSTER"}, "topology"),
        ({"topology": None}, "topology"),
        ({"topology": "HA", "nodePrefix": "FOUR"}, "nodePrefix"),
        ({"topology": "HA", "nodePrefix": "A" * 13}, "nodePrefix"),
        ({"topology": "HA"}, "nodePrefix"),
        ({"topology": "HA", "nodePrefix": "NEWPG", "az": None}, "az"),
        ({"topology": "HA", "nodePrefix": "NEWPG", "tls": None}, "tls"),
        ({"area": None, "az": None}, "area"),
        ({"nodePrefix": "NEWPG"}, "nodePrefix"),
        ({"colour": "blue"}, "colour"),
        ({"trigram": "four"}, "trigram"),
    ],
)
def test_a_body_outside_of_the_contract_is_refused_with_its_field(
    slow: Caller, changes: dict[str, object], field: str
) -> None:
    body = {name: value for name, value in {**EXAMPLE, **changes}.items() if value is not None}
    answer = slow.call("POST", "/databases/postgresql", body, check=False)
    told = answer.json()
    assert (answer.status_code, told["status"], told["errorCode"], told["errorDesc"]) == (
        400,
        "BAD_REQUEST",
        "INVALID_FIELD_VALUE",
        field,
    )
    assert told["errorMessage"].startswith(f"Error on field '{field}'")
    assert str(body.get("admPassword")) not in answer.text
    assert slow.clusters("&names=newpostgre01") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"serviceId": 999}, "serviceId"),
        ({"networkId": 999}, "networkId"),
        ({"networkId": 151}, "networkId"),
        ({"area": "XX"}, "area"),
        ({"az": "az"}, "az"),
        ({"az": "EB-C"}, "az"),
        ({"productCode": "deb12pg11"}, "productCode"),
        ({"productCode": "oracle"}, "productCode"),
        ({"nodeSizing": "99cpu1gb"}, "nodeSizing"),
    ],
)
def test_what_does_not_exist_or_fit_is_refused_with_its_field(
    slow: Caller, changes: dict[str, object], field: str
) -> None:
    answer = slow.create(**changes)
    told = answer.json()
    assert (answer.status_code, told["status"], told["errorDesc"]) == (422, "UNPROCESSABLE_ENTITY", field)
    assert slow.clusters("&names=newpostgre01") == []


@pytest.mark.parametrize(
    ("name", "changes", "place"),
    [
        ("areaalone", {"az": None}, ("EB-QA", "EB-A")),
        ("zonealone", {"area": None}, ("EB-QA", "EB-A")),
        ("defaultarea", {"area": None, "az": "EB-C", "networkId": 142}, ("EB", "EB-C")),
        ("otherregion", {"area": "ET", "az": None, "networkId": 151}, ("ET", "ET-A")),
    ],
)
def test_area_or_zone_is_enough(slow: Caller, name: str, changes: dict[str, object], place: tuple[str, str]) -> None:
    assert slow.create(**changes, name=name).status_code == 202
    detail = slow.get(f"/databases/postgresql/{slow.named(name)['internalResourceId']}")
    assert (detail["area"], detail["labelAvailabilityZone"]) == place


def test_a_taken_name_is_a_conflict_whatever_its_capitals(slow: Caller) -> None:
    assert slow.create(name="takenname").status_code == 202
    answer = slow.create(name="TakenName")
    assert (answer.status_code, answer.json()["status"], answer.json()["errorDesc"]) == (409, "CONFLICT", "name")
    assert len(slow.clusters("&names=takenname")) == 1


def test_a_cluster_carries_one_action_at_a_time(slow: Caller) -> None:
    slow.create(name="busyname")
    path = f"/databases/postgresql/{slow.named('busyname')['internalResourceId']}"
    answer = slow.call("DELETE", path)
    assert (answer.status_code, answer.json()["errorCode"]) == (409, "OPERATION_IN_PROGRESS")
    assert [each["process"] for each in slow.get("/actions?resourceName=busyname")] == ["postgresql_create"]


def test_a_deleted_cluster_is_gone(caller: Caller) -> None:
    cluster = caller.clusters()[0]
    path = f"/databases/postgresql/{cluster['internalResourceId']}"
    answer = caller.call("DELETE", path)
    assert (answer.status_code, answer.json()["process"]) == (202, "postgresql_delete")
    assert caller.ended(answer.json()["id"])["status"] == "SUCCESS"
    assert caller.call("GET", path).status_code == 404
    assert caller.call("DELETE", path).status_code == 404
    assert caller.clusters(f"&names={cluster['name']}") == []
    assert len(caller.clusters()) == 39
    assert caller.create(name=cluster["name"]).status_code == 202


def test_a_delete_takes_no_body(slow: Caller) -> None:
    path = f"/databases/postgresql/{slow.clusters()[0]['internalResourceId']}"
    answer = slow.call("DELETE", path, {"changeReference": "RFC 1"}, check=False)
    assert (answer.status_code, answer.json()["errorDesc"]) == (400, "body")


def test_details_for_a_write_answer_to_one_identifier_too(slow: Caller) -> None:
    answer = slow.call("DELETE", f"/databases/postgresql/{slow.clusters()[0]['id']}")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"operation": "restart"}, "operation"),
        ({}, "operation"),
        ({"operation": "resize"}, "options"),
        ({"operation": "resize", "options": {"sizing": "big"}}, "options.sizing"),
        ({"operation": "resize", "options": {"sizing": "2cpu4gb", "disk": 1}}, "options.disk"),
        ({"operation": "stop", "options": {}}, "options"),
        ({"operation": "restore", "options": {"sourceId": 500000000, "stop": "BEFORE"}}, "options.timestamp"),
        ({"operation": "restore", "options": {**RESTORE, "stop": "NEXT"}}, "options.stop"),
        ({"operation": "restore", "options": {**RESTORE, "timestamp": "2022-11-02"}}, "options.timestamp"),
        ({"operation": "restore", "options": {**RESTORE, "timestamp": "2022-11-02T09:32:02"}}, "options.timestamp"),
        ({"operation": "restore", "options": {**RESTORE, "timestamp": "2022-13-02T09:32:02Z"}}, "options.timestamp"),
        ({"operation": "enable_ha", "options": {"replicationLag": 0}}, "options.replicationLag"),
        ({"operation": "enable_ha", "options": {"replicationLag": 501}}, "options.replicationLag"),
        ({"operation": "update_patch_party", "options": {"patchParty": {}}}, "options.patchParty.excluded"),
        (
            {"operation": "update_patch_party", "options": {"patchParty": {"excluded": False, "patchGroup": "4"}}},
            "options.patchParty.patchGroup",
        ),
        (
            {"operation": "install_extension", "options": {"dbname": "postgres", "extensions_list": []}},
            "options.extensions_list",
        ),
        ({"operation": "upgrade", "options": {"targetVersion": 16}}, "options.targetVersion"),
    ],
)
def test_operations_are_held_against_the_contract(slow: Caller, body: dict[str, object], field: str) -> None:
    answer = slow.call("PATCH", "/databases/postgresql/500000000", body, check=False)
    assert (answer.status_code, answer.json()["errorDesc"]) == (400, field)


def test_a_dry_run_checks_and_does_nothing(slow: Caller) -> None:
    header = {"ITCare-DryRun": "true"}
    body = {**EXAMPLE, "name": "dryrunname"}
    answer = slow.call("POST", "/databases/postgresql", body, headers=header)
    assert (answer.status_code, answer.content, answer.headers["ITCare-DryRun"]) == (202, b"", "true")
    assert slow.call("POST", "/databases/postgresql", {**body, "serviceId": 9}, headers=header).status_code == 422
    assert slow.clusters("&names=dryrunname") == []


def test_media_types_of_bodies(slow: Caller) -> None:
    def status(content_type: str, name: str) -> int:
        body = {**EXAMPLE, "name": name}
        headers = {"Content-Type": content_type}
        return slow.call("POST", "/databases/postgresql", body, headers=headers, check=False).status_code

    assert status("application/vnd.cegedim-it.v1+json", "vendortype") == 202
    assert status("application/json; charset=utf-8", "plaintype") == 202
    assert status("text/plain", "texttype") == 415


def test_the_narrower_password_rule(start: Callable[..., Caller]) -> None:
    caller = start(narrow_password=True, clusters=1)
    for password, status in (("Test123@2022" * 2, 400), ("Test123-2022", 400), ("Test123@2022", 202)):
        answer = caller.create(admPassword=password)
        assert answer.status_code == status, password
        if status == 400:
            assert answer.json()["errorDesc"] == "admPassword"


def test_every_write_is_noted_exactly(start: Callable[..., Caller]) -> None:
    caller = start(speed=0.001, clusters=2)
    bad = {"name": "x", "topology": "STANDALONE"}
    caller.call("GET", "/regions")
    caller.call("POST", "/databases/postgresql", EXAMPLE)
    caller.call("POST", "/databases/postgresql", bad, check=False)
    caller.call("DELETE", "/databases/postgresql/500000000")
    caller.call("PATCH", "/databases/postgresql/1", {"operation": "start"})
    caller.call("POST", "/databases/postgresql", EXAMPLE, headers={"Authorization": "Bearer no"})
    caller.call("POST", "/elsewhere", ["é"], check=False)
    expected = [
        ("POST", "/databases/postgresql", EXAMPLE),
        ("POST", "/databases/postgresql", bad),
        ("DELETE", "/databases/postgresql/500000000", None),
        ("PATCH", "/databases/postgresql/1", {"operation": "start"}),
        ("POST", "/databases/postgresql", EXAMPLE),
        ("POST", "/elsewhere", ["é"]),
    ]
    writes = caller.sandbox.writes()
    assert [(each["method"], each["path"], each["body"]) for each in writes] == expected
    assert [set(each) for each in writes] == [{"at", "method", "path", "body"}] * 6
    assert [each["at"] for each in writes] == sorted(each["at"] for each in writes)
    caller.sandbox.kill()
    caller.sandbox.start()
    assert caller.sandbox.writes() == writes


def test_of_creates_of_one_name_at_once_one_is_accepted(slow: Caller) -> None:
    slow.token()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: slow.create(name="wantedname").status_code, range(8)))
    assert sorted(answers) == [202] + [409] * 7
    assert len(slow.get("/actions?resourceName=wantedname")) == 1
