"""The real portal as processes on the test's database: the very commands of the demo and of docker-compose.yml."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from portal.accounts.models import User
from sandbox import commands, processes
from tests.cast import PASSWORD, Cast
from tests.sandbox_server import Sandbox
from tests.shared import made_once

ROOT = Path(__file__).parent.parent
# Quick, and yet in the relations of a real deployment: a lease outlives the calls made under it.
PACE = {
    "ITCARE_CONNECT_SECONDS": "2",
    "ITCARE_READ_SECONDS": "3",
    "ITCARE_TOTAL_SECONDS": "3",
    "LEASE_SECONDS": "10",
    "FOLLOW_SECONDS": "0.3",
    "SETTLE_SECONDS": "0.3",
    "SWEEP_SECONDS": "0.2",
    "SYNC_SECONDS": "5",
    "LOGIN_LIMIT": "1000/m/ip",
    "LOGIN_FAILED_LIMIT": "1000/m/ip",
    "REAUTHENTICATE_LIMIT": "1000/m/user",
}
STOP_SECONDS = 5.0
ANSWER_SECONDS = 2.0


@dataclass
class RunningPortal:
    """Starts the portal's processes, each as often as wanted, and ends them.

    Attributes:
        environment: What they are started with.
        logs: The folder where they write.
        address: The newest web server's.
        code: Where their code is.
    """

    environment: dict[str, str]
    logs: Path
    address: str = ""
    code: Path = ROOT
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_web(self) -> str:
        """Start the web server and wait until it answers; returns its address."""
        host = f"{processes.LOOPBACK}:{processes.free_port()}"
        self.address = f"http://{host}"
        process = self._start("web", commands.web(host))
        processes.wait_until(self._answers, process, "The web server")
        return self.address

    def start_worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a Celery worker; what waits for it waits at the broker."""
        return self._start("worker", (*commands.WORKER, *options))

    def start_sweep(self) -> subprocess.Popen[bytes]:
        """Start the portal's clock."""
        return self._start("sweep", commands.SWEEP)

    @property
    def newest(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        return self._running[-1]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py to its end."""
        command = commands.of_this_python(("python", "manage.py", *arguments))
        return subprocess.run(
            command, cwd=self.code, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def log(self) -> str:
        """Return everything that the processes have written."""
        return "".join(file.read_text(encoding="utf-8") for file in sorted(self.logs.glob("*.log")))

    def stop(self) -> None:
        """End all of them at once: nothing of them is needed any more."""
        for process in self._running:
            if process.poll() is None:
                kill(process)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/healthz", timeout=ANSWER_SECONDS).ok
        except requests.RequestException:
            return False

    def _start(self, name: str, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        with (self.logs / f"{name}{len(self._running)}.log").open("wb") as log:
            process = processes.start(
                commands.of_this_python(command), output=log, cwd=self.code, environment=self.environment
            )
        self._running.append(process)
        return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)


def _collect(folder: Path) -> dict[str, str]:
    environment = {**os.environ, "STATIC_ROOT": str(folder / "files"), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    subprocess.run(commands.of_this_python(commands.COLLECT), cwd=ROOT, env=environment, check=True)
    return {"folder": environment["STATIC_ROOT"]}


@pytest.fixture(scope="session")
def static_root() -> Path:
    """Collect the static files once, as a deployment does."""
    return Path(made_once("static", _collect)["folder"])


@pytest.fixture
def running_cast(transactional_db: None, cast: Cast) -> Cast:
    """Everybody, with passwords that the portal's own settings can check; the tests' own are hashed quicker."""
    User.objects.update(password=PBKDF2PasswordHasher().encode(PASSWORD, "salt-for-tests-of-22ch"))
    for person in vars(cast).values():
        if isinstance(person, User):
            person.refresh_from_db()
    return cast


@pytest.fixture
def portal(
    portal_environment: dict[str, str], upstream: Sandbox, redis_url: str, static_root: Path, tmp_path: Path
) -> Iterator[RunningPortal]:
    """Give the portal on this test's database, none of its processes started yet."""
    environment = {
        **portal_environment,
        **PACE,
        "ITCARE_BASE_URL": upstream.base_url,
        "ITCARE_TOKEN_URL": upstream.token_url,
        "ITCARE_CLIENT_ID": upstream.client_id,
        "ITCARE_CLIENT_SECRET": upstream.client_secret,
        "REDIS_URL": redis_url,
        "STATIC_ROOT": str(static_root),
    }
    running = RunningPortal(environment, tmp_path)
    yield running
    running.stop()
