"""Runs single steps of the real portal in processes of their own, between proxies that see every message."""

import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox import processes
from tests.faults.framing import Http, Postgres
from tests.faults.proxy import Proxy, Watcher
from tests.sandbox_server import Sandbox

ROOT = Path(__file__).parent.parent.parent
# Seconds in which a busy machine gets there: a limit, not a measure.
PATIENCE = 60.0

# What is due is looked at in the same step: without these a crash while settling would need a step of its own.
AT_ONCE = {"SETTLE_SECONDS": "0", "FOLLOW_SECONDS": "0", "SWEEP_PATIENCE_SECONDS": "0"}


class Step:
    """A step that was begun."""

    def __init__(self, zygote: "Zygote") -> None:
        self._zygote = zygote
        self.pid = int(zygote.answer("pid"))

    def status(self) -> int:
        """Wait for its end: 0 when it went through, 1 when it raised, -9 when it was killed."""
        return int(self._zygote.answer("ended"))

    def go_on(self) -> None:
        """Let it go on after it was frozen."""
        os.kill(self.pid, signal.SIGCONT)


class Zygote:
    """The portal, loaded and waiting to be forked.

    Args:
        environment: Of the portal.
        log: Receives what the steps log.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        tie = [sys.executable, "-I", "-S", str(processes.LAUNCH), signal.SIGKILL.name, str(os.getpid()), "-"]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*tie, sys.executable, "-m", "tests.faults.zygote"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        self._pid: queue.Queue[int] = queue.Queue()

    def start(self, step: str, number: int = 0) -> Step:
        """Begin a step; `number` is the operation that it is about, where it is about one."""
        assert self._process.stdin is not None
        self._pid = queue.Queue()
        self._process.stdin.write(json.dumps({"step": step, "number": number}) + "\n")
        self._process.stdin.flush()
        begun = Step(self)
        self._pid.put(begun.pid)
        return begun

    def running(self) -> int:
        """The process of the step that runs now; for proxies, which may see it before its starter does."""
        pid = self._pid.get(timeout=PATIENCE)
        self._pid.put(pid)
        return pid

    def answer(self, word: str) -> str:
        """What the zygote says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        said, _, value = line.strip().partition(" ")
        if said != word:
            message = f"the zygote said {line!r}, not {word!r}: see its log"
            raise RuntimeError(message)
        return value

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Stage:
    """A zygote between proxies: one before PostgreSQL, one before the stand-in ITCare, and those of a test's own."""

    def __init__(self, zygote: Zygote, *proxies: Proxy) -> None:
        self.zygote, self.proxies = zygote, proxies

    @contextmanager
    def watched(self, *watchers: Watcher) -> Iterator[None]:
        """Tell these of all messages to the servers."""
        for proxy in self.proxies:
            proxy.watchers += watchers
        try:
            yield
        finally:
            for proxy in self.proxies:
                for watcher in watchers:
                    proxy.watchers.remove(watcher)

    def run(self, step: str, number: int = 0) -> int:
        """Run a step to its end; answers its status."""
        return self.zygote.start(step, number).status()


@contextmanager
def stage(
    environment: Mapping[str, str],
    upstream: Sandbox,
    log: Path,
    *others: Proxy,
    **settings: Any,  # noqa: ANN401
) -> Iterator[Stage]:
    """Load the portal between proxies.

    Args:
        environment: Of the portal, on the test's database.
        upstream: The stand-in ITCare.
        log: Receives what the steps log.
        others: Further proxies; the settings name their addresses.
        settings: Further variables of the environment.
    """
    database, itcare = urlsplit(environment["DATABASE_URL"]), urlsplit(upstream.root)
    assert database.hostname
    assert database.port
    assert itcare.hostname
    assert itcare.port
    with (
        Proxy((database.hostname, database.port), Postgres) as before_database,
        Proxy((itcare.hostname, itcare.port), Http) as before_upstream,
    ):
        root = f"http://{processes.LOOPBACK}:{before_upstream.port}"
        zygote = Zygote(
            {
                **environment,
                "DATABASE_URL": database._replace(
                    netloc=database.netloc.rpartition("@")[0] + f"@{processes.LOOPBACK}:{before_database.port}"
                ).geturl(),
                # The proxy reads along.
                "PGSSLMODE": "disable",
                "PGGSSENCMODE": "disable",
                "ITCARE_BASE_URL": upstream.base_url.replace(upstream.root, root),
                "ITCARE_TOKEN_URL": upstream.token_url.replace(upstream.root, root),
                "ITCARE_CLIENT_ID": upstream.client_id,
                "ITCARE_CLIENT_SECRET": upstream.client_secret,
                **AT_ONCE,
                **{name: str(value) for name, value in settings.items()},
            },
            log,
        )
        try:
            yield Stage(zygote, before_database, before_upstream, *others)
        finally:
            zygote.close()
