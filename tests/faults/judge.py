"""The judge after each fault: carried out once, or ended, or waiting for a person; nothing twice, lost or stuck.

Each rule holds for everybody (`judge`). Of an operation that nothing but faults kept from its end more is expected, and
`verdict_on` says what became of it.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

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
from portal.operations.models import Attempt, Concern, Operation, Secret, Situation
from portal.operations.states import ENDED, UNSENT, Proof, Reason, State
from portal.operations.sweep import Job, once
from portal.upstream.models import Token
from tests.faults.asked import Asked
from tests.faults.figures import EVERYTHING, Verdict
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
# Jobs that show which cluster was made, and which is gone, where that could not be read at the operation's end.
READS: Final = ("clusters that somebody waits for", "lists of ITCare", "clusters of creates")
# A pass of the sweep each 400 seconds: leases end with the first one, and the grace period with the third.
PASS_SECONDS: Final = 400.0
# Passes within which everything must have ended, or wait for a person.
PASSES: Final = 8
READINGS: Final = 3
# Real seconds for ITCare's work between two passes.
UPSTREAM_SECONDS: Final = 0.25

# A kind, and the cluster's number; of a create its name.
Aim = tuple[str, str]


def later(seconds: float = PASS_SECONDS) -> None:
    """Let time pass for everything that carries one."""
    span = timedelta(seconds=seconds)
    time_passes(seconds)
    Token.objects.update(fetching_until=F("fetching_until") - span)
    Sync.objects.filter(name="resources").update(look_at=F("look_at") - span)
    Cluster.objects.filter(gone_at=None).update(
        tried_at=F("tried_at") - span, wanted_at=F("wanted_at") - span, missed_at=F("missed_at") - span
    )


def named(*names: str) -> list[Job]:
    """Those jobs of the sweep."""
    found = [job for job in jobs() if job.name in names]
    assert {job.name for job in found} == set(names)
    return found


def settle_down(*, everything: bool = False) -> None:
    """Let the sweep alone do its work until everything has ended or waits for a person.

    After so many passes it has had its time: what does neither then counts as lost.

    Args:
        everything: Run all jobs, not only those that carry operations on.
    """
    for _ in range(PASSES):
        later()
        once(jobs() if everything else named(*CARRIES))
        if not _moving().exists():
            break
        if _moving().filter(state=State.RUNNING).exists():
            # Time that the portal's clocks have been told of has not passed for the stand-in.
            time.sleep(UPSTREAM_SECONDS)
    for _ in range(READINGS):
        if not any(map(_unread, _perhaps_unread())):
            return
        later()
        once(named(*READS))


def a_person_ends(operation: Operation, person: User) -> None:
    """Somebody finds out that what waits was not done."""
    operation.refresh_from_db()
    words = "Nothing of it is to be found at ITCare."
    concerns.close_of(operation, words, by=person)
    operation.move(
        State.FAILED, fence=operation.fence, actor=person, settled_by=person, reason=Reason.SETTLED, message=words
    )


def judge(upstream: Sandbox, *, besides: Iterable[Aim] = ()) -> None:
    """Check every rule of what must hold, whatever happened (SAFETY 1).

    Args:
        upstream: Whose record of writes counts.
        besides: Writes in it that this database did not make: somebody else did, or a database that was lost.

    Raises:
        AssertionError: something does not, with a sentence for each.
    """
    found = list(problems(upstream, besides=besides))
    Asked.once_more(figures_of(found) if EVERYTHING else None)
    assert found == [], "\n".join(found)


def problems(upstream: Sandbox, about: Operation | None = None, *, besides: Iterable[Aim] = ()) -> Iterator[str]:
    """What should not be, a sentence each: of all operations, or of one and those alike; and of all that they share."""
    writes: dict[Aim, list[dict[str, Any]]] = {}
    for write in upstream.writes():
        writes.setdefault(aim(write), []).append(write)
    done = carried_out(upstream)
    for other in besides:
        # The first one of its aim, and what ITCare did of it.
        writes[other].pop(0)
        done[other] -= 1
    asked: dict[Aim, list[Operation]] = {}
    operations = Operation.objects.filter(name=about.name) if about else Operation.objects.all()
    for operation in operations.select_related("cluster").prefetch_related("attempts").order_by("pk"):
        asked.setdefault(aim_of(operation), []).append(operation)
    for what in [aim_of(about)] if about else sorted({*writes, *asked}):
        alike = asked.get(what, [])
        yield from _nothing_twice(what, alike, writes.get(what, []))
        yield from _as_approved(alike, writes.get(what, []))
        if alike:
            yield from _true(alike, done)
        for operation in alike:
            yield from _ended_or_waiting(operation)
            yield from _in_the_log(operation)
    yield from _nothing_stuck()
    yield from _no_secret_left()
    yield from verify().problems


def figures_of(found: Iterable[str]) -> dict[str, float]:
    """What came of all operations that there are, in figures, with the problems that were found."""
    told = list(found)
    entries = Entry.objects.filter(subject_type="operation", verb="operation.unclear")
    unclear = set(map(int, entries.values_list("subject_id", flat=True)))
    people = Q(settled_by__isnull=False) | ~Q(state__in=ENDED)
    by_a_person = set(Operation.objects.filter(people).values_list("pk", flat=True))
    return {
        "unclear": len(unclear),
        "settled by itself": len(unclear - by_a_person),
        "by a person": len(by_a_person),
        "lost": sum(problem.startswith("lost") for problem in told),
        "doubled": sum(problem.startswith("doubled") for problem in told),
    }


def verdict_on(operation: Operation, upstream: Sandbox) -> Verdict:
    """What became of an operation that only faults could keep from succeeding, and that nobody else meddled with."""
    Asked.once_more()
    operation.refresh_from_db()
    writes = [write for write in upstream.writes() if aim(write) == aim_of(operation)]
    waits = not operation.finished and _asked_about(operation) is not None
    found = list(problems(upstream, operation))
    if writes and operation.state != State.SUCCEEDED:
        found.append(f"ITCare did it, and it is {operation.state}: {operation.message}")
    if waits and operation.state != State.UNCLEAR:
        found.append(f"a person is asked about it while it is {operation.state}")
    return Verdict(
        state=operation.state,
        was_unclear=_entries(operation, "operation.unclear") > 0,
        waits=waits,
        writes=len(writes),
        problems=tuple(found),
    )


def carried_out(upstream: Sandbox) -> Counter[tuple[str, str]]:
    """How often the stand-in began each kind of work on each name, by its own file."""
    actions = json.loads(upstream.state.read_text(encoding="utf-8"))["world"]["actions"]
    return Counter((action["process"].removeprefix("postgresql_"), action["resource_name"]) for action in actions)


def aim(write: dict[str, Any]) -> Aim:
    """What a write that the stand-in received is aimed at."""
    body = write["body"] or {}
    if write["method"] == "POST":
        return "create", str(body.get("name"))
    number = write["path"].rpartition("/")[2]
    return ("delete" if write["method"] == "DELETE" else str(body.get("operation"))), number


def aim_of(operation: Operation) -> Aim:
    """What its writes are aimed at."""
    if operation.kind == "create" or operation.cluster is None:
        return operation.kind, operation.parameters["name"]
    return operation.kind, str(operation.cluster.upstream_id)


def _ended_or_waiting(operation: Operation) -> Iterator[str]:
    """It ended, with the reason if it failed; or a person was asked, in words, and not before it was time."""
    if operation.state == State.FAILED and not (operation.reason and operation.message):
        yield f"{operation} failed, and nobody knows why: {operation.reason!r}, {operation.message!r}"
    if operation.state in ENDED:
        return
    concern = _asked_about(operation)
    if concern is None:
        yield f"lost: {operation} is {operation.state}, and nobody is told"
        return
    if not concern.words or (operation.state == State.UNCLEAR and not operation.message):
        yield f"a person is asked about {operation}, and not told why"
    grace = timedelta(seconds=settings.SETTLE_GRACE_SECONDS)
    started = max((attempt.started_at for attempt in operation.attempts.all()), default=None)
    if concern.situation == Situation.NOTHING_FOUND and started and timezone.now() - started < grace:
        yield f"a person is asked about {operation} before the grace is over"


def _in_the_log(operation: Operation) -> Iterator[str]:
    """The audit log tells of each attempt, and of one end."""
    ends = _entries(operation, *(f"operation.{state}" for state in ENDED))
    if ends != int(operation.state in ENDED):
        yield f"{operation} is {operation.state}, and the log tells of {ends} ends"
    told, attempts = _entries(operation, "operation.sending"), len(operation.attempts.all())
    if told != attempts:
        yield f"{operation} was tried {attempts} times, and the log tells of {told}"


def _nothing_twice(what: Aim, alike: Iterable[Operation], writes: list[dict[str, Any]]) -> Iterator[str]:
    """ITCare received what was tried and may have left; of each that may have been executed one, and one a release."""
    refused = perhaps = 0
    for operation in alike:
        acted = sum(attempt.may_have_acted for attempt in operation.attempts.all())
        released = _entries(operation, "operation.queued", detail__from=State.UNCLEAR)
        if acted > 1 + released:
            yield f"doubled: {operation} may have been executed {acted} times"
        perhaps += acted
        refused += sum(attempt.proof == Proof.REFUSED for attempt in operation.attempts.all())
    if len(writes) > refused + perhaps:
        name = " ".join(what)
        yield f"doubled: {name} was written {len(writes)} times, {refused} were refused and {perhaps} may have left"


def _as_approved(alike: Iterable[Operation], writes: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What ITCare received is what somebody approved and the portal tried."""
    tried = [KINDS[each.kind].payload(each.parameters) or None for each in alike if each.attempts.all()]
    for write in writes:
        body = {name: value for name, value in (write["body"] or {}).items() if name != "admPassword"} or None
        if body not in tried:
            yield f"not what was approved: {body} instead of {tried}"


