import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.sandbox.caller import EXAMPLE, Caller
from tests.sandbox.inside import Clock, Inside
from tests.sandbox_server import until

CREATE = {"method": "POST", "path": "/databases/postgresql"}


def rule(kind: str, *, times: int | None = 1, match: dict[str, str] | None = None, **fields: object) -> dict[str, Any]:
    return {"match": CREATE if match is None else match, "times": times, "fault": {"kind": kind, **fields}}


@pytest.fixture(scope="module")
def faulty(world: Caller) -> Caller:
    """Return a client of a stand-in whose faults a module's tests set."""
    return world


def names(caller: Caller) -> list[str]:
    return [each["name"] for each in caller.clusters("&names=faultone,faulttwo")]


def test_a_refusal_does_nothing(caller: Caller) -> None:
    body = {"errorCode": "QUOTA", "errorMessage": "no more"}
    caller.sandbox.set_faults(rule("refuse", status=409, body=body))
    answer = caller.create(name="faultone")
    assert (answer.status_code, answer.json()) == (409, body)
    assert names(caller) == []
    assert caller.create(name="faulttwo").status_code == 202
    assert names(caller) == ["faulttwo"]


def test_a_refusal_without_a_body_and_with_headers(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("refuse", status=503, headers={"Retry-After": "3"}, match={"path": "/regions"}))
    answer = caller.call("GET", "/regions")
    assert (answer.status_code, answer.content, answer.headers["Retry-After"]) == (503, b"", "3")
    assert caller.call("GET", "/regions").status_code == 200


def test_an_empty_answer_to_something_done(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("empty"))
    answer = caller.create(name="faultone")
    assert (answer.status_code, answer.content) == (202, b"")
    assert names(caller) == ["faultone"]


@pytest.mark.parametrize(("kind", "done"), [("drop", ["faultone"]), ("drop_before", [])])
def test_a_dropped_connection(caller: Caller, kind: str, done: list[str]) -> None:
    caller.token()
    caller.sandbox.set_faults(rule(kind))
    with pytest.raises(requests.ConnectionError):
        caller.create(name="faultone")
    assert names(caller) == done
    assert [each["body"] for each in caller.sandbox.writes()] == [{**EXAMPLE, "name": "faultone"}]


def test_a_status_after_it_was_done(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("status_after", status=500))
    answer = caller.create(name="faultone")
    assert (answer.status_code, answer.content) == (500, b"")
    assert names(caller) == ["faultone"]


@pytest.mark.parametrize(("before", "done"), [(False, ["faultone"]), (True, [])])
def test_a_late_answer_keeps_nobody_else_waiting(caller: Caller, before: bool, done: list[str]) -> None:  # noqa: FBT001
    caller.sandbox.set_faults(rule("late", seconds=30, before=before))
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{caller.sandbox.base_url}/databases/postgresql",
            json={**EXAMPLE, "name": "faultone"},
            headers={"Authorization": f"Bearer {caller.token()}"},
            timeout=(5, 0.3),
        )
    assert names(caller) == done
    begun = time.monotonic()
    caller.sandbox.stop()
    assert time.monotonic() - begun < 8


def test_a_late_answer_comes(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("late", seconds=0.2))
    assert caller.create(name="faultone").elapsed.total_seconds() >= 0.2


def test_an_action_that_ends_in_error(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("action_error", match={}, message="No capacity"))
    caller.get("/regions")
    ordered = caller.create(name="faultone").json()
    ended = caller.ended(ordered["id"])
    assert (ended["status"], ended["message"]) == ("ERROR", "No capacity")
    assert caller.ended(caller.create(name="faulttwo").json()["id"])["status"] == "SUCCESS"


def test_faults_of_the_token_address(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("refuse", status=503, match={"path": "/auth"}))
    assert [caller.ask_token().status_code for _ in range(2)] == [503, 200]


def test_paths_are_patterns_from_the_beginning(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("refuse", status=500, times=None, match={"path": r"/databases/postgresql/\d+$"}))
    paths = ("/databases/postgresql/500000000", "/databases/postgresql/500000000/nodes", "/regions")
    assert [caller.call("GET", path).status_code for path in paths] == [500, 200, 200]
    assert caller.call("GET", paths[0]).status_code == 500


