"""A deployment under people, random faults and random kills: what comes of it is judged from the outside."""

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event

import requests

from sandbox import processes
from tests.faults.switches import ON_READS, ON_WRITES
from tests.journeys.deployment import Deployment
from tests.journeys.ways import ANSWERS
from tests.plain_browser import PlainBrowser
from tests.running_portal import ROOT, kill
from tests.sandbox_server import until

WRITE = "/databases/postgresql"
METHODS = ("POST", "PATCH", "DELETE")
SOMETIMES = 0.5
SERVERS = ("postgres", "redis")
# Seconds between two things that go wrong, at least and at most.
BETWEEN = (1.5, 5.0)
# Seconds for which a killed part stays away.
AWAY = (0.0, 3.0)
# Seconds in which all must have ended, or wait for a person, once nothing goes wrong any more.
CALM = 600.0
# Names are short; a run of an hour makes a few hundred of them.
NUMBERS = 10_000
CHANGES: dict[str, dict[str, str]] = {
    "resize": {"sizing": "4cpu8gb"},
    "stop": {},
    "delete": {},
    "enable_ha": {"replication_lag": "33"},
}
# Where the name is typed once more.
NAMED = ("delete",)
MOVING = """
    SELECT count(*) FROM operations_operation AS row
    WHERE state IN ('queued', 'sending', 'running', 'unclear') AND NOT EXISTS (
        SELECT 1 FROM operations_concern WHERE operation_id = row.id AND closed_at IS NULL
    )
"""
FREE = """
    SELECT cluster_id, name FROM operations_operation
    WHERE kind = 'create' AND state = 'succeeded' AND cluster_id IS NOT NULL ORDER BY id DESC LIMIT 10
"""
# Settings under which what takes hours shows within a soak.
QUICK = {
    "SETTLE_GRACE_SECONDS": "20",
    "VANISHED_SECONDS": "10",
    "OVERDUE_SECONDS": "60",
    "SWEEP_PATIENCE_SECONDS": "3",
}


@dataclass
class Soak:
    """One soak.

    Attributes:
        deployment: Whose parts are killed.
        chance: Decides everything that is random.
        figures: What was done.
    """

    deployment: Deployment
    chance: random.Random
    figures: Counter[str] = field(default_factory=Counter)
    _parts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _over: Event = field(default_factory=Event)

    def run(self, minutes: float) -> dict[str, float]:
        """Let it all happen for so long; answers the figures.

        Raises:
            AssertionError: something of what must hold does not.
        """
        for name in self._starts():
            self._start(name)
        end = time.monotonic() + 60 * minutes
        with ThreadPoolExecutor(1) as pool:
            people = pool.submit(self._work)
            try:
                while time.monotonic() < end and not people.done():
                    time.sleep(self.chance.uniform(*BETWEEN))
                    self.chance.choice((self._kill, self._fault))()
            finally:
                self._over.set()
            people.result(120)
        return {**self.figures, **self._calm_down()}

    # --- what goes wrong -----------------------------------------------------------------------------------------

    def _starts(self) -> dict[str, Callable[[], object]]:
        portal = self.deployment.portal
        return {
            "postgres": self.deployment.start_postgres,
            "redis": self.deployment.start_redis,
            "web": portal.start_web,
            **{f"worker {number}": portal.start_worker for number in (1, 2)},
            **{f"sweep {number}": portal.start_sweep for number in (1, 2)},
        }

    def _start(self, name: str) -> None:
        """Start a part; a server whose processes have just been killed may need a moment until it can."""
        start = self._starts()[name]

        def started() -> bool:
            with suppress(processes.NotReadyError):
                start()
                if name not in SERVERS:
                    self._parts[name] = self.deployment.portal.newest
                return True
            return False

        until(started, seconds=60)

    def _kill(self) -> None:
        """Kill a part, with all its processes, and start it again after a while."""
        name = self.chance.choice([*self._starts(), "upstream"])
        if name == "upstream":
            self.deployment.upstream.kill()
        elif name in SERVERS:
            self.deployment.kill(name)
        else:
            kill(self._parts.pop(name))
        self.figures.update({"kills": 1, f"kills of {name.partition(' ')[0]}": 1})
        time.sleep(self.chance.uniform(*AWAY))
        if name == "upstream":
            self.deployment.upstream.start()
        else:
            self._start(name)

    def _fault(self) -> None:
        """Let the next calls meet faults, for a while."""
        bad, path = self.chance.choice(list(ON_WRITES.values())), self.chance.choice(("/actions", WRITE))
        rules = [{"match": {"method": method, "path": WRITE}, "times": 1, "fault": bad} for method in METHODS]
        if self.chance.random() < SOMETIMES:
            unreadable = self.chance.choice(list(ON_READS.values()))
            rules.append({"match": {"method": "GET", "path": path}, "times": 3, "fault": unreadable})
        with suppress(requests.RequestException):
            self.deployment.upstream.set_faults(*rules)
            self.figures["faults"] += 1

    # --- people --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Ask and approve, one after the other, whatever the portal answers."""
        for number in itertools.islice(itertools.count(1), NUMBERS):
            if self._over.wait(0.3):
                return
            try:
                self._ask(number)
                self.figures["requests that went through"] += 1
            except (requests.RequestException, AssertionError, StopIteration):
                # Turned away: the database or the web server is gone, or the cluster is busy. One asks again.
                self.figures["requests turned away"] += 1

    def _ask(self, number: int) -> None:
        clusters = self.deployment.rows(FREE)
        browser = self.deployment.sign_in("developer@example.com")
        if clusters and number % 2:
            pk, name = clusters[number % len(clusters)]
            kind = list(CHANGES)[number % len(CHANGES)]
            browser.open(f"/requests/new/{kind}/?cluster={pk}")
            typed = {"confirm_name": name} if kind in NAMED else {}
            browser.send(f"/requests/new/{kind}/", reason="A soak.", **typed, **CHANGES[kind])
        else:
            browser.open("/requests/new/create/")
            browser.send("/requests/new/create/", **{**ANSWERS, "name": f"soak{number:05}"})
        self._agree(browser)

    def _agree(self, browser: PlainBrowser) -> None:
        change = browser.path
        browser.send(f"{change}submit/")
        approver = self.deployment.sign_in("approver@example.com")
        approver.open(change)
        approver.send(f"{change}approve/", comment="Agreed.")

    # --- afterwards ----------------------------------------------------------------------------------------------

    def _calm_down(self) -> dict[str, float]:
        """Wait until everything has ended or waits for a person, then have it judged."""
        upstream = self.deployment.upstream
        upstream.set_faults()
        began = time.monotonic()
        until(lambda: self.deployment.rows(MOVING) == [(0,)], seconds=CALM)
        calm = time.monotonic() - began
        for name in list(self._parts):
            if name.startswith(("worker", "sweep")):
                processes.stop(self._parts.pop(name), signal.SIGTERM)
        judged = subprocess.run(
            [sys.executable, "-m", "tests.faults.verdict", str(upstream.state), upstream.root],
            cwd=ROOT,
            env=self.deployment.portal.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert judged.returncode == 0, f"{judged.stdout}\n{judged.stderr}"
        return {**json.loads(judged.stdout.splitlines()[0]), "until all was calm, s": round(calm, 1)}
