"""The real portal, loaded once and forked for each step, so that a step costs no start: python -m tests.faults.zygote.

Reads a line of JSON for each step, answers "pid N" when it began and "ended STATUS" when it did; ends with its input.
A step has one of the names below, or that of a job of the sweep.
Each step runs in a process of its own on connections of its own; nothing of the portal is replaced.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping

import django

django.setup()

# The settings must be there before any model is.
from portal.home.management.commands.sweep import jobs  # noqa: E402
from portal.inventory import lists, waiting  # noqa: E402
from portal.operations import follow, send, settle  # noqa: E402
from portal.operations.sweep import once  # noqa: E402
from portal.upstream.client import client  # noqa: E402
from sandbox.launch import end_with  # noqa: E402

OF_OPERATIONS = ("lapsed leases", "due operations", "running operations", "unclear operations")
# What one pass finds the next one follows.
PASSES = 2


def _settle(_number: int) -> None:
    send.lapse()
    settle.settle()


def _sweep(_number: int) -> None:
    for _ in range(PASSES):
        once([job for job in jobs() if job.name in OF_OPERATIONS])


def _sync(_number: int) -> None:
    upstream = client()
    lists.sync_lists(upstream)
    waiting.read_waiting(upstream)


STEPS: Mapping[str, Callable[[int], object]] = {
    "send": send.send,
    "follow": lambda _number: follow.follow(),
    "settle": _settle,
    "sync": _sync,
    "sweep": _sweep,
}


def _run(step: str, number: int) -> None:
    status = 1
    try:
        if step in STEPS:
            STEPS[step](number)
        else:
            # Not by `once`, which would only log what it raises.
            {job.name: job for job in jobs()}[step].run()
        status = 0
    except BaseException:  # noqa: BLE001 - told, and ended with
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Fork for each line."""
    own = os.getpid()
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child == 0:
            end_with(own, signal.SIGKILL)
            _run(wanted["step"], wanted["number"])
        print(f"pid {child}", flush=True)  # noqa: T201 - the answer
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