def test_rules_are_shown_added_and_removed(caller: Caller) -> None:
    url = f"{caller.sandbox.control_url}/faults"
    first, second = rule("empty", times=2), rule("drop", times=None, match={})
    assert requests.put(url, json=[first], timeout=5).json() == [first]
    assert requests.post(url, json=second, timeout=5).json() == [first, second]
    caller.create(name="faultone")
    assert requests.get(url, timeout=5).json() == [{**first, "times": 1}, second]
    caller.sandbox.restart()
    assert requests.get(url, timeout=5).json() == [{**first, "times": 1}, second]
    assert requests.delete(url, timeout=5).json() == []
    assert caller.create(name="faulttwo").status_code == 202


@pytest.mark.parametrize(
    "wrong",
    [
        {"fault": {"kind": "explode"}},
        {"fault": {"kind": "drop", "colour": "blue"}},
        {"fault": {"kind": "late"}},
        {"fault": {"kind": "late", "seconds": "5"}},
        {"fault": {"kind": "refuse", "status": 99}},
        {"fault": {"kind": "drop"}, "when": "now"},
        {"fault": {"kind": "drop"}, "match": {"host": "x"}},
        {"fault": {"kind": "drop"}, "match": {"path": "("}},
        {"fault": {"kind": "drop"}, "times": -1},
        {"match": {}},
        "drop",
    ],
)
def test_rules_that_are_not_understood_change_nothing(faulty: Caller, wrong: object) -> None:
    url = f"{faulty.sandbox.control_url}/faults"
    requests.put(url, json=[rule("empty", match={"path": "/nowhere"})], timeout=5)
    before = requests.get(url, timeout=5).json()
    for answer in (requests.put(url, json=[wrong], timeout=5), requests.post(url, json=[wrong], timeout=5)):
        assert answer.status_code == 400
        assert answer.json()["error"] != ""
    assert requests.get(url, timeout=5).json() == before


def test_a_rule_that_is_not_understood_names_the_field(faulty: Caller) -> None:
    url = f"{faulty.sandbox.control_url}/faults"
    answer = requests.put(url, json=[{"fault": {"kind": "drop", "colour": "blue"}}], timeout=5)
    assert answer.json() == {
        "error": "0/fault: Additional properties are not allowed ('colour' was unexpected)",
    }


def test_setting_faults_from_the_helper_tells_of_mistakes(start: Callable[..., Caller]) -> None:
    caller = start(clusters=1)
    with pytest.raises(ValueError, match="explode"):
        caller.sandbox.set_faults(rule("explode"))


RESIZE = {"operation": "resize", "options": {"sizing": "3cpu6gb"}}
CLUSTER = "/databases/postgresql/500000000"


def test_an_action_that_never_ends_keeps_its_cluster_busy(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("action_never_ends", match={"method": "PATCH"}))
    action = caller.call("PATCH", CLUSTER, RESIZE).json()
    until(lambda: caller.get(f"/actions/{action['id']}")["message"] == "Adapting the settings of PostgreSQL")
    assert caller.get(f"/actions/{action['id']}")["status"] == "IN_PROGRESS"
    assert caller.call("PATCH", CLUSTER, RESIZE).status_code == 409
    caller.sandbox.restart()
    assert caller.get(f"/actions/{action['id']}")["status"] == "IN_PROGRESS"


def test_an_action_settled_at_once_may_never_end_too(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("action_never_ends", match={}))
    body = {"operation": "update_patch_party", "options": {"patchParty": {"excluded": False}}}
    action = caller.call("PATCH", CLUSTER, body).json()
    assert (action["status"], action["message"]) == ("IN_PROGRESS", "Order received")