def _true(alike: list[Operation], done: Counter[tuple[str, str]]) -> Iterator[str]:
    """What is believed is what happened: ITCare did what ended as done, and of what is open at most all.

    What a person has settled is theirs to know.
    """
    title, times = alike[0].title, done[alike[0].kind, alike[0].name]
    mine = [each for each in alike if each.settled_by_id is None]
    said = sum(each.state == State.SUCCEEDED or each.reason == Reason.FAILED_UPSTREAM for each in mine)
    open_ = len(alike) - len(mine) + sum(each.state not in ENDED for each in mine)
    if times > len(alike):
        yield f"doubled: ITCare has done {times} times what was asked for {len(alike)} times: {title}"
    elif times > said + open_:
        yield f"lost: ITCare has done it {times} times, and {said} ended so: {title}"
    if times < said:
        yield f"ITCare has done it {times} times, and {said} are said to have ended there: {title}"
    yield from filter(None, (_unread(each) for each in mine[-1:] if each.state == State.SUCCEEDED))


def _unread(operation: Operation) -> str:
    """What the portal should know of the cluster of one that succeeded, in words; empty where it knows it."""
    cluster = operation.cluster
    if cluster is None:
        return f"nobody knows which cluster came of it: {operation.title}"
    if operation != cluster.operations.filter(state=State.SUCCEEDED).latest("ended_at"):
        return ""
    if (cluster.gone_at is not None) == KINDS[operation.kind].removes:
        return ""
    return f"its cluster is {'gone' if cluster.gone_at else 'still there'}: {operation.title}"


