"""Publishes hints: a task that is lost or doubled changes nothing, because rows say when they are due (DESIGN 1.1)."""

import logging
from collections.abc import Callable
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
    publish: Callable[[], None] = partial(_publish, task, args)
    transaction.on_commit(publish, robust=True)


def _publish(task: Task[P, Any], args: tuple[Any, ...]) -> None:
    try:
        task.apply_async(args=args, expires=EXPIRES_SECONDS)
    except OperationalError:
        logger.warning("No broker: %s%s waits for the sweep.", task.name, args)
