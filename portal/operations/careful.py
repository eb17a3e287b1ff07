"""Sends an operation where a defect must not stop whoever sends: neither a worker's task nor the sweep's round."""

import logging

from celery.exceptions import SoftTimeLimitExceeded

from portal.operations import send as sending
from portal.operations.models import Operation
from portal.operations.slowing import slow_down
from portal.operations.states import State

logger = logging.getLogger(__name__)


def send(operation_id: int) -> None:
    """Send the operation; one that cannot even be tried slows down by itself.

    What was said to be sending is not touched: what came of it is for the sender, or for settling, to say.
    """
    before = Operation.objects.filter(pk=operation_id).values_list("fence", flat=True).first()
    try:
        sending.send(operation_id)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        logger.exception("Operation %s could not be sent.", operation_id)
        # Under the lease that this very call took, and no other one's.
        for row in Operation.objects.filter(pk=operation_id, state=State.QUEUED, fence=(before or 0) + 1):
            slow_down(row, f"Something in it cannot be handled ({type(error).__name__}).")
