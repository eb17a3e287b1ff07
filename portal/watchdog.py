"""Ends a worker that lives and takes no messages, so that whatever started it starts a new one (SAFETY 1 rule 14).

After a failed acknowledgement a worker can stay connected, answer pings, and never take a message again. Only this
tells it from an idle one: messages wait, nothing is being done, and nothing has been begun for long.
"""

import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from celery import bootsteps
from celery.worker import state
from celery.worker.components import Pool
from django.conf import settings

# redis: only to ask how many messages wait, on a connection that the worker's own troubles do not reach.
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

LOOKS: Final = 10  # in the time after which a worker counts as deaf
# A worker that does not end in an orderly way by then is ended at once: it does nothing.
ORDERLY_SECONDS: Final = 20.0


@dataclass
class Patience:
    """Decides from what is seen, look by look, whether the worker is deaf.

    Attributes:
        seconds: how long messages may wait while nothing moves.
    """

    seconds: float
    _since: float | None = None
    _begun: int = field(default=-1)

    def exhausted(self, *, waiting: int | None, begun: int, busy: bool, now: float) -> bool:
        """Take one look; answers whether the worker is deaf.

        Args:
            waiting: messages in the queue; None where the broker does not tell.
            begun: tasks that the worker ever took.
            busy: whether a task is being done now.
            now: on a monotonic clock, in seconds.
        """
        still = waiting and not busy and begun == self._begun
        self._begun = begun
        if not still:
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        return now - self._since >= self.seconds


class Watchdog(bootsteps.StartStopStep):
    """A thread of the worker's main process that looks at queue and progress."""

    requires = (Pool,)

    def __init__(self, parent: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's worker
        super().__init__(parent, **kwargs)
        self._stop = threading.Event()

    def start(self, parent: Any) -> None:  # noqa: ANN401 - Celery's worker
        """Begin to look."""
        queue = parent.app.conf.task_default_queue
        threading.Thread(target=self._watch, args=(queue,), name="watchdog", daemon=True).start()

    def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - Celery's worker
        """Look no more: a worker that is told to stop takes no messages either."""
        self._stop.set()

    terminate = stop

    def _watch(self, queue: str) -> None:
        patience = Patience(settings.WORKER_DEAF_SECONDS)
        while not self._stop.wait(patience.seconds / LOOKS):
            begun, busy = state.all_total_count[0], bool(state.active_requests)
            if patience.exhausted(waiting=_waiting(queue), begun=begun, busy=busy, now=time.monotonic()):
                self._end()
                return

    def _end(self) -> None:
        logger.critical(
            "Messages wait, and this worker has taken none for %.0f seconds: it ends, to be started anew.",
            settings.WORKER_DEAF_SECONDS,
        )
        # Celery's own way: its loop ends the worker with this exit status.
        state.should_stop = os.EX_SOFTWARE  # type: ignore[assignment]  # typed by its first value alone
        if not self._stop.wait(ORDERLY_SECONDS):
            os._exit(os.EX_SOFTWARE)


def _waiting(queue: str) -> int | None:
    try:
        with Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=5, socket_connect_timeout=5) as broker:
            return int(broker.llen(queue))
    except (RedisError, OSError):
        return None
