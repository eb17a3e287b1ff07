"""The judge after each fault: carried out once, or ended, or waiting for a person; nothing twice; nothing stuck."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from django.db.models import Q
from django.db.models.functions import Now

from portal.audit.verify import verify
from portal.home.management.commands.sweep import jobs
from portal.operations.models import Attempt, Concern, Operation, Secret
from portal.operations.states import ENDED, NOTHING_EXECUTED, UNSENT, Proof, State
from portal.operations.sweep import once
from tests.portal.operations.engine import time_passes
from tests.sandbox_server import Sandbox

# Jobs that carry operations on; the others read the inventory, and cost time.
CARRIES: Final = (
    "lapsed leases",
    "due operations",
    "running operations",
    "unclear operations",
    "clusters of creates",
)
PASSES: Final = 30
"""Passes of the sweep within which everything must have ended, or wait for a person."""


def settle_down(*, seconds: float = 60.0) -> int:
    """Run the sweep, with time passing between its passes, until everything has ended or waits for a person.

    Answers how many passes that took.
    """
    for done in range(PASSES):
        if not _moving().exists():
            return done
        once([job for job in jobs() if job.name in CARRIES])
        time_passes(seconds)
    assert list(_moving().values_list("title", "state", "message")) == []
    return PASSES


def _moving() -> Any:  # noqa: ANN401 - a queryset
    """Unfinished operations about which no person was asked."""
    asked = Concern.objects.open().filter(operation__isnull=False).values("operation")
    return Operation.objects.unfinished().exclude(pk__in=asked)


def judge(upstream: Sandbox) -> None:
    """Check every rule of what must hold, whatever happened (SAFETY 1)."""
    _once_or_waiting()
    _nothing_twice(upstream.writes())
    _nothing_stuck()
    _no_secret_left()
    assert verify().problems == ()


def _once_or_waiting() -> None:
    for operation in Operation.objects.all():
        if operation.state not in ENDED:
            concern = Concern.objects.open().filter(operation=operation).first()
            assert concern is not None, f"{operation} is {operation.state}, and nobody was asked"
            assert concern.words != ""
        elif operation.state == State.FAILED:
            assert (operation.reason, operation.message) > ("", "")


def _nothing_twice(writes: Iterable[dict[str, Any]]) -> None:
    """ITCare received no more writes of each sort than attempts were made, and may have executed one at most."""
    received = Counter(aim(write) for write in writes)
    tried: Counter[tuple[str, str]] = Counter()
    for operation in Operation.objects.prefetch_related("attempts").select_related("cluster"):
        attempts = list(operation.attempts.all())
        perhaps = [attempt for attempt in attempts if attempt.proof not in NOTHING_EXECUTED]
        assert len(perhaps) <= 1, f"{operation} may have been executed {len(perhaps)} times"
        tried[aim_of(operation)] += len(attempts)
    assert {aim: count for aim, count in received.items() if count > tried[aim]} == {}


def aim(write: dict[str, Any]) -> tuple[str, str]:
    body = write["body"] or {}
    if write["method"] == "POST":
        return "create", str(body.get("name"))
    number = write["path"].rpartition("/")[2]
    return ("delete" if write["method"] == "DELETE" else str(body.get("operation"))), number


def aim_of(operation: Operation) -> tuple[str, str]:
    if operation.kind == "create":
        return "create", operation.parameters["name"]
    assert operation.cluster is not None
    return operation.kind, str(operation.cluster.upstream_id)


def _nothing_stuck() -> None:
    assert Operation.objects.filter(state=State.SENDING, lease_until__lte=Now()).count() == 0
    assert Operation.objects.unfinished().filter(look_at=None).count() == 0
    assert Attempt.objects.filter(proof=Proof.OPEN).exclude(operation__state=State.SENDING).count() == 0


def _no_secret_left() -> None:
    kept = Q(operation_to_send__state__in=UNSENT) | Q(operation_to_reveal__isnull=False) | Q(change__isnull=False)
    assert Secret.objects.exclude(kept).count() == 0
