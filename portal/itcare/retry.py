"""When a read is tried again. Writes never are."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from portal.itcare.errors import ItcareError, Paused, Throttled, Unavailable

T = TypeVar("T")


@dataclass(frozen=True)
class Retry:
    """Rule for repeating reads: an exponential, capped delay with full jitter, the server's advice first.

    Attributes:
        tries: how often a read is sent at most.
        base: longest delay before the second try, in seconds; doubled for each further one.
        cap: longest delay at all, in seconds.
        budget: seconds after which nothing is tried any more; a try that has begun gets what is left.
        sleep: waits, for tests to replace, like the two that follow.
        clock: a monotonic clock.
        chance: a number from 0 to 1.
    """

    budget: float
    tries: int = 3
    base: float = 0.5
    cap: float = 8.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def delay(self, failed: int, error: ItcareError) -> float | None:
        """Return how long to wait after a failure, in seconds, or None when it is final.

        Args:
            failed: tries that failed so far.
            error: the last failure.
        """
        if failed >= self.tries or not isinstance(error, Throttled | Unavailable):
            return None
        if error.retry_after is not None:
            # A longer wait is the caller's: whoever sleeps here holds a worker and perhaps a lease.
            return error.retry_after if error.retry_after <= self.cap else None
        return self.chance() * min(self.cap, math.ldexp(self.base, failed - 1))

    def run(self, attempt: Callable[[float], T | ItcareError]) -> T:
        """Try until it succeeds, fails for good, or the budget is used up.

        Args:
            attempt: sends once, given the seconds that are left; returns the failure instead of raising it.

        Raises:
            ItcareError: the last failure; a pause that begins between two tries does not hide it.
        """
        end = self.clock() + self.budget
        failure: ItcareError | None = None
        for failed in range(1, self.tries + 1):
            outcome = attempt(end - self.clock())
            if not isinstance(outcome, ItcareError):
                return outcome
            if isinstance(outcome, Paused) and failure is not None:
                raise failure
            failure = outcome
            wait = self.delay(failed, failure)
            if wait is None or self.clock() + wait >= end:
                break
            self.sleep(wait)
        if failure is None:
            message = "a read is tried at least once"
            raise ValueError(message)
        raise failure
