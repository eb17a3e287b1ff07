"""A deployment under people, random faults and random kills: what comes of it is judged from the outside."""

import itertools
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock

import requests

from sandbox import processes
from tests.faults.choosing import FREE, There, choose
from tests.faults.outside import calm, judge_deployment
from tests.faults.switches import ON_READS, ON_WRITES
from tests.journeys.deployment import Deployment
from tests.journeys.ways import ANSWERS
from tests.plain_browser import PlainBrowser
from tests.running_portal import kill
from tests.sandbox_server import until

WRITE = "/databases/postgresql"
METHODS = ("POST", "PATCH", "DELETE")
SOMETIMES = 0.5
SERVERS = ("postgres", "redis")
# Seconds between two kills, and between two faults, at least and at most.
BETWEEN_KILLS = (1.0, 4.0)
BETWEEN_FAULTS = (0.2, 1.0)
# Answers of one sort that faults wait for: what is asked rarely must not keep the others from going wrong.
MOST_UNMET = 2
# After these the portal asks nothing for up to a minute, and nothing else can go wrong meanwhile.
STOP_ALL = ("401 instead", "429 instead")
SELDOM = 0.05
MATCHES = (
    *({"method": method, "path": WRITE} for method in METHODS),
    *({"method": "GET", "path": path} for path in ("/actions", WRITE)),
)
# Seconds for which a killed part stays away.
AWAY = (0.0, 3.0)
# So many people work at once, each with an approver; seconds between what one asks for and the next.
PEOPLE = 4
PAUSE = 0.2
APPROVED = "approved: "
BY_KIND = "SELECT kind, state, count(*) FROM operations_operation GROUP BY kind, state ORDER BY kind, state"
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
    _counting: Lock = field(default_factory=Lock)

    def run(self, minutes: float) -> dict[str, float]:
        """Let it all happen for so long; answers the figures.

        Raises:
            AssertionError: something of what must hold does not.
        """
        for name in self._starts():
            self._start(name)
        end = time.monotonic() + 60 * minutes
        numbers = itertools.count(1)
        with ThreadPoolExecutor(PEOPLE + 1) as pool:
            others = [pool.submit(self._work, numbers, random.Random(self.chance.random())) for _ in range(PEOPLE)]  # noqa: S311 - they guard nothing
            others.append(pool.submit(self._misbehave, random.Random(self.chance.random())))  # noqa: S311
            try:
                while time.monotonic() < end and not any(other.done() for other in others):
                    time.sleep(self.chance.uniform(*BETWEEN_KILLS))
                    self._kill()
            finally:
                self._over.set()
            for other in others:
                other.result(120)
        return {**self._calm_down(), **self.figures}

    def _count(self, *names: str) -> None:
        with self._counting:
            self.figures.update(names)

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
        self._count("kills", f"kills of {name.partition(' ')[0]}")
        time.sleep(self.chance.uniform(*AWAY))
        if name == "upstream":
            self.deployment.upstream.start()
        else:
            self._start(name)

    def _misbehave(self, chance: random.Random) -> None:
        """Let more and more calls meet faults; those that none has met stay."""
        while not self._over.wait(chance.uniform(*BETWEEN_FAULTS)):
            # It may just have been killed.
            with suppress(requests.RequestException, ValueError):
                match = chance.choice(MATCHES)
                alike = [rule for rule in self.deployment.upstream.faults() if rule["match"] == match]
                if sum(rule["times"] for rule in alike) < MOST_UNMET:
                    known = ON_READS if match["method"] == "GET" else ON_WRITES
                    rare = chance.random() < SELDOM
                    bad = chance.choice([name for name in known if (name in STOP_ALL) == rare])
                    self.deployment.upstream.add_faults({"match": match, "times": 1, "fault": known[bad]})
                    self._count("faults")

    # --- people --------------------------------------------------------------------------------------------------

    def _work(self, numbers: Iterator[int], chance: random.Random) -> None:
        """Ask and have it approved, one after the other, whatever the portal answers."""
        both: tuple[PlainBrowser, PlainBrowser] | None = None
        while not self._over.wait(PAUSE):
            try:
                both = both or (
                    self.deployment.sign_in("developer@example.com"),
                    self.deployment.sign_in("approver@example.com"),
                )
                self._ask(*both, next(numbers), chance)
                self._count("requests that went through")
            except (requests.RequestException, AssertionError, StopIteration):
                # Turned away: the database or the web server is gone, or the cluster is busy. One asks again.
                self._count("requests turned away")
                both = None

    def _ask(self, developer: PlainBrowser, approver: PlainBrowser, number: int, chance: random.Random) -> None:
        free, kind = [There(*row) for row in self.deployment.rows(FREE)], "create"
        if unseen := [its for its in free if not its.looked_at]:
            # What can be installed, and to which version it can be brought, is read when somebody looks at it.
            developer.open(f"/clusters/{chance.choice(unseen).pk}/")
        if free and chance.random() < SOMETIMES:
            kind, its, typed = choose(free, self._approved(), chance)
            developer.open(f"/requests/new/{kind}/?cluster={its.pk}")
            developer.send(f"/requests/new/{kind}/", reason="A soak.", **typed)
        else:
            developer.open("/requests/new/create/")
            developer.send("/requests/new/create/", **{**ANSWERS, "name": f"soak{number:05}"})
        change = developer.path
        developer.send(f"{change}submit/")
        approver.open(change)
        approver.send(f"{change}approve/", comment="Agreed.")
        self._count(f"{APPROVED}{kind}")

    def _approved(self) -> dict[str, int]:
        with self._counting:
            return {name.removeprefix(APPROVED): count for name, count in self.figures.items() if APPROVED in name}

    # --- afterwards ----------------------------------------------------------------------------------------------

    def _calm_down(self) -> dict[str, float]:
        """Wait until everything has ended or waits for a person, then have it judged."""
        upstream = self.deployment.upstream
        # Only those that a call has met are faults that were caused.
        self.figures["faults"] -= sum(rule["times"] for rule in upstream.faults())
        upstream.set_faults()
        began = time.monotonic()
        calm(self.deployment)
        took = time.monotonic() - began
        self.figures.update({f"{kind}: {state}": count for kind, state, count in self.deployment.rows(BY_KIND)})
        for name in list(self._parts):
            if name.startswith(("worker", "sweep")):
                processes.stop(self._parts.pop(name), signal.SIGTERM)
        return {**judge_deployment(self.deployment), "until all was calm, s": round(took, 1)}
