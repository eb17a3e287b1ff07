"""Faults before a write: ITCare cannot be reached, or does not let the portal in. Nothing is sent, nothing is burnt."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from portal.operations.models import Operation
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.markup import Page
from tests.portal.itcare.scripted import answer, drip, scripted, silence
from tests.portal.itcare.test_tls import certificate, tls_server
from tests.portal.operations.engine import fault, posts, sent
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "ITCare cannot be reached, or does not let the portal in"
WAITS = "It waits, and nothing has been sent."
STAYS = "queued, with growing pauses; no attempt is used up; it is sent when ITCare is back"


@dataclass(frozen=True)
class World:
    """What a fault can be made of."""

    upstream: Sandbox
    settings: Settings
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    open: ExitStack


@dataclass(frozen=True)
class Case:
    """A fault of everything but the write itself.

    Attributes:
        cause: how it is caused, in words.
        begin: begins it; what it opens in `World.open` ends with it.
        seen: the first sentences of the note on the operation's page meanwhile.
    """

    cause: str
    begin: Callable[[World], object]
    seen: str


def _stopped(world: World) -> None:
    world.upstream.stop()
    world.open.callback(world.upstream.start)


def _nowhere(world: World) -> None:
    world.settings.ITCARE_BASE_URL = "http://itcare.invalid/itcare"


def _expired(world: World) -> None:
    pem = certificate(world.folder, "127.0.0.1", ends=timedelta(minutes=-1))
    world.monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    world.settings.ITCARE_BASE_URL = world.open.enter_context(tls_server(pem, answer(200, [])))[0]


def _hangs(world: World) -> None:
    world.settings.ITCARE_READ_SECONDS, world.settings.ITCARE_TOTAL_SECONDS = 0.3, 0.5
    world.settings.ITCARE_BASE_URL = world.open.enter_context(scripted(silence)).url


def _token(*rule: object) -> Callable[[World], None]:
    def begin(world: World) -> None:
        world.settings.ITCARE_TOKEN_URL = world.open.enter_context(scripted(*rule)).url  # type: ignore[arg-type]

    return begin


def _no_sign_in(world: World) -> None:
    world.upstream.set_faults(fault("refuse", match={"path": "/auth"}, times=None, status=503))
    world.open.callback(world.upstream.set_faults)


def _slow_sign_in(world: World) -> None:
    world.settings.ITCARE_READ_SECONDS, world.settings.ITCARE_TOTAL_SECONDS = 0.3, 0.5
    _token(drip(b"HTTP/1.1", b" "))(world)


NO_ANSWER = f"{WAITS} The sign-in service of ITCare cannot be reached."
NO_TOKEN = f"{WAITS} ITCare's sign-in service gave no usable token."
GOES_ON = "It goes on by itself when ITCare takes it. You can cancel it as long as it waits."
CASES: dict[str, Case] = {
    "refused connection": Case("the stand-in is stopped", _stopped, NO_ANSWER),
    "DNS failure": Case("its name resolves to nothing", _nowhere, f"{WAITS} ITCare does not answer."),
    "an expired certificate": Case(
        "a TLS server whose trusted certificate has ended", _expired, f"{WAITS} ITCare does not answer."
    ),
    "a server that accepts connections and is silent": Case(
        "a socket that is read and never answered", _hangs, f"{WAITS} ITCare did not answer in time."
    ),
    "token endpoint down": Case("its address answers 503", _no_sign_in, NO_TOKEN),
    "token endpoint slow": Case("its answer drips, a byte at a time", _slow_sign_in, NO_ANSWER),
    "an answer without a token": Case(
        "its address answers 200 with other JSON", _token(answer(200, {"token_type": "bearer"})), NO_TOKEN
    ),
}


@contextmanager
def under(case: Case, world: World) -> Iterator[None]:
    """Let the fault last; afterwards everything is set as it was."""
    names = ("ITCARE_BASE_URL", "ITCARE_TOKEN_URL", "ITCARE_READ_SECONDS", "ITCARE_TOTAL_SECONDS")
    before = {name: getattr(world.settings, name) for name in names}
    with world.open:
        case.begin(world)
        yield
    for name, value in before.items():
        setattr(world.settings, name, value)


TELLING = {"DNS failure", "an expired certificate", "token endpoint slow"}


@told(*(Row(GROUP, name, case.cause, STAYS, case.seen) for name, case in CASES.items()))
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in TELLING else pytest.mark.campaign) for name in CASES]
)
def test_nothing_is_lost_while_itcare_is_away(
    cast: Cast,
    upstream: Sandbox,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    operation = queued(cast.developer, cast.approver)
    with under(CASES[name], World(upstream, settings, tmp_path, monkeypatch, ExitStack())):
        row = sent(operation)
        assert (row.state, row.attempts.count()) == ("queued", 0)
        page = Page.of(signed_in(cast.developer).get(operation.get_absolute_url()).content)
        assert page.one(id="outcome").text == f"{CASES[name].seen} {GOES_ON}"
    settle_down()
    judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 1)


@told(
    Row(
        GROUP,
        "tokens that end early",
        "the stand-in forgets all tokens between two calls",
        "a read is tried once more with a new token; a write is queued again and sent with one, as a new attempt",
        "a second call in the timeline",
    )
)
def test_tokens_that_end_early_cost_a_call_and_nothing_else(cast: Cast, upstream: Sandbox) -> None:
    first = sent(queued(cast.developer, cast.approver))
    upstream.end_tokens()
    second = sent(queued(cast.developer, cast.approver, name="another01"))
    upstream.end_tokens()
    settle_down()
    judge(upstream)
    assert (first.state, second.state) == ("running", "running")
    assert list(Operation.objects.values_list("state", flat=True)) == ["succeeded", "succeeded"]


def test_a_token_that_ends_between_the_reads_and_the_write_is_renewed_for_it(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("refuse", status=401))
    operation = queued(cast.developer, cast.approver)
    assert sent(operation).state == "queued"
    page = Page.of(signed_in(cast.developer).get(operation.get_absolute_url()).content)
    assert "Sent to ITCare, which refused it; nothing was executed" in page.text
    settle_down()
    judge(upstream)
    assert list(operation.attempts.values_list("proof", flat=True)) == ["refused", "accepted"]
