"""Redis carries hints only: without it, or while it hangs, everything still goes its way."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.operations.states import State
from sandbox import processes, servers
from tests.cast import Cast
from tests.faults.outside import end_and_judge
from tests.faults.table import Row, told
from tests.journeys.ways import agree, ask, comes_to, ordered, sign_in
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox

PAGES = ("/", "/clusters/", "/requests/", "/approvals/", "/operations/", "/audit/", "/readyz")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    server = servers.Redis(tmp_path / "redis", processes.free_port(), "own-redis", durable=False)
    process = server.start(subprocess.DEVNULL)
    yield server.url, process
    process.kill()
    process.wait()


@told(
    Row(
        "Redis, and the hints it carries",
        "Redis gone, or accepting connections and never answering",
        "SIGKILL, and SIGSTOP, while people submit and approve",
        "what people file and approve is written down all the same; the sweep does by itself what nobody was told of",
        "nothing out of the ordinary; /readyz says that Redis is down",
    )
)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "frozen"])
def test_everything_goes_on_while_redis_is(
    how: signal.Signals,
    portal: RunningPortal,
    running_cast: Cast,
    upstream: Sandbox,
    own_redis: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, redis = own_redis
    portal.environment = {**portal.environment, "REDIS_URL": url, "SWEEP_PATIENCE_SECONDS": "0.5"}
    portal.start_web()
    portal.start_worker()
    portal.start_sweep()
    # A warm connection is the harder case.
    developer, approver = sign_in(portal, "developer"), sign_in(portal, "approver")
    comes_to(agree(approver, ask(developer, name="before01")), State.SUCCEEDED)

    redis.send_signal(how)
    developer, approver = sign_in(portal, "developer"), sign_in(portal, "approver")
    for page in PAGES:
        approver.open(page)
    assert approver.answer.json()["redis"] == "down"
    operation = agree(approver, ask(developer, name="without01"))
    comes_to(operation, State.SUCCEEDED)

    assert [body["name"] for body in ordered(upstream)] == ["before01", "without01"]
    end_and_judge(portal, upstream)
