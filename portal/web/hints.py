"""Publishes hints: a task that is lost or doubled changes nothing, because rows say when they are due (DESIGN 1.1)."""

import logging
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
