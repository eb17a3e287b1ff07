from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.sandbox.caller import Caller

PARTS = ("databases", "extensions", "networks", "nodes", "versions")


def test_every_read_of_every_cluster_satisfies_the_contract(world: Caller) -> None:
    clusters = world.clusters()
    for cluster in clusters:
        number = cluster["internalResourceId"]
        detail = world.get(f"/databases/postgresql/{number}")
        assert {name: detail[name] for name in cluster} == cluster
        for part in PARTS:
            world.get(f"/databases/postgresql/{number}/{part}")
        history = world.get(f"/compute/resources/{cluster['id']}/history")
        assert [(each["resourceName"], each["status"]) for each in history] == [(cluster["name"], "SUCCESS")]
        assert world.get(f"/actions/{history[0]['id']}") == history[0]
    assert len(clusters) == 40


def test_lists_satisfy_the_contract(world: Caller) -> None:
    assert world.get("/compute/services")["totalElements"] == 12
    assert world.get("/networks")["totalElements"] == 12
    assert [region["name"] for region in world.get("/regions")] == ["EB", "ET"]
    world.get("/actions")
    world.get("/compute/resources")


def test_a_cluster_holds_together(world: Caller) -> None:
    for cluster in world.clusters():
        number = cluster["internalResourceId"]
        detail = world.get(f"/databases/postgresql/{number}")
        nodes = world.get(f"/databases/postgresql/{number}/nodes")
        network = world.get(f"/databases/postgresql/{number}/networks")
        expected = 3 if detail["topology"] == "HA" else 1
        assert (len(nodes), detail["nodeCount"], detail["instanceCount"]) == (expected, expected, expected)
        assert {(node["cpu"], node["ram"]) for node in nodes} == {(detail["cpu"], detail["ram"])}
        assert network["id"] == detail["networkId"]
        assert network["area"] == detail["area"]
        assert network["ipAddress"] == detail["ipAddress"]
        assert detail["productCode"].endswith(f"pg{detail['version']}")
        own = int(detail["version"])
        above = [version for version in (12, 13, 14, 15, 16, 17) if version > own]
        assert world.get(f"/databases/postgresql/{number}/versions") == above
        assert world.get(f"/databases/postgresql/{number}/databases")[0] == {"name": "postgres"}


def test_details_answer_to_one_identifier_and_history_to_the_other(world: Caller) -> None:
    cluster = world.clusters()[0]
    assert cluster["id"] != cluster["internalResourceId"]
    for path in (
        f"/databases/postgresql/{cluster['id']}",
        f"/databases/postgresql/{cluster['id']}/nodes",
        f"/compute/resources/{cluster['internalResourceId']}/history",
        "/actions/1",
    ):
        answer = world.call("GET", path)
        assert (answer.status_code, answer.content) == (404, b"")


def test_the_data_is_varied(world: Caller) -> None:
    details = [world.get(f"/databases/postgresql/{each['internalResourceId']}") for each in world.clusters()]
    soon = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    now = datetime.now(UTC).isoformat()
    assert len({each["version"] for each in details}) >= 5
    assert len({each["nodeSizing"] for each in details}) >= 4
    assert {each["topology"] for each in details} == {"STANDALONE", "HA"}
    assert {each["status"] for each in details} == {"ACTIVE", "INACTIVE"}
    assert {each["environment"] for each in details} == {"PRODUCTION", "QA", "DEVELOPMENT", "TEST"}
    assert {each["cloudName"] for each in details} == {"ACME", "GLOBEX"}
    assert any(now < each["endOfSupportAt"] < soon for each in details)
    assert len({each["ipAddress"] for each in details}) == 40
    assert len({each["creationTime"][:4] for each in details}) >= 3


def test_services_networks_and_zones_that_scripts_rely_on(world: Caller) -> None:
    services = {each["id"]: (each["name"], each["environment"]) for each in world.get("/compute/services")["content"]}
    networks = {each["id"]: each for each in world.get("/networks")["content"]}
    regions = world.get("/regions")
    assert services[123] == ("ACME - BILLING - DEV", "DEVELOPMENT")
    assert networks[132]["area"] == "EB-QA"
    areas = {
        area["name"]: (area["default"], [zone["name"] for zone in area["availabilityZones"]])
        for region in regions
        for area in region["areas"]
    }
    assert areas == {
        "EB": (True, ["EB-A", "EB-B", "EB-C"]),
        "EB-QA": (False, ["EB-A", "EB-B"]),
        "ET": (True, ["ET-A", "ET-B"]),
    }


def test_pages_cover_everything_once(world: Caller) -> None:
    first = world.get("/compute/resources?size=10")
    assert {name: value for name, value in first.items() if name != "content"} == {
        "totalElements": 54,
        "totalPages": 6,
        "number": 0,
        "size": 10,
        "numberOfElements": 10,
        "first": True,
        "last": False,
        "empty": False,
        "sort": {"empty": True, "sorted": False, "unsorted": True},
    }
    pages = [world.get(f"/compute/resources?size=10&page={page}") for page in range(6)]
    listed = [each["id"] for page in pages for each in page["content"]]
    assert len(listed) == 54
    assert listed == [each["id"] for each in world.get("/compute/resources?size=200")["content"]]
    assert (pages[5]["last"], pages[5]["numberOfElements"]) == (True, 4)
    beyond = world.get("/compute/resources?size=10&page=6")
    assert (beyond["content"], beyond["empty"], beyond["last"], beyond["totalElements"]) == ([], True, True, 54)


