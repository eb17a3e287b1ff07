"""Crash points: found in a clean run, then hit one by one."""

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.framing import Message
from tests.faults.proxy import CutError, Moment
from tests.faults.steps import Stage


@dataclass(frozen=True)
class Point:
    """A moment of an effect of a step.

    Attributes:
        moment: When, seen from it.
        what: The effect in words, with how many of its very sort came: "commit 1 (operation.sending)", "request 2 (GET
            /itcare/actions)". What is done at once comes in no certain order, so its place among all says nothing.
    """

    moment: Moment
    what: str

    def __str__(self) -> str:
        return f"{self.moment} {self.what}"

    @property
    def in_a_write(self) -> bool:
        """Whether a write upstream is under way, or begins or has just ended here."""
        return any(f"({method} /itcare" in self.what for method in ("POST", "PATCH", "DELETE"))


class Tape:
    """A watcher that notes all effects of a step in their order, commits and requests, and kills at one point.

    Args:
        stage: Where the step runs.
        at: The point; none for a clean run.
    """

    def __init__(self, stage: Stage, at: Point | None = None) -> None:
        self.effects: list[str] = []
        self.hit = ""
        self._stage, self._at = stage, at
        self._counts: Counter[str] = Counter()
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    def __call__(self, message: Message, moment: Moment) -> None:
        """Note it, or kill."""
        if not message.effect:
            return
        with self._lock:
            if moment is Moment.BEFORE:
                self._names[id(message)] = self._named(message.text)
                self.effects.append(self._names[id(message)])
            here = f"{moment} {self._names[id(message)]}"
            if not self.hit and str(self._at) == here:
                self.hit = here
                os.kill(self._stage.zygote.running(), signal.SIGKILL)
            if self.hit:
                raise CutError

    def _named(self, text: str) -> str:
        # Clusters and actions of another run have other numbers.
        text = re.sub(r"/\d+", "/N", text)
        kind, _, rest = text.partition(" ") if text.startswith("commit") else ("request", "", f"({text})")
        self._counts[f"{kind} {rest}"] += 1
        return f"{kind} {self._counts[f'{kind} {rest}']} {rest}"


def points(effects: Sequence[str]) -> Iterator[Point]:
    """Every point of a step with these effects; a commit is one message, which leaves whole or not at all."""
    for what in effects:
        for moment in Moment:
            if moment is not Moment.HALFWAY or what.startswith("request"):
                yield Point(moment, what)


def clean(stage: Stage, step: str, number: int = 0) -> list[str]:
    """Run the step to its end; answers its effects in their order."""
    tape = Tape(stage)
    with stage.watched(tape):
        status = stage.run(step, number)
    assert status == 0, f"{step} raised: see the log"
    return tape.effects


def killed(stage: Stage, step: str, at: Point, number: int = 0) -> None:
    """Kill the step at that point.

    Raises:
        AssertionError: it never came there.
    """
    tape = Tape(stage, at)
    with stage.watched(tape):
        status = stage.run(step, number)
    assert (tape.hit, status) == (str(at), -signal.SIGKILL), f"it went {tape.effects} and ended with {status}"
