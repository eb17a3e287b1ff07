"""The order in which a transaction locks what belongs to operations: who keeps to it never waits in a circle.

1. the clusters, by whoever starts an operation: of several, the one with the lower number first,
2. the attempt, by whoever writes down what a call proved,
3. the operation; of several, likewise,
4. ITCare's actions, likewise,
5. the concerns,
6. the chain of the audit log, which every entry takes until the end of the transaction: so `Operation.move` comes last.

What is locked again is no new lock. Who raises a concern about an operation locks that one without more ado
(`concerns.raise_concern`); who only closes concerns needs no more than them.

Who holds an operation changes no cluster: that one is to be read is noted before or after, in a transaction of its own.
Rows that refer to a cluster lock its key at the very end, after the chain: so nobody locks one in a way that holds
them up (`no_key`).
"""

from portal.operations.models import Operation
from portal.operations.states import LostRaceError


def lock(*operations: Operation) -> None:
    """Lock the rows of operations until the transaction's end, whoever works on them."""
    numbers = {operation.pk for operation in operations}
    list(Operation.objects.filter(pk__in=numbers).order_by("pk").select_for_update(of=("self",)).values_list("pk"))


def lock_own(operation: Operation) -> None:
    """Lock the row of an operation, if it still is the caller's.

    Raises:
        LostRaceError: it has another fence or state.
    """
    rows = Operation.objects.filter(pk=operation.pk, fence=operation.fence, state=operation.state)
    if not rows.select_for_update(of=("self",)).values_list("pk"):
        message = f"operation {operation.pk} was taken over"
        raise LostRaceError(message)