def test_page_sizes(world: Caller) -> None:
    assert world.get("/compute/resources")["size"] == 50
    assert world.get("/compute/resources?size=5000")["size"] == 200


@pytest.mark.parametrize("query", ["page=-1", "page=x", "size=0", "sort=colour", "sort=name,up", "services=x"])
def test_a_query_that_cannot_be_followed_is_refused(world: Caller, query: str) -> None:
    answer = world.call("GET", f"/compute/resources?{query}", check=False)
    assert (answer.status_code, answer.json()["errorDesc"]) == (400, query.partition("=")[0])


@pytest.mark.parametrize("direction", ["", ",asc", ",desc"])
def test_sorting(world: Caller, direction: str) -> None:
    names = [each["name"] for each in world.clusters(f"&sort=name{direction}")]
    assert names == sorted(names, reverse=direction == ",desc")
    assert len(names) == 40


def test_filters_of_resources(world: Caller) -> None:
    every = world.get("/compute/resources?size=200")["content"]

    def chosen(query: str) -> list[int]:
        return [each["id"] for each in world.get(f"/compute/resources?size=200&{query}")["content"]]

    def expected(keep: Callable[[dict[str, Any]], bool]) -> list[int]:
        found = [each["id"] for each in every if keep(each)]
        assert 0 < len(found) < len(every)
        return found

    first, second = every[20]["name"], every[21]["name"]
    assert chosen("services=123,125") == expected(lambda each: each["serviceId"] in {123, 125})
    assert chosen("services=123&services=125") == expected(lambda each: each["serviceId"] in {123, 125})
    assert chosen("statuses=INACTIVE") == expected(lambda each: each["status"] == "INACTIVE")
    assert chosen("environments=PRODUCTION") == expected(lambda each: each["environment"] == "PRODUCTION")
    assert chosen("types=POSTGRESQL,REDIS") == expected(lambda each: each["type"] in {"POSTGRESQL", "REDIS"})
    assert chosen("families=DEBIAN") == expected(lambda each: each["family"] == "DEBIAN")
    assert chosen("clouds=12") == expected(lambda each: each["cloudId"] == 12)
    assert chosen(f"names={first},{second.upper()}") == expected(lambda each: each["name"] in {first, second})
    assert chosen(f"names=!{first}") == expected(lambda each: each["name"] != first)


def test_filters_of_services_and_networks(world: Caller) -> None:
    services = world.get("/compute/services?environments=QA&clouds=11")["content"]
    assert [each["id"] for each in services] == [124]
    networks = world.get("/networks?area=EB-QA&environment=DEVELOPMENT")["content"]
    assert [each["id"] for each in networks] == [132, 233]
    assert [each["id"] for each in world.get("/networks?scope=interco")["content"]] == [190]


def test_there_are_resources_of_other_products(world: Caller) -> None:
    types = Counter(each["type"] for each in world.get("/compute/resources?size=200")["content"])
    assert types == {"POSTGRESQL": 40, "LINUX": 3, "WINDOWS": 3, "MARIADB": 3, "REDIS": 3, "KUBERNETES": 2}


@pytest.mark.parametrize("missing", ["services", "networks", "regions"])
def test_guessed_lists_can_be_switched_off(start: Callable[..., Caller], missing: str) -> None:
    caller = start(without=missing, clusters=1)
    caller.without = (missing,)
    found = {
        name: caller.call("GET", path).status_code
        for name, path in (("services", "/compute/services"), ("networks", "/networks"), ("regions", "/regions"))
    }
    assert found == {name: 404 if name == missing else 200 for name in ("services", "networks", "regions")}


def test_unknown_addresses_and_methods(world: Caller) -> None:
    assert world.call("GET", "/databases/postgresql", check=False).status_code == 405
    assert world.call("GET", "/databases/mariadb", check=False).status_code == 404
    assert world.call("GET", "/databases/postgresql/500000000/backups", check=False).status_code == 404
    assert world.call("GET", f"/databases/postgresql/{2**63}", check=False).status_code == 400
    assert requests.get(f"{world.sandbox.root}/", timeout=5).status_code == 404


def test_media_types(world: Caller) -> None:
    def status(accept: str) -> int:
        return world.call("GET", "/regions", headers={"Accept": accept}, check=False).status_code

    assert [status(each) for each in ("*/*", "application/json", "text/html, */*;q=0.5")] == [200, 200, 200]
    assert status("text/html") == 406


def test_health_needs_no_token(world: Caller) -> None:
    answer = requests.get(f"{world.sandbox.base_url}/health", timeout=5)
    assert (answer.status_code, answer.json()) == (200, {"status": "UP"})
