"""Publishes hints. A lost or doubled one changes nothing, because rows say when they are due (ARCHITECTURE 1.1)."""

import logging
import time
from functools import partial
from typing import Any, ParamSpec

from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

P = ParamSpec("P")

# Seconds. A hint that waited longer is left to the sweep: after an outage the backlog is not replayed (SAFETY 4).
EXPIRES_SECONDS = 30


def hint(task: Task[P, Any], *args: P.args, **_none: P.kwargs) -> None:
    """Publish the task once the transaction commits; without a broker the sweep finds the row all the same.

    Args:
        task: The task to nudge.
        args: Its arguments: integers, because a message must hold nothing worth stealing.
    """
    transaction.on_commit(partial(publish, task, *args), robust=True)


def publish(task: Task[P, Any], *args: P.args, **_none: P.kwargs) -> bool:
    """Publish the task now; answers whether a broker took it. Waits a second at most."""
    try:
        task.apply_async(args=args, expires=EXPIRES_SECONDS)
    except OperationalError:
        logger.warning("No broker: %s%s waits for the sweep.", task.name, args)
        return False
    return True


class Nudger:
    """Publishes hints for what is due, and remembers what it said lately, so that a busy broker is not filled."""

    def __init__(self) -> None:
        self._told: dict[tuple[str | int, ...], float] = {}

    def nudge(self, task: Task[..., Any], *args: int, again: float = 10.0) -> bool:
        """Publish the task, unless that was done in the last ``again`` seconds; answers whether a broker is there."""
        key: tuple[str | int, ...] = (task.name, *args)
        now = time.monotonic()
        if key in self._told and now - self._told[key] < again:
            return True
        self._told = {told: at for told, at in self._told.items() if now - at < EXPIRES_SECONDS}
        self._told[key] = now
        return publish(task, *args)
