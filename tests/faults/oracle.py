"""What must hold after every fault: ended once or waiting for a person, nothing doubled, lost or stuck."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.audit.verify import verify
from portal.catalog.kinds import KINDS
from portal.home.management.commands.sweep import jobs
from portal.inventory.models import Cluster, Sync
from portal.operations import concerns
from portal.operations.models import Concern, Operation, Secret
from portal.operations.states import NOTHING_EXECUTED, Proof, Reason, State
from portal.operations.sweep import once
from portal.upstream.client import client
from portal.upstream.models import Token
from tests.faults.figures import Verdict
from tests.portal.operations.engine import time_passes
from tests.sandbox_server import Sandbox

# A pass of the sweep each 400 seconds: leases end with the first one, and the grace period with the third.
PASS_SECONDS = 400.0
MOST_PASSES = 8


def later(seconds: float = PASS_SECONDS) -> None:
    """Let time pass for everything that carries one."""
    span = timedelta(seconds=seconds)
    time_passes(seconds)
    Token.objects.update(fetching_until=F("fetching_until") - span)
    Sync.objects.filter(name="resources").update(look_at=F("look_at") - span)
    Cluster.objects.filter(gone_at=None).update(
        tried_at=F("tried_at") - span, wanted_at=F("wanted_at") - span, missed_at=F("missed_at") - span
    )


def recover(operation: Operation) -> None:
    """Let the sweep alone do its work until the operation has ended or waits for a person.

    After so many passes it has had its time: one that does neither counts as lost.
    """
    for _ in range(MOST_PASSES):
        later()
        once(jobs())
        operation.refresh_from_db()
        if operation.finished or _waits(operation):
            return


def judge(operation: Operation, upstream: Sandbox) -> Verdict:
    """Compare what the portal believes with what was approved and what ITCare has done."""
    operation = Operation.objects.select_related("service", "cluster").get(pk=operation.pk)
    writes = [write for write in upstream.writes() if _about(write, operation)]
    problems = [
        *_ended_once(operation),
        *_sent_once(operation, writes),
        *_known(operation, writes),
        *_nothing_stuck(operation),
        *_secrets(),
        *verify().problems,
    ]
    return Verdict(
        state=operation.state,
        was_unclear=_entries(operation, "operation.unclear").exists(),
        waits=_waits(operation),
        writes=len(writes),
        problems=tuple(problems),
    )


def a_person_ends(operation: Operation, person: User) -> None:
    """Somebody finds out that what waits was not done."""
    operation.refresh_from_db()
    words = "Nothing of it is to be found at ITCare."
    concerns.close_of(operation, words, by=person)
    operation.move(
        State.FAILED, fence=operation.fence, actor=person, settled_by=person, reason=Reason.SETTLED, message=words
    )


def _waits(operation: Operation) -> bool:
    """Whether a person must look, and is told why."""
    if operation.finished or not operation.message:
        return False
    attempt = operation.attempts.last()
    grace = timedelta(seconds=settings.SETTLE_GRACE_SECONDS)
    over = attempt is not None and timezone.now() - attempt.started_at >= grace
    told = Concern.objects.open().filter(operation=operation).exists() or "a person must" in operation.message
    return operation.state == State.UNCLEAR and over and told


def _about(write: dict[str, Any], operation: Operation) -> bool:
    if operation.kind == "create":
        return bool(write["method"] == "POST" and (write["body"] or {}).get("name") == operation.name)
    return operation.cluster is not None and write["path"].endswith(f"/{operation.cluster.upstream_id}")


def _entries(operation: Operation, *verbs: str) -> Any:  # noqa: ANN401 - a queryset
    return Entry.objects.filter(subject_type="operation", subject_id=str(operation.pk), verb__in=verbs)


def _ended_once(operation: Operation) -> Iterator[str]:
    ends = _entries(operation, "operation.succeeded", "operation.failed", "operation.cancelled").count()
    if not operation.finished and not _waits(operation):
        yield f"lost: it is {operation.state}, and nobody is told"
    if ends != int(operation.finished):
        yield f"it is {operation.state}, and the log tells of {ends} ends"


def _sent_once(operation: Operation, writes: list[dict[str, Any]]) -> Iterator[str]:
    attempts = list(operation.attempts.all())
    refused = sum(attempt.proof == Proof.REFUSED for attempt in attempts)
    perhaps = sum(attempt.proof not in NOTHING_EXECUTED for attempt in attempts)
    if len(writes) > refused + 1:
        yield f"doubled: {len(writes)} writes, {refused} of them refused"
    if len(writes) > refused + perhaps:
        yield f"doubled: {len(writes)} writes, of {len(attempts)} attempts {perhaps} may have left"
    if _entries(operation, "operation.sending").count() != len(attempts):
        yield "the log does not tell of each attempt"
    done = [action for action in client().actions(resource_name=operation.name) if action.resource_name]
    if len(done) > 1:
        yield f"doubled: ITCare has done {len(done)} things to {operation.name}"
    approved = KINDS[operation.kind].payload(operation.parameters) or None
    for write in writes:
        body = {name: value for name, value in (write["body"] or {}).items() if name != "admPassword"} or None
        if body != approved:
            yield f"not what was approved: {body} instead of {approved}"


def _known(operation: Operation, writes: list[dict[str, Any]]) -> Iterator[str]:
    """What ITCare took is known to have been done; what it never saw is not said to have been."""
    if writes and operation.state != State.SUCCEEDED:
        yield f"ITCare did it, and it is {operation.state}: {operation.message}"
    if not writes and operation.state == State.SUCCEEDED:
        yield "ITCare never saw it, and it has succeeded"
    if operation.state != State.SUCCEEDED:
        return
    cluster = operation.cluster
    if cluster is None:
        yield "nobody knows which cluster it made"
    elif (cluster.gone_at is not None) != KINDS[operation.kind].removes:
        yield f"its cluster is {'gone' if cluster.gone_at else 'still there'}"


def _nothing_stuck(operation: Operation) -> Iterator[str]:
    if operation.finished and operation.attempts.filter(proof=Proof.OPEN).exists():
        yield "an attempt is open for ever"
    long_past = Q(look_at__lte=Now() - timedelta(seconds=2 * PASS_SECONDS)) | Q(lease_until__lte=Now())
    for row in Operation.objects.unfinished().filter(long_past):
        yield f"{row} is stuck: {row.state}, due at {row.look_at}, held until {row.lease_until}"


def _secrets() -> Iterator[str]:
    """A sealed password has one that needs it: an unsent operation, its reveal, or a request that waits."""
    ownerless = Secret.objects.filter(operation_to_send=None, operation_to_reveal=None, change=None)
    if ownerless.exists():
        yield "a sealed password outlives what needed it"
