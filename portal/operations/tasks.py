"""Celery tasks of operations. Thin: the rows say what is due, the work says what to do."""

from celery import shared_task

from portal.operations import follow, heartbeat, history, mails, send, settle


@shared_task
def send_operation(operation_id: int) -> None:  # noqa: ARG001 - says which one became due
    """Send one operation that is due: the one that was approved first, so that hints need no order."""
    send.send_oldest()


@shared_task
def follow_operations() -> None:
    """Follow all running operations that are due, in one pass."""
    follow.follow()


@shared_task
def settle_operations() -> None:
    """Look for what became of the operations whose outcome is not known."""
    settle.settle()


@shared_task
def read_histories() -> None:
    """Read the histories of clusters that somebody waits for."""
    history.read_waiting()


@shared_task
def tell_people() -> None:
    """Send the mails about what needs a person."""
    mails.tell()


@shared_task
def beat() -> None:
    """Prove that a worker takes messages and reaches the database (SAFETY 1 rule 14)."""
    heartbeat.beat(heartbeat.WORKER)
