"""The oracle sees what it is for, and the campaign forgets nothing."""

from pathlib import Path

import pytest

from portal.operations import send
from portal.operations.models import Attempt, Operation, Secret
from portal.operations.states import State
from portal.sealing import SecretText
from portal.upstream.client import client
from tests.cast import sending
from tests.faults.campaign import FOLDER, PARTS
from tests.faults.figures import Figures, Verdict
from tests.faults.oracle import judge, later, recover
from tests.faults.scenes import Scenes

pytestmark = pytest.mark.django_db(transaction=True)

# They show that the faults are caused and judged rightly, and cause none.
OWN = {"test_guards.py", "test_oracle.py", "test_proxy.py", "test_table.py"}


def test_nothing_is_wrong_with_what_went_well(scenes: Scenes) -> None:
    operation = scenes.queued("resize")
    recover(operation)
    assert judge(operation, scenes.upstream) == Verdict(
        "succeeded", was_unclear=False, waits=False, writes=1, problems=()
    )


def test_a_double_and_something_else_than_was_approved(scenes: Scenes) -> None:
    operation = scenes.queued("resize")
    recover(operation)
    assert operation.cluster is not None
    client().patch(operation.cluster.upstream_id, "resize", {"sizing": "8cpu16gb"})
    other = "{'operation': 'resize', 'options': {'sizing': '8cpu16gb'}}"
    assert judge(operation, scenes.upstream).problems == (
        "doubled: 2 writes, 0 of them refused",
        "doubled: 2 writes, of 1 attempts 1 may have left",
        f"doubled: ITCare has done 2 things to {operation.name}",
        f"not what was approved: {other} instead of {other.replace('8cpu16gb', '4cpu8gb')}",
    )


def test_what_was_lost_and_what_hangs(scenes: Scenes) -> None:
    operation = scenes.queued("stop")
    assert judge(operation, scenes.upstream).problems == ("lost: it is queued, and nobody is told",)
    later(900)
    row = Operation.objects.get(pk=operation.pk)
    assert judge(operation, scenes.upstream).problems == (
        "lost: it is queued, and nobody is told",
        f"Stop {operation.name} is stuck: queued, due at {row.look_at}, held until None",
    )


def test_what_is_believed_and_is_not_so(scenes: Scenes) -> None:
    operation = sending(scenes.queued("stop"))
    Attempt.objects.create(operation=operation, number=1, fence=operation.fence)
    operation.move(State.SUCCEEDED)
    Secret.seal(SecretText("Sealed-Secret-1"), bound_to="nobody").save()
    assert judge(operation, scenes.upstream).problems == (
        "ITCare never saw it, and it has succeeded",
        "an attempt is open for ever",
        "a sealed password outlives what needed it",
    )


def test_what_was_done_and_is_not_known(scenes: Scenes) -> None:
    operation = scenes.queued("stop")
    send.send(operation.pk)
    Operation.objects.filter(pk=operation.pk).update(state=State.UNCLEAR, message="a person must find out")
    assert judge(operation, scenes.upstream).problems == (
        "lost: it is unclear, and nobody is told",
        "ITCare did it, and it is unclear: a person must find out",
    )
    later(900)
    verdict = judge(operation, scenes.upstream)
    assert verdict.waits
    assert verdict.problems[0] == "ITCare did it, and it is unclear: a person must find out"


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


def test_every_fault_has_its_part_in_the_campaign() -> None:
    named = [name for part in PARTS for name in part.files]
    assert sorted(named) == sorted({Path(file).name for file in FOLDER.glob("test_*.py")} - OWN)
