"""What tests may do to clusters behind the API's back."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from tests.sandbox.caller import Caller
from tests.sandbox.inside import Inside


def test_a_placed_cluster_is_like_any_other(start: Callable[..., Caller]) -> None:
    caller = start(clusters=2)
    caller.sandbox.place_cluster(1234, name="placedone", databases=["postgres", "mydb"], nodes=3, topology="HA")
    listed = caller.named("placedone")
    assert (listed["internalResourceId"], listed["id"]) == (1234, 9_001_234)
    detail = caller.get("/databases/postgresql/1234")
    assert {name: detail[name] for name in listed} == listed
    for part in ("databases", "extensions", "networks", "nodes", "versions"):
        caller.get(f"/databases/postgresql/1234/{part}")
    assert caller.get(f"/compute/resources/{listed['id']}/history") == []
    assert caller.create(name="placedone").status_code == 409
    assert [each["name"] for each in caller.clusters()][2] == "placedone"
    caller.sandbox.restart()
    assert caller.get("/databases/postgresql/1234") == detail
    assert caller.sandbox.writes()[1:] == []


def test_a_cluster_changes_and_disappears_at_once(start: Callable[..., Caller]) -> None:
    caller = start(clusters=3)
    name = caller.clusters()[1]["name"]
    changed = caller.sandbox.change_cluster(500_000_010, status="MAINTENANCE", sizing="16cpu64gb", name="renamed1")
    assert changed == caller.sandbox.cluster(500_000_010)
    detail = caller.get("/databases/postgresql/500000010")
    assert (detail["status"], detail["cpu"], detail["name"]) == ("MAINTENANCE", 16, "renamed1")
    assert caller.clusters(f"&names={name}") == []
    caller.sandbox.remove_cluster(500_000_010)
    assert caller.call("GET", "/databases/postgresql/500000010").status_code == 404
    assert len(caller.clusters()) == 2
    assert caller.get("/actions?statuses=IN_PROGRESS") == []
    with pytest.raises(ValueError, match="no such cluster"):
        caller.sandbox.change_cluster(500_000_010, status="ACTIVE")


def test_an_action_outlives_its_cluster(start: Callable[..., Caller]) -> None:
    caller = start(clusters=1, speed=2000)
    path = "/databases/postgresql/500000000"
    action = caller.call("PATCH", path, {"operation": "resize", "options": {"sizing": "3cpu3gb"}}).json()
    caller.sandbox.remove_cluster(500_000_000)
    assert caller.ended(action["id"])["status"] == "SUCCESS"
    assert caller.call("GET", path).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"colour": "blue"},
        {"number": 5},
        {"name": ""},
        {"name": 5},
        {"nodes": 4},
        {"nodes": 2, "node_statuses": ["ACTIVE"]},
        {"node_sizings": ["big"]},
        {"product_code": "oracle"},
        {"product_code": "deb12pg16\n"},
        {"sizing": "99cpu1gb"},
        {"service_id": 999},
        {"network_id": 999},
        {"area": "XX"},
        {"zone": "EB-C"},
        {"databases": "postgres"},
        {"name": "taken"},
        {"id": 9_000_001},
    ],
)
def test_a_cluster_that_nothing_could_be_told_of_is_refused(
    inside: Callable[..., Inside], fields: dict[str, object]
) -> None:
    sandbox = inside(clusters=0)
    sandbox.place(1, name="taken")
    reply = sandbox.control("PUT", 2, **fields)
    assert (reply.status, set(reply.body)) == (400, {"error"})
    assert sandbox.control("GET", 2).status == 404


def test_the_clock_can_be_another(start: Callable[..., Caller]) -> None:
    wanted = datetime(2022, 11, 3, 10, tzinfo=UTC)
    caller = start(clusters=1, clock_shift=(wanted - datetime.now(UTC)).total_seconds())
    answer = caller.create()
    assert answer.json()["lastUpdatedAt"].startswith("2022-11-03T10:0")
    assert parsedate_to_datetime(answer.headers["Date"]).date() == wanted.date()