def _perhaps_unread() -> Any:  # noqa: ANN401 - a queryset
    """Those that succeeded, whose cluster is not known or not as its kind leaves it."""
    removes = Q(kind__in=[name for name, kind in KINDS.items() if kind.removes])
    gone = Q(cluster__gone_at__isnull=False)
    odd = Q(cluster=None) | (removes & ~gone) | (~removes & gone)
    return Operation.objects.filter(odd, state=State.SUCCEEDED, settled_by=None).select_related("cluster")


def _nothing_stuck() -> Iterator[str]:
    for attempt in Attempt.objects.filter(proof=Proof.OPEN).exclude(operation__state=State.SENDING):
        yield f"an attempt is open for ever: {attempt.operation.title}"
    long_past = Q(look_at=None) | Q(look_at__lte=Now() - timedelta(seconds=2 * PASS_SECONDS))
    for row in Operation.objects.unfinished().filter(long_past | Q(lease_until__lte=Now())):
        yield f"{row} is stuck: {row.state}, due at {row.look_at}, held until {row.lease_until}"


def _no_secret_left() -> Iterator[str]:
    """A sealed password has one that needs it: an unsent operation, its reveal, or a request that waits."""
    kept = Q(operation_to_send__state__in=UNSENT) | Q(operation_to_reveal__isnull=False) | Q(change__isnull=False)
    if Secret.objects.exclude(kept).exists():
        yield "a sealed password outlives what needed it"


def _moving() -> Any:  # noqa: ANN401 - a queryset
    """Unfinished operations about which no person was asked."""
    asked = Concern.objects.open().filter(operation__isnull=False).values("operation")
    return Operation.objects.unfinished().exclude(pk__in=asked)


def _asked_about(operation: Operation) -> Concern | None:
    return Concern.objects.open().filter(operation=operation).first()


def _entries(operation: Operation, *verbs: str, **where: object) -> int:
    return Entry.objects.filter(subject_type="operation", subject_id=str(operation.pk), verb__in=verbs, **where).count()
