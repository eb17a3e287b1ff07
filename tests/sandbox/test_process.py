import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.sandbox.caller import Caller
from tests.sandbox_server import ROOT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the stand-in with arguments that make it end by itself."""
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False, env={})


def test_it_stops_cleanly_and_comes_back_with_its_data(start: Callable[..., Caller]) -> None:
    caller = start(speed=0.001, clusters=3)
    caller.create()
    before = caller.clusters()
    assert caller.sandbox.stop() == 0
    caller.sandbox.start()
    assert caller.clusters() == before
    assert len(before) == 4


def test_nothing_is_lost_when_it_is_killed(start: Callable[..., Caller]) -> None:
    caller = start(speed=0.001, clusters=3)
    for place in range(5):
        caller.create(name=f"cluster{place}")
    caller.sandbox.kill()
    caller.sandbox.start()
    assert len(caller.clusters()) == 8
    assert len(caller.sandbox.writes()) == 5


def test_the_state_is_whole_json_for_its_owner_alone(start: Callable[..., Caller]) -> None:
    caller = start(speed=0.001, clusters=3)
    caller.create()
    path = caller.sandbox.state
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(path.read_text())["writes"]) == 1


def test_a_port_that_is_taken_gets_a_sentence(world: Caller, tmp_path: Path) -> None:
    port = world.sandbox.root.rpartition(":")[2]
    credentials = ("--client-id", "a", "--client-secret", "b")
    ended = run("--port", port, "--state", str(tmp_path / "state.json"), "--clusters", "1", *credentials)
    assert ended.returncode == 1
    assert ended.stderr == f"The sandbox cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_state_of_something_else_gets_a_sentence_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"version": 0}')
    ended = run("--port", "0", "--state", str(path), "--client-id", "a", "--client-secret", "b")
    assert ended.returncode == 1
    assert ended.stderr == (
        f"The sandbox cannot start: {path} does not hold the state of this version of the sandbox\n"
    )
    assert path.read_text() == '{"version": 0}'


def test_credentials_are_needed() -> None:
    ended = run("--port", "0")
    assert ended.returncode == 2
    assert "SANDBOX_CLIENT_SECRET" in ended.stderr


def test_requests_that_are_no_http_of_ours(world: Caller) -> None:
    url = f"{world.sandbox.base_url}/databases/postgresql"
    headers = {"Authorization": f"Bearer {world.token()}", "Content-Type": "application/json"}

    def status(body: bytes) -> int:
        return requests.post(url, data=body, headers=headers, timeout=5).status_code

    assert status(b"{") == 400
    assert status(b"[" * 100_000) == 400
    assert status(b'"text"') == 400
    assert status(b"") == 400
    assert status(b"x" * 1_000_001) == 400


@pytest.mark.parametrize(
    "rest", ["", "Content-Leng", "Content-Length: 100", 'Content-Length: 100\r\n\r\n{"name":'], ids=range(4)
)
def test_a_request_that_breaks_off_was_none(world: Caller, rest: str) -> None:
    before = world.sandbox.writes()
    host, _, port = world.sandbox.root.removeprefix("http://").rpartition(":")
    head = f"POST /itcare/databases/postgresql HTTP/1.1\r\nAuthorization: Bearer {world.token()}\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"{head}{rest}".encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert world.sandbox.writes() == before


def test_a_hundred_thousand_clusters_are_paged_like_forty(start: Callable[..., Caller]) -> None:
    caller = start(clusters=100_000)
    page = caller.get("/compute/resources?size=200&page=499")
    assert (page["totalElements"], page["numberOfElements"], page["number"]) == (100_014, 200, 499)
    assert len({each["name"] for each in page["content"]}) == 200
