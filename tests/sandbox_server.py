"""Starts the stand-in ITCare as a process of its own, for tests of everything that talks to it.

Hundreds of tests start one: each is forked from a process that has loaded it already, so that a start costs no second.
"""

import multiprocessing
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

import requests

from sandbox.__main__ import CONTRACT, main
from sandbox.contract import Contract
from sandbox.launch import end_with

_LOADED = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload(["__main__", "tests.sandbox_server"])
# Read by the process that all are forked from: reading it takes longer than the rest of a start.
Contract(CONTRACT, narrow_password=False)
ROOT = Path(__file__).parent.parent
READY = re.compile(r"sandbox ready: (http://[^/]+)/itcare ")
STOP_SECONDS = 10.0
ANSWER_SECONDS = 15.0


def _serve(arguments: list[str], log: Path, ready: Connection) -> None:
    end_with(os.getppid(), signal.SIGKILL)
    with log.open("a") as errors:
        os.dup2(errors.fileno(), sys.stderr.fileno())
    sys.exit(main(arguments, say=ready.send))


@dataclass
class Sandbox:
    """A running stand-in ITCare; also a context manager that stops it."""

    state: Path
    client_id: str
    client_secret: str = field(repr=False)
    arguments: tuple[str, ...]
    root: str = ""
    _process: ForkServerProcess | None = None

    @property
    def base_url(self) -> str:
        """ITCARE_BASE_URL."""
        return f"{self.root}/itcare"

    @property
    def token_url(self) -> str:
        """ITCARE_TOKEN_URL."""
        return f"{self.root}/auth/realms/cloud/protocol/openid-connect/token"

    @property
    def control_url(self) -> str:
        """Where writes and faults are."""
        return f"{self.root}/_sandbox"

    def start(self) -> None:
        """Start it and wait until it listens: at the port it had before, else at a free one.

        Raises:
            RuntimeError: it ended instead.
        """
        port = self.root.rpartition(":")[2] or "0"
        arguments = ["--port", port, "--state", str(self.state), *self.arguments]
        arguments += ["--client-id", self.client_id, "--client-secret", self.client_secret]
        log = self.state.with_suffix(".log")
        told, ready = _LOADED.Pipe(duplex=False)
        with told, ready:
            self._process = _LOADED.Process(target=_serve, args=(arguments, log, ready))
            self._process.start()
            ready.close()
            try:
                found = READY.match(told.recv())
            except EOFError:
                found = None
        if found is None:
            self.stop()
            raise RuntimeError(log.read_text())
        self.root = found[1]

    def stop(self) -> int:
        """Stop it; returns its exit status. Stopping twice does no harm.

        Raises:
            TimeoutError: it had to be killed.
        """
        if self._process is None:
            return 0
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        status = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._process = None
        if status is None:
            raise TimeoutError
        return status

    def kill(self) -> None:
        """End it without giving it a chance to save."""
        if self._process is not None:
            self._process.kill()
            self._process.join(STOP_SECONDS)
        self.stop()

    def restart(self) -> None:
        """Stop it and start it again, at the same address."""
        self.stop()
        self.start()

    def writes(self) -> list[dict[str, Any]]:
        """Every write it received."""
        answer = requests.get(f"{self.control_url}/writes", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        return list(answer.json())

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Put these rules in the place of those in force; none removes all.

        Raises:
            ValueError: a rule is not understood.
        """
        answer = requests.put(f"{self.control_url}/faults", json=list(rules), timeout=ANSWER_SECONDS)
        if answer.status_code != requests.codes.ok:
            raise ValueError(answer.text)

    def add_faults(self, *rules: dict[str, Any]) -> None:
        """Put these rules behind those in force."""
        requests.post(f"{self.control_url}/faults", json=list(rules), timeout=ANSWER_SECONDS).raise_for_status()

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, `times` being what is left of each."""
        answer = requests.get(f"{self.control_url}/faults", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        return list(answer.json())

    def end_tokens(self) -> None:
        """Make every token that was issued worthless."""
        requests.delete(f"{self.control_url}/tokens", timeout=ANSWER_SECONDS).raise_for_status()

    def tell_next(self) -> list[int]:
        """Let the next step of each action under way happen now; returns the ids of those that are not at their end."""
        return self._hasten("next")

    def end_actions(self) -> list[int]:
        """Let each action under way come to its end now."""
        return self._hasten("end")

    def _hasten(self, how: str) -> list[int]:
        answer = requests.post(f"{self.control_url}/actions/{how}", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        return list(answer.json())

    def cluster(self, number: int) -> dict[str, Any]:
        """Return a cluster as the stand-in remembers it, with what the API does not tell (sandbox/world/model.py).

        Raises:
            ValueError: there is none.
        """
        return self._clusters("GET", number)

    def place_cluster(self, number: int, **fields: object) -> dict[str, Any]:
        """Put a cluster there at once; what is not given is small and standalone, ACTIVE, in service 123.

        Raises:
            ValueError: a field is not understood.
        """
        return self._clusters("PUT", number, fields)

    def change_cluster(self, number: int, **fields: object) -> dict[str, Any]:
        """Change a cluster at once, without an action.

        Raises:
            ValueError: there is none, or a field is not understood.
        """
        return self._clusters("PATCH", number, fields)

    def remove_cluster(self, number: int) -> None:
        """Let a cluster disappear at once, without an action.

        Raises:
            ValueError: there is none.
        """
        self._clusters("DELETE", number)

    def _clusters(self, method: str, number: int, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self.control_url}/clusters/{number}"
        answer = requests.request(method, url, json=fields, timeout=ANSWER_SECONDS)
        if answer.status_code != requests.codes.ok:
            raise ValueError(answer.text)
        return dict(answer.json())

    def __enter__(self) -> Self:
        """Nothing more: it runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


def start(folder: Path, **options: object) -> Sandbox:
    """Start a stand-in ITCare with its state in `folder`, on a free port.

    Options are those of `python -m sandbox` with underscores: `speed=50`, `clusters=3`, `narrow_password=True`,
    `without="services,networks"`.
    """
    arguments: list[str] = []
    for name, value in options.items():
        if value is True:
            arguments.append(f"--{name.replace('_', '-')}")
        elif value is not False and value is not None:
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    folder.mkdir(parents=True, exist_ok=True)
    sandbox = Sandbox(
        state=folder / "sandbox.json",
        client_id="portal-account",
        client_secret="sandbox-secret",
        arguments=tuple(arguments),
    )
    sandbox.start()
    return sandbox


def until(condition: Any, *, seconds: float = 10.0) -> Any:  # noqa: ANN401 - whatever the condition gives
    """Wait until `condition()` is true and return what it gave.

    Raises:
        TimeoutError: it was not true in time.
    """
    end = time.monotonic() + seconds
    while True:
        given = condition()
        if given:
            return given
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
