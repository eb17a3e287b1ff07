"""`make demo` as a person meets it: it starts, says when it cannot, comes back with its data, leaves nothing behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest
import requests

from sandbox import processes
from sandbox.demo_environment import known_names

ROOT = Path(__file__).parent.parent.parent
NAMES = ["postgres", "redis", "sandbox", "sweep", "web", "worker"]
SECONDS = 90


@dataclass
class Demo:
    """A demo in a folder of its own, on ports of its own."""

    var: Path
    port: int = field(default_factory=processes.free_port)
    sandbox_port: int = field(default_factory=processes.free_port)

    @property
    def log(self) -> str:
        return self.var.with_name("output").read_text(encoding="utf-8")

    def start(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        ports = {"PORT": str(self.port), "SANDBOX_PORT": str(self.sandbox_port)}
        # The tests' own portal has another upstream.
        shell = {name: value for name, value in os.environ.items() if name not in known_names()}
        output = self.var.with_name("output").open("wb")
        with closing(output):
            return subprocess.Popen(
                [sys.executable, "-m", "sandbox.demo", "--var", self.var, *options],
                cwd=ROOT,
                env={**shell, **ports, "SANDBOX_CLUSTERS": "3", **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, words: str, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + SECONDS
        while words not in self.log:
            assert process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def refusal(self, *options: str, **environment: str) -> list[str]:
        """Start it, and return the sentences with which it ends."""
        process = self.start(*options, **environment)
        assert process.wait(SECONDS) == 1
        return [line.removeprefix("demo     | ") for line in self.log.splitlines()]

    def pids(self) -> dict[str, int]:
        return {file.stem: int(file.read_text(encoding="ascii")) for file in (self.var / "run").glob("*.pid")}

    def variables(self) -> dict[str, str]:
        lines = (self.var / "demo.env").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def processes(self) -> list[psutil.Process]:
        roots = [psutil.Process(pid) for pid in self.pids().values() if psutil.pid_exists(pid)]
        return [*roots, *(child for process in roots for child in process.children(recursive=True))]


@pytest.fixture
def demo() -> Iterator[Demo]:
    folder = Path(tempfile.mkdtemp(prefix="portal-demo-"))
    # PostgreSQL's account enters it when we are root.
    folder.chmod(0o711)
    demo = Demo(folder / "var")
    yield demo
    for process in demo.processes() if (demo.var / "run").exists() else []:
        process.kill()
    shutil.rmtree(folder)


def _gone(ended: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(ended, timeout=30)
    assert alive == []


def _people(demo: Demo) -> int:
    with psycopg.connect(demo.variables()["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT count(*) FROM accounts_user").fetchone()
    assert row
    count: int = row[0]
    return count


READY = "Ctrl-C stops everything"
UPSTREAM = {
    "ITCARE_BASE_URL": "http://127.0.0.1:1/itcare",
    "ITCARE_TOKEN_URL": "http://127.0.0.1:1/token",
    "ITCARE_CLIENT_ID": "somebody",
    "ITCARE_CLIENT_SECRET": "secret = # quoted'",
}


def test_demo_starts_and_stops_and_starts_again_with_its_data_and_another_itcare(demo: Demo) -> None:
    process = demo.start()
    demo.wait_for(READY, process)
    assert sorted(demo.pids()) == NAMES
    address = f"http://127.0.0.1:{demo.port}"
    assert f"The portal runs at {address}" in demo.log
    assert re.findall(r"(\S+)@example.com", demo.log) == [
        *("developer", "developer2", "approver", "approver2", "support", "admin")
    ]
    assert requests.get(f"{address}/healthz", timeout=10).status_code == 200
    assert (demo.var / "demo.env").stat().st_mode & 0o777 == 0o600
    everything = demo.processes()
    first = demo.variables()
    assert first["PORTAL_URL"] == address
    assert _people(demo) == 6

    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 0
    _gone(everything)
    assert demo.pids() == {}
    assert "killed" not in demo.log

    elsewhere = {**UPSTREAM, "PORTAL_URL": "https://portal.example.com"}
    process = demo.start(**elsewhere)
    demo.wait_for("ITCare is http://127.0.0.1:1/itcare. Ctrl-C", process)
    assert demo.variables() == {**first, **elsewhere}
    assert sorted(demo.pids()) == [name for name in NAMES if name != "sandbox"]
    assert _people(demo) == 6
    process.terminate()
    assert process.wait(SECONDS) == 0

    assert demo.start("--remove").wait(SECONDS) == 0
    assert not demo.var.exists()


def test_what_crashes_comes_back_what_is_stopped_stays_down_and_nothing_outlives_a_killed_demo(demo: Demo) -> None:
    process = demo.start()
    demo.wait_for(READY, process)
    before = demo.pids()
    os.kill(before["redis"], signal.SIGTERM)
    demo.wait_for("redis was stopped and stays so", process)
    os.kill(before["sweep"], signal.SIGKILL)
    demo.wait_for("sweep ended by signal 9: starting it again.", process)
    os.kill(before["postgres"], signal.SIGKILL)
    demo.wait_for("postgres ended by signal 9: starting it again.", process)
    deadline = time.monotonic() + SECONDS
    while {name for name, pid in demo.pids().items() if before[name] != pid} != {"sweep", "postgres"}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not psutil.pid_exists(before["redis"])
    assert _people(demo) == 6

    everything = [started for started in demo.processes() if started.is_running()]
    assert len(everything) > len(NAMES)
    process.kill()
    process.wait()
    _gone(everything)


def test_second_demo_in_the_same_folder_is_refused(demo: Demo) -> None:
    process = demo.start()
    demo.wait_for("PostgreSQL 18", process)
    (demo.var.with_name("output")).rename(demo.var.with_name("first"))
    other = f"The demo already runs in this folder (process {process.pid}): stop it first, with Ctrl-C there."
    assert demo.refusal() == [other]
    assert demo.refusal("--remove") == [other]
    process.terminate()
    assert process.wait(SECONDS) == 0


@pytest.mark.parametrize("name", ["PORT", "SANDBOX_PORT"])
def test_port_that_is_taken_gets_a_sentence(demo: Demo, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        port = rival.getsockname()[1]
        sentence = (
            f"Port {port} is taken by another program: choose another one, for example `make demo {name}={port + 1}`."
        )
        assert demo.refusal(**{name: str(port)})[0] == sentence
    assert not (demo.var / "postgres").exists()


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8000.0", "²"])
def test_port_that_is_none_gets_a_sentence(demo: Demo, port: str) -> None:
    assert demo.refusal(PORT=port)[0] == f"PORT={port} is not a port: choose a number from 1 to 65535."


def test_one_port_for_two_servers_gets_a_sentence(demo: Demo) -> None:
    demo.sandbox_port = demo.port
    assert demo.refusal()[0] == f"PORT and SANDBOX_PORT are both {demo.port}: choose two."


def test_another_itcare_needs_all_of_its_four_variables(demo: Demo) -> None:
    missing = {"ITCARE_TOKEN_URL": "", "ITCARE_CLIENT_ID": "", "ITCARE_CLIENT_SECRET": "x"}
    assert demo.refusal(ITCARE_BASE_URL="http://127.0.0.1:1/itcare", **missing)[0] == (
        "ITCARE_BASE_URL asks for that server instead of the sandbox: also set ITCARE_TOKEN_URL, ITCARE_CLIENT_ID."
    )
