"""What actions tell over time, with a clock that the test turns: no waiting."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.caller import EXAMPLE, HA_EXAMPLE
from tests.sandbox.inside import Clock, Inside, told


@pytest.mark.parametrize(("body", "count"), [(EXAMPLE, 8), (HA_EXAMPLE, 9)])
def test_a_create_takes_about_a_minute_in_several_messages(
    inside: Callable[..., Inside], clock: Clock, body: dict[str, Any], count: int
) -> None:
    sandbox = inside()
    ordered = sandbox.call("POST", "/databases/postgresql", body)
    story = told(sandbox, clock, ordered["id"], tick=0.25)
    assert len(story) == count
    assert [status for _, status, _ in story] == ["IN_PROGRESS"] * (count - 1) + ["SUCCESS"]
    assert story[0][2] == "Order received"
    assert story[-1][2] == f"Cluster {body['name']} is ready"
    assert 60 <= story[-1][0] <= 90


def test_a_cluster_grows_while_it_is_created(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside()
    action = sandbox.call("POST", "/databases/postgresql", HA_EXAMPLE)
    number = sandbox.summary("newpostgre02")["internalResourceId"]
    seen = []
    while sandbox.call("GET", f"/actions/{action['id']}")["status"] == "IN_PROGRESS":
        seen.append(_standing(sandbox, number))
        clock.time += 0.25
    seen.append(_standing(sandbox, number))
    assert list(dict.fromkeys(seen)) == [
        ("CREATING", False, 0, 0),
        ("CREATING", True, 0, 0),
        ("CREATING", True, 1, 0),
        ("CREATING", True, 2, 0),
        ("CREATING", True, 3, 0),
        ("CREATING", True, 3, 1),
        ("ACTIVE", True, 3, 1),
    ]


def _standing(sandbox: Inside, number: int) -> tuple[str, bool, int, int]:
    path = f"/databases/postgresql/{number}"
    detail = sandbox.call("GET", path)
    addressed = "ipAddress" in detail
    assert ("ipAddress" in sandbox.call("GET", f"{path}/networks")) == addressed
    nodes, databases = sandbox.call("GET", f"{path}/nodes"), sandbox.call("GET", f"{path}/databases")
    return detail["status"], addressed, len(nodes), len(databases)


def test_speed_divides_what_an_action_takes(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside(speed=10)
    ordered = sandbox.call("POST", "/databases/postgresql", EXAMPLE)
    assert 6 <= told(sandbox, clock, ordered["id"], tick=0.05)[-1][0] <= 9


def test_what_is_under_way_goes_on_step_by_step_when_it_is_told_to(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside(speed=0.001)
    ordered = sandbox.call("POST", "/databases/postgresql", EXAMPLE)
    path = f"/actions/{ordered['id']}"
    seen: list[tuple[str, str]] = []
    under_way = [ordered["id"]]
    while under_way:
        clock.time += 1
        under_way = sandbox.hasten("next")
        action = sandbox.call("GET", path)
        seen.append((action["status"], action["message"]))
    assert len(dict.fromkeys(seen)) == len(seen) == 7
    assert [status for status, _ in seen[:-1]] == ["IN_PROGRESS"] * 6
    assert seen[-1] == ("SUCCESS", f"Cluster {EXAMPLE['name']} is ready")
    assert sandbox.call("GET", path)["completedAt"] == "2027-01-15T08:00:07.000Z"


def test_what_is_under_way_ends_when_it_is_told_to(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside(speed=0.001)
    action = sandbox.ordered(500_000_000, "resize", sizing="3cpu3gb")
    clock.time += 5
    assert sandbox.call("GET", f"/actions/{action}")["status"] == "IN_PROGRESS"
    assert sandbox.hasten("end") == []
    ended = sandbox.call("GET", f"/actions/{action}")
    assert (ended["status"], ended["completedAt"]) == ("SUCCESS", "2027-01-15T08:00:05.000Z")
    assert (sandbox.detail(500_000_000)["status"], sandbox.detail(500_000_000)["cpu"]) == ("ACTIVE", 3)


def test_a_delete_empties_the_cluster_and_then_it_is_gone(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside()
    ordered = sandbox.call("DELETE", "/databases/postgresql/500000000")
    assert sandbox.call("GET", "/databases/postgresql/500000000")["status"] == "DELETING"
    story = told(sandbox, clock, ordered["id"], tick=0.25)
    assert len(story) == 6
    assert story[-1][1] == "SUCCESS"
    assert sandbox.call("GET", "/databases/postgresql/500000000") is None


def test_times_of_an_action(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside()
    action = sandbox.call("POST", "/databases/postgresql", EXAMPLE)
    assert action["lastUpdatedAt"] == "2027-01-15T08:00:00.000Z"
    clock.time += 6
    running = sandbox.call("GET", f"/actions/{action['id']}")
    assert running["submittedAt"] == "2027-01-15T08:00:00.000Z"
    assert "2027-01-15T08:00:03" < running["lastUpdatedAt"] < "2027-01-15T08:00:05"
    assert "completedAt" not in running
    clock.time += 600
    ended = sandbox.call("GET", f"/actions/{action['id']}")
    assert ended["completedAt"] == ended["lastUpdatedAt"]
    assert "2027-01-15T08:01:00" < ended["completedAt"] < "2027-01-15T08:01:30"


def test_an_action_that_fails_puts_everything_back(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside()
    before = sandbox.call("GET", "/databases/postgresql/500000000")
    nodes = sandbox.call("GET", "/databases/postgresql/500000000/nodes")
    sandbox.application.faults.replace([{"fault": {"kind": "action_error", "message": "No capacity in EB-A"}}])
    deleting = sandbox.call("DELETE", "/databases/postgresql/500000000")
    creating = sandbox.call("POST", "/databases/postgresql", EXAMPLE)
    clock.time += 600
    for action in (deleting, creating):
        ended = sandbox.call("GET", f"/actions/{action['id']}")
        assert (ended["status"], ended["message"]) == ("ERROR", "No capacity in EB-A")
    assert sandbox.call("GET", "/databases/postgresql/500000000") == before
    assert sandbox.call("GET", "/databases/postgresql/500000000/nodes") == nodes
    assert sandbox.summary("newpostgre01") is None


def test_filters_of_actions(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside()
    first = sandbox.call("POST", "/databases/postgresql", EXAMPLE)["id"]
    clock.time += 600
    second = sandbox.call("POST", "/databases/postgresql", {**EXAMPLE, "name": "another01", "serviceId": 124})["id"]
    listed = sandbox.summary("another01")["id"]

    def chosen(**query: str) -> list[int]:
        return [each["id"] for each in sandbox.call("GET", "/actions", **query) if each["submittedBy"] == "account"]

    assert chosen() == [first, second]
    assert chosen(statuses="IN_PROGRESS") == [second]
    assert chosen(statuses="SUCCESS,ERROR") == [first]
    assert chosen(resourceName="newpostgre01") == [first]
    assert chosen(resourceId=str(listed)) == [second]
    assert chosen(serviceId="123") == [first]
    assert chosen(resourceName="nothing") == []


def test_a_restart_goes_on_by_the_clock(inside: Callable[..., Inside], clock: Clock) -> None:
    first = inside()
    action = first.call("POST", "/databases/postgresql", EXAMPLE)
    clock.time += 20
    before = first.call("GET", f"/actions/{action['id']}")
    first.application.stop()
    second = inside()
    assert second.call("GET", f"/actions/{action['id']}") == before
    assert second.summary("newpostgre01")["status"] == "CREATING"
    clock.time += 600
    third = inside()
    assert third.call("GET", f"/actions/{action['id']}")["status"] == "SUCCESS"
    assert third.summary("newpostgre01")["status"] == "ACTIVE"
    assert third.call("POST", "/databases/postgresql", {**EXAMPLE, "name": "another01"})["id"] == action["id"] + 1


def test_what_was_deleted_stays_deleted(inside: Callable[..., Inside], clock: Clock) -> None:
    first = inside()
    first.call("DELETE", "/databases/postgresql/500000000")
    clock.time += 600
    first.call("GET", "/actions")
    first.application.stop()
    inside(clusters=0).application.stop()
    second = inside()
    assert second.call("GET", "/databases/postgresql/500000000") is None
    assert second.call("GET", "/compute/resources", types="POSTGRESQL")["totalElements"] == 9


def test_the_world_follows_from_its_seed(tmp_path: Path, clock: Clock) -> None:
    def listed(folder: str, **options: Any) -> list[Any]:  # noqa: ANN401 - any option
        sandbox = Inside(tmp_path / folder, clock, **options)
        content = sandbox.call("GET", "/compute/resources", types="POSTGRESQL", size="200")["content"]
        return [sandbox.call("GET", f"/databases/postgresql/{each['internalResourceId']}") for each in content]

    small, large = listed("a", seed=1, clusters=10), listed("b", seed=1, clusters=50)
    assert (len(small), len(large)) == (10, 50)
    assert small == large[:10]
    assert small != listed("c", seed=2, clusters=10)


def test_a_world_can_grow_and_keeps_its_seed_and_its_start(inside: Callable[..., Inside], clock: Clock) -> None:
    first = inside(clusters=10)
    before = first.call("GET", "/databases/postgresql/500000050")
    first.call("POST", "/databases/postgresql", EXAMPLE)
    clock.time += 86_400 * 10
    second = inside(clusters=30, seed=7)
    assert second.call("GET", "/compute/resources", types="POSTGRESQL")["totalElements"] == 31
    assert second.call("GET", "/databases/postgresql/500000050") == before
