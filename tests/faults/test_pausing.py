"""ITCare asks for a pause, or refuses the account: nobody asks it for anything meanwhile, and then all goes on."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from portal.home.management.commands.sweep import jobs
from portal.inventory.models import Sync
from portal.operations import follow, tasks
from portal.operations.models import Operation
from portal.operations.sweep import once
from portal.upstream.models import Pause
from tests.browsing import banners, signed_in
from tests.cast import Cast, queued
from tests.faults.framing import Message
from tests.faults.judge import judge, settle_down
from tests.faults.proxy import Moment, before_itcare
from tests.faults.table import Row, told
from tests.faults.transactions import CAMPAIGN
from tests.markup import Page
from tests.portal.operations.engine import LISTS_ACTIONS, at_once, database_clock, fault, posts, sent, time_passes
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

ON_WRITES = "ITCare answers a write badly"
ON_READS = "ITCare answers a read badly"
SLOWER = "ITCare asks the portal to slow down. The portal waits before it asks again."
AWAY = "ITCare is not available at the moment. The portal waits before it asks again."
ACCOUNT = "ITCare does not accept the portal's account; an administrator must look at it."
AGAIN = "It waits to be sent once more."
# Seconds that ITCare asks for, and those of the portal where it does not say how long: each time twice as long.
SAID, UNSAID = 77, (5, 10)


@dataclass(frozen=True)
class Case:
    """A refusal.

    Attributes:
        cause: in words.
        rule: of the stand-in, without how often.
        pauses: how many seconds the first pause lasts, and the one after it; 0 where there is none yet.
        happens: what the portal does, in words.
        banner: on every page meanwhile.
    """

    cause: str
    rule: dict[str, Any]
    pauses: tuple[int, int]
    happens: str
    banner: str


def asks_for_a_pause(status: int, banner: str, *, says: bool) -> Case:
    """429 or 503, with or without the seconds."""
    headers = {"headers": {"Retry-After": f"{SAID}"}} if says else {}
    return Case(
        f"the stand-in answers {status}, Retry-After: {SAID}" if says else f"the stand-in answers {status}, twice",
        {"status": status, **headers},
        (SAID, SAID) if says else UNSAID,
        f"nobody asks ITCare for anything for {SAID} seconds"
        if says
        else f"nobody asks ITCare for anything for {UNSAID[0]} seconds, and {UNSAID[1]} the next time",
        banner,
    )


WRITES = {
    "401 always": Case(
        "the stand-in refuses two tokens in a row",
        {"status": 401},
        (0, 60),
        "after the second one nobody asks ITCare for anything for a minute",
        ACCOUNT,
    ),
    "429 with Retry-After": asks_for_a_pause(429, SLOWER, says=True),
    "429 without Retry-After": asks_for_a_pause(429, SLOWER, says=False),
}
READS = {
    "429 with Retry-After": asks_for_a_pause(429, SLOWER, says=True),
    "429 without Retry-After": asks_for_a_pause(429, SLOWER, says=False),
    "503 with Retry-After": asks_for_a_pause(503, AWAY, says=True),
    "503 without Retry-After": asks_for_a_pause(503, AWAY, says=False),
}


# The others are of the campaign.
TELLING = {"401 always", "429 without Retry-After", "503 with Retry-After"}


def each(cases: Mapping[str, Case]) -> list[Any]:
    """Their names, for every run or for the campaign."""
    return [pytest.param(name, marks=() if name in TELLING else CAMPAIGN) for name in cases]


class Asked:
    """When ITCare, or its sign-in, was asked for something, and for what: a watcher of a proxy."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str]] = []

    def __call__(self, message: Message, moment: Moment) -> None:
        """Note it as it leaves."""
        if moment == Moment.BEFORE:
            self.calls.append((time.time(), message.text))


@contextmanager
def pausing(seconds: int) -> Iterator[None]:
    """What happens in it begins a pause of so many seconds; none where it is 0."""
    before = database_clock()
    yield
    span = timedelta(seconds=seconds)
    untils = [until for until in Pause.objects.values_list("until", flat=True) if until]
    assert [before + span <= until <= database_clock() + span for until in untils] == [True] * bool(seconds)


