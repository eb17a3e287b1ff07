"""The judge notices each rule that is broken, and the campaign forgets nothing."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.audit.record import record
from portal.inventory.models import Cluster
from portal.operations import send
from portal.operations.concerns import raise_concern
from portal.operations.models import Attempt, Operation, Secret, Situation
from portal.operations.states import Proof, Reason, State
from portal.sealing import SecretText
from portal.upstream.client import client
from tests.cast import Cast, queued, sending
from tests.faults.campaign import PARTS, TESTS
from tests.faults.figures import Figures, Verdict
from tests.faults.judge import figures_of, judge, problems, settle_down, verdict_on
from tests.faults.test_table import TELLING
from tests.portal.audit.tampering import tamper
from tests.portal.catalog.asking import TARGET, approved, placed
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

# They show that the faults are caused and judged rightly, and cause none.
OWN = {"test_guards.py", "test_judge.py", "test_proxy.py", "test_table.py"}
NAME = "Resize placed1234 to 4 CPU, 8 GB"
LOST = f"lost: ITCare has done it 1 times, and 0 ended so: {NAME}"
# It had ended: whatever else is wrong, the log knows.
ENDS = f"{NAME} is unclear, and the log tells of 1 ends"


@pytest.fixture
def carried_out(cast: Cast, upstream: Sandbox) -> Operation:
    """An operation that went well."""
    cluster = placed(upstream, cast.service, TARGET)
    operation = approved(cast, "resize", cluster, {"sizing": "4cpu8gb", "reason": "A test."})
    send.send(operation.pk)
    action = Operation.objects.get(pk=operation.pk).upstream_action_id or 0
    itcare = client()
    until(lambda: itcare.action(action).succeeded)
    settle_down()
    operation.refresh_from_db()
    return operation


def row(operation: Operation, **values: Any) -> None:  # noqa: ANN401 - columns
    Operation.objects.filter(pk=operation.pk).update(**values)


def failed(operation: Operation, message: str = "No.", settled_by: User | None = None) -> None:
    row(operation, state=State.FAILED, reason=Reason.REFUSED, message=message, settled_by=settled_by)


def unclear(operation: Operation, message: str = "Look.") -> None:
    row(operation, state=State.UNCLEAR, ended_at=None, look_at=Now(), message=message)


def asked(
    operation: Operation, situation: Situation = Situation.SEVERAL_FIT, *, words: str = "Look.", message: str = "Look."
) -> None:
    unclear(operation, message=message)
    raise_concern(situation, words, operation=operation)


def asked_early(operation: Operation) -> None:
    operation.attempts.update(started_at=Now())
    asked(operation, Situation.NOTHING_FOUND)


def tried_again(operation: Operation, proof: Proof) -> None:
    Attempt.objects.create(operation=operation, number=2, fence=operation.fence, proof=proof, ended_at=Now())


def logged(operation: Operation, verb: str, **detail: str) -> None:
    record(
        verb,
        actor="portal",
        subject_type="operation",
        subject_id=operation.pk,
        subject=operation.title,
        service_id=operation.service_id,
        detail=detail,
    )


def sent_twice(operation: Operation) -> None:
    tried_again(operation, Proof.UNKNOWN)
    logged(operation, "operation.sending")


def released_and_sent_twice(operation: Operation) -> None:
    sent_twice(operation)
    logged(operation, "operation.queued", **{"from": "unclear"})


PAYLOAD = "{'operation': 'resize', 'options': {'sizing': '%s'}}"
# What becomes of an operation that went well, and what the judge then says.
BROKEN: Mapping[str, tuple[Callable[[Operation], object], list[str]]] = {
    "unfinished, and nobody is told": (unclear, [f"lost: {NAME} is unclear, and nobody is told", ENDS]),
    "told without words": (
        lambda operation: asked(operation, words=""),
        [f"a person is asked about {NAME}, and not told why", ENDS],
    ),
    "told without a message": (
        lambda operation: asked(operation, message=""),
        [f"a person is asked about {NAME}, and not told why", ENDS],
    ),
    "told too early": (asked_early, [f"a person is asked about {NAME} before the grace is over", ENDS]),
    "failed without a message": (
        lambda operation: failed(operation, message=""),
        [LOST, f"{NAME} failed, and nobody knows why: 'refused', ''"],
    ),
    "ended twice": (
        lambda operation: logged(operation, "operation.succeeded"),
        [f"{NAME} is succeeded, and the log tells of 2 ends"],
    ),
    "an attempt that is not in the log": (
        lambda operation: tried_again(operation, Proof.NOT_SENT),
        [f"{NAME} was tried 2 times, and the log tells of 1"],
    ),
    "two attempts that may have left": (sent_twice, [f"doubled: {NAME} may have been executed 2 times"]),
    "two attempts, one of them released by people": (released_and_sent_twice, []),
    "a write that is said not to have left": (
        lambda operation: operation.attempts.update(proof=Proof.NOT_SENT),
        [f"doubled: resize {TARGET} was written 1 times, 0 were refused and 0 may have left"],
    ),
    "something else than was approved": (
        lambda operation: row(operation, parameters={"sizing": "8cpu16gb"}),
        [f"not what was approved: {PAYLOAD % '4cpu8gb'} instead of [{PAYLOAD % '8cpu16gb'}]"],
    ),
    "done, and said to have failed": (failed, [LOST]),
    "done, and a person says that it failed": (
        lambda operation: failed(operation, settled_by=operation.approver),
        [],
    ),
    "a cluster that is gone": (
        lambda operation: Cluster.objects.filter(operations=operation).update(gone_at=Now()),
        [f"its cluster is gone: {NAME}"],
    ),
    "an attempt without an end": (
        lambda operation: operation.attempts.update(proof=Proof.OPEN, ended_at=None),
        [f"an attempt is open for ever: {NAME}"],
    ),
    "a secret without an owner": (
        lambda _operation: Secret.seal(SecretText("Sealed-Secret-1"), bound_to="nobody").save(),
        ["a sealed password outlives what needed it"],
    ),
}


def test_each_broken_rule_is_noticed(carried_out: Operation, upstream: Sandbox, subtests: pytest.Subtests) -> None:
    judge(upstream)
    went_well = Verdict("succeeded", was_unclear=False, waits=False, writes=1, problems=())
    assert verdict_on(carried_out, upstream) == went_well
    for name, (breaks, told) in BROKEN.items():
        with subtests.test(name), transaction.atomic():
            breaks(carried_out)
            assert list(problems(upstream)) == told
            transaction.set_rollback(True)
    judge(upstream)


def test_what_hangs_is_stuck(carried_out: Operation, upstream: Sandbox) -> None:
    hour = timedelta(hours=1)
    for column in ("look_at", "lease_until"):
        with transaction.atomic():
            asked(carried_out)
            row(carried_out, **{column: Now() - hour})
            stands = Operation.objects.get(pk=carried_out.pk)
            stuck = f"{NAME} is stuck: unclear, due at {stands.look_at}, held until {stands.lease_until}"
            assert list(problems(upstream)) == [ENDS, stuck]
            transaction.set_rollback(True)


def test_what_is_unclear_waits_only_when_it_may(carried_out: Operation, upstream: Sandbox) -> None:
    """Of one that only faults could keep from succeeding more is expected."""
    asked(carried_out)
    expected = ("unclear", True, (ENDS, "ITCare did it, and it is unclear: Look."))
    verdict = verdict_on(carried_out, upstream)
    assert (verdict.state, verdict.waits, verdict.problems) == expected
    row(carried_out, state=State.RUNNING)
    assert verdict_on(carried_out, upstream).problems[-1] == "a person is asked about it while it is running"


def test_writes_that_nobody_asked_for(carried_out: Operation, upstream: Sandbox) -> None:
    for options in ({"sizing": "8cpu16gb"}, {"sizing": "4cpu8gb"}):
        client().patch(TARGET, "resize", options)
        until(lambda: not client().actions(statuses=["IN_PROGRESS"]).items)
    client().patch(TARGET, "stop", None)
    assert list(problems(upstream)) == [
        f"doubled: resize {TARGET} was written 3 times, 0 were refused and 1 may have left",
        f"not what was approved: {PAYLOAD % '8cpu16gb'} instead of [{PAYLOAD % '4cpu8gb'}]",
        f"doubled: ITCare has done 3 times what was asked for 1 times: {NAME}",
        f"doubled: stop {TARGET} was written 1 times, 0 were refused and 0 may have left",
        "not what was approved: {'operation': 'stop'} instead of []",
    ]


def test_what_is_believed_and_was_never_done(cast: Cast, upstream: Sandbox) -> None:
    operation = sending(queued(cast.developer, cast.approver))
    Attempt.objects.create(operation=operation, number=1, fence=operation.fence, proof=Proof.ACCEPTED, ended_at=Now())
    operation.move(State.SUCCEEDED)
    assert list(problems(upstream)) == [
        "ITCare has done it 0 times, and 1 are said to have ended there: Create newpostgre01",
        "nobody knows which cluster came of it: Create newpostgre01",
    ]


def test_a_broken_chain(cast: Cast, upstream: Sandbox) -> None:
    operation = queued(cast.developer, cast.approver)
    lost = f"lost: {operation} is queued, and nobody is told"
    assert list(problems(upstream)) == [lost]
    tamper("DELETE FROM audit_entry WHERE number = 1")
    assert list(problems(upstream)) == [lost, "Entries are missing: after 0 comes 2."]


def test_the_figures_count_verdicts() -> None:
    figures = Figures()
    settled = Verdict("succeeded", was_unclear=True, waits=False, writes=1, problems=())
    bad = Verdict("unclear", was_unclear=True, waits=True, writes=0, problems=("lost: it", "doubled: it"))
    figures.ran(settled, points=1, faults=2, kills=2)
    figures.ran(bad, points=1, faults=1, kills=1)
    assert figures.counts == {
        "points x operations": 2,
        "faults": 3,
        "kills": 3,
        "unclear": 2,
        "settled by itself": 1,
        "by a person": 1,
        "lost": 1,
        "doubled": 1,
    }


def test_the_figures_tell_what_came_of_all_operations(cast: Cast, carried_out: Operation) -> None:
    def figures(*found: str) -> list[float]:
        return list(figures_of(found).values())

    assert figures() == [0, 0, 0, 0, 0]
    with transaction.atomic():
        logged(carried_out, "operation.unclear")
    assert figures("lost: it", "doubled: it", "doubled: that", "odd") == [1, 1, 0, 1, 2]
    row(carried_out, settled_by=cast.approver)
    assert figures() == [1, 0, 1, 0, 0]


def test_every_fault_has_its_part_in_the_campaign() -> None:
    named = [name for part in PARTS for name in part.files]
    files = [*TESTS.rglob("test_*.py")]
    left = {file for file in files if "mark.campaign" in file.read_text(encoding="utf-8") and file.name not in OWN}
    telling = {Path(module.__file__ or "") for module in TELLING}
    wanted = {file for file in files if file.parent.name == "faults" and file.name not in OWN} | left | telling
    assert sorted(named) == sorted(str(file.relative_to(TESTS)) for file in wanted)


def test_what_somebody_else_wrote_is_told_of_unless_it_is_known(cast: Cast, upstream: Sandbox) -> None:
    def doubled(*besides: tuple[str, str]) -> list[str]:
        return [told for told in problems(upstream, besides=besides) if told.startswith("doubled")]

    Caller(upstream).create(name="elsewhere01")
    told = "doubled: create elsewhere01 was written 1 times, 0 were refused and 0 may have left"
    assert doubled() == [told]
    judge(upstream, besides=[("create", "elsewhere01")])
    # Known of are so many, and no more.
    Caller(upstream).create(name="elsewhere02")
    assert doubled(("create", "elsewhere01")) == [told.replace("01", "02")]