def test_an_action_that_goes_back(inside: Callable[..., Inside], clock: Clock) -> None:
    sandbox = inside()
    sandbox.application.faults.replace([rule("action_relapses", seconds=20, match={})])
    action = sandbox.ordered(500_000_000, "resize", sizing="3cpu6gb")
    seen = []
    for _ in range(600):
        told = sandbox.call("GET", f"/actions/{action}")
        assert ("completedAt" in told) == (told["status"] == "SUCCESS")
        seen.append(told["status"])
        clock.time += 0.25
    assert [word for word, before in zip(seen[1:], seen, strict=False) if word != before] == [
        "SUCCESS",
        "IN_PROGRESS",
        "SUCCESS",
    ]
    assert 70 <= seen.index("SUCCESS", seen.index("SUCCESS") + 1) < 600
    assert sandbox.detail(500_000_000)["sizing"] == "3cpu6gb"


def test_actions_told_with_another_status(caller: Caller) -> None:
    number = caller.create(name="faultone").json()["id"]
    caller.ended(number)
    caller.sandbox.set_faults(
        rule("action_status", times=3, status="PAUSED", message="odd", match={"path": "/actions"})
    )
    told = [caller.call("GET", path, check=False).json() for path in (f"/actions/{number}", "/actions")]
    assert (told[0]["status"], told[0]["message"]) == ("PAUSED", "odd")
    assert {each["status"] for each in told[1]} == {"PAUSED"}
    assert caller.call("GET", "/actions/1", check=False).status_code == 404
    caller.sandbox.set_faults(rule("action_status", status="IN_PROGRESS", match={}))
    assert "completedAt" not in caller.get(f"/actions/{number}")
    assert caller.get(f"/actions/{number}")["status"] == "SUCCESS"


def test_a_list_of_actions_without_the_newest(caller: Caller) -> None:
    numbers = [caller.create(name=name).json()["id"] for name in ("faultone", "faulttwo")]
    whole = [each["id"] for each in caller.get("/actions")]
    assert whole[-2:] == numbers
    caller.sandbox.set_faults(rule("hide_newest", match={}), rule("hide_newest", count=2, match={}))
    assert [each["id"] for each in caller.get("/actions")] == whole[:-1]
    assert [each["id"] for each in caller.get("/actions")] == whole[:-2]


def test_a_text_in_the_place_of_json(caller: Caller) -> None:
    caller.sandbox.set_faults(rule("text", text="<h1>Sorry</h1>"), rule("text", text="é", status=503, media_type="a/b"))
    answers = [caller.call("POST", "/databases/postgresql", EXAMPLE, check=False) for _ in range(2)]
    told = [(each.status_code, each.headers["Content-Type"], each.content.decode()) for each in answers]
    assert told == [(200, "text/html", "<h1>Sorry</h1>"), (503, "a/b", "é")]
    assert len(caller.clusters("&names=newpostgre01")) == 1


def test_half_an_answer(caller: Caller) -> None:
    whole = caller.call("GET", "/regions").content
    caller.sandbox.set_faults(rule("cut", bytes=30, match={}), rule("cut", bytes=30, announced=True, match={}))
    assert caller.call("GET", "/regions", check=False).content == whole[:30]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        caller.call("GET", "/regions")
    assert caller.call("GET", "/regions").content == whole


def test_an_answer_without_an_end(caller: Caller) -> None:
    whole = caller.call("GET", "/regions").content
    caller.sandbox.set_faults(rule("endless", match={}))
    headers = {"Authorization": f"Bearer {caller.token()}"}
    url = f"{caller.sandbox.base_url}/regions"
    with requests.get(url, headers=headers, stream=True, timeout=5) as answer:
        assert answer.raw.read(len(whole) + 3) == whole + b"   "
    assert caller.call("GET", "/regions").content == whole
    assert caller.sandbox.stop() == 0


def test_a_redirect(caller: Caller) -> None:
    headers = {"Location": "http://127.0.0.1:9/elsewhere"}
    caller.sandbox.set_faults(rule("refuse", status=302, headers=headers))
    answer = requests.post(
        f"{caller.sandbox.base_url}/databases/postgresql",
        json=EXAMPLE,
        headers={"Authorization": f"Bearer {caller.token()}"},
        timeout=5,
        allow_redirects=False,
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, headers["Location"])
    assert caller.clusters("&names=newpostgre01") == []