def nobody_asks(cast: Cast, asked: Asked, banner: str) -> None:
    """Everybody wants something of ITCare at once, again and again, and nobody asks; people are told why."""
    until = Pause.objects.get().until
    assert until is not None
    before = len(asked.calls)
    for _ in range(3):
        Operation.objects.filter(look_at__isnull=False).update(look_at=Now(), lease_until=None)
        Sync.objects.update(look_at=Now())
        at_once(lambda: once(jobs()), follow.follow, *(lambda: tasks.send_operation(0) for _ in range(2)))
    # On a slow machine the pause may be over by now.
    assert [text for at, text in asked.calls[before:] if at < until.timestamp()] == []
    # It says so on every page for as long as it lasts.
    Pause.objects.update(until=Now() + timedelta(minutes=1))
    assert banner in banners(cast.developer)


def is_over() -> None:
    """The pause has passed, and another one would follow it."""
    Pause.objects.update(until=Now() - timedelta(seconds=1))
    Operation.objects.filter(look_at__isnull=False).update(look_at=Now())


def refused_twice(cast: Cast, upstream: Sandbox, case: Case, asks: Callable[[], object]) -> None:
    """Have ITCare refuse what is asked, wait, have it refuse once more, and wait again."""
    asked = Asked()
    with before_itcare(upstream, asked):
        for pause in case.pauses:
            with pausing(pause):
                asks()
            if pause:
                nobody_asks(cast, asked, case.banner)
                is_over()


def end_well(upstream: Sandbox, writes: int) -> None:
    """Go on when ITCare takes it again."""
    upstream.set_faults()
    time_passes()
    settle_down()
    judge(upstream)
    assert set(Operation.objects.values_list("state", flat=True)) == {"succeeded"}
    assert posts(upstream) == writes


@told(
    *(
        Row(
            ON_WRITES,
            name,
            case.cause,
            f"{case.happens}; then the same request is sent, without a new approval",
            f"{AGAIN} A banner: {case.banner}",
        )
        for name, case in WRITES.items()
    )
)
@pytest.mark.parametrize("name", each(WRITES))
def test_a_write_is_refused_for_now(cast: Cast, upstream: Sandbox, name: str) -> None:
    case = WRITES[name]
    operation = queued(cast.developer, cast.approver)
    queued(cast.developer, cast.approver, name="another01")
    upstream.set_faults(fault("refuse", times=2, **case.rule))

    def asks() -> None:
        row = sent(operation)
        assert (row.state, row.last_proof) == ("queued", "refused")
        page = Page.of(signed_in(cast.developer).get(operation.get_absolute_url()).content)
        assert page.one(id="outcome").text.startswith(AGAIN)

    refused_twice(cast, upstream, case, asks)
    assert list(operation.attempts.values_list("proof", flat=True)) == ["refused"] * 2
    end_well(upstream, 4)


@told(
    *(
        Row(
            ON_READS,
            name,
            f"{case.cause}, where the list of actions is asked for",
            f"{case.happens}; what runs and what waits stays as it is, and goes on then",
            f"A banner: {case.banner}",
        )
        for name, case in READS.items()
    )
)
@pytest.mark.parametrize("name", each(READS))
def test_a_read_is_refused_for_now(cast: Cast, upstream: Sandbox, name: str) -> None:
    case = READS[name]
    sent(queued(cast.developer, cast.approver))
    queued(cast.developer, cast.approver, name="waits01")
    upstream.set_faults(fault("refuse", times=2, match=LISTS_ACTIONS, **case.rule))

    def asks() -> None:
        Operation.objects.filter(state="running").update(look_at=Now())
        follow.follow()

    refused_twice(cast, upstream, case, asks)
    states = Operation.objects.order_by("pk").values_list("state", "lease_until")
    assert list(states) == [("running", None), ("queued", None)]
    end_well(upstream, 2)
