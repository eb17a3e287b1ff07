"""The sender killed with a password in its hand: nobody can read it afterwards, and the sealed one goes in time."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.operations.models import Operation, Secret, bound
from portal.operations.start import REVEAL
from portal.operations.states import State
from tests.faults.figures import Figures
from tests.faults.judge import settle_down, verdict_on
from tests.faults.proxy import Moment, Rule, kill, starting
from tests.faults.scenes import WRITES, Scenes
from tests.faults.table import Row, told
from tests.portal.changes.leaks import Places, spellings

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "Test123@2022"
SAID, TAKEN = "commit (operation.sending)", "commit (operation.running)"


@pytest.fixture
def places(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], broker: str) -> Places:
    """Everything that the portal writes to."""
    return Places(caplog, capfd, broker)


def shown_to_its_requester(operation: Operation) -> str:
    assert operation.reveal is not None
    return operation.reveal.open(bound_to=bound(operation.reference, REVEAL)).reveal()


@dataclass(frozen=True)
class Killed:
    """A point: when, at which messages, whether the sealed password is still there then, whether ITCare has it all."""

    moment: Moment
    where: tuple[str, ...]
    sealed: bool
    done: bool


@told(
    Row(
        "Secrets",
        "a crash between sending and erasing the password",
        "SIGKILL after saying so, in the middle of the call, with the answer on its way, and before and after the "
        "commit that erases it; typed and generated",
        "the sealed password goes when the operation is settled; nothing that is written anywhere has it in the "
        "clear, before or after",
        "The requester may still be shown a generated one, once.",
    )
)
@pytest.mark.parametrize("typed", [PASSWORD, ""], ids=["typed", "generated"])
@pytest.mark.parametrize(
    "point",
    [
        pytest.param(Killed(Moment.AFTER, (SAID,), sealed=True, done=False), id="after saying so"),
        pytest.param(Killed(Moment.HALFWAY, WRITES, sealed=True, done=False), id="in the middle of the call"),
        pytest.param(Killed(Moment.AFTER, WRITES, sealed=True, done=True), id="with the answer on its way"),
        pytest.param(Killed(Moment.BEFORE, (TAKEN,), sealed=True, done=True), id="before erasing it"),
        pytest.param(Killed(Moment.AFTER, (TAKEN,), sealed=False, done=True), id="after erasing it"),
    ],
)
def test_no_password_outlives_a_sender_that_was_killed(
    typed: str, point: Killed, scenes: Scenes, places: Places, log: Path, figures: Figures
) -> None:
    operation = scenes.queued("create", adm_password=typed)
    password = typed or shown_to_its_requester(operation)
    rule = Rule(starting(*point.where), point.moment, kill(scenes.stage.zygote.running))
    with scenes.stage.watched(rule):
        assert scenes.stage.run("send", operation.pk) == -9
    assert Operation.objects.filter(pk=operation.pk, password__isnull=False).exists() == point.sealed
    assert places.holding(password) == []

    settle_down()
    verdict = verdict_on(operation, scenes.upstream)
    figures.ran(verdict, faults=1, kills=1)
    assert (verdict.problems, verdict.state) == ((), State.SUCCEEDED if point.done else State.UNCLEAR)
    assert (operation.password_id, operation.reveal_id is None) == (None, bool(typed))
    # Only what its requester may still be shown is left, sealed.
    assert Secret.objects.count() == (0 if typed else 1)
    assert places.holding(password) == []
    assert not any(word in log.read_text() for word in spellings(password))
