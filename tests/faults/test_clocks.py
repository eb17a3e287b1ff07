"""The portal's clock is ten minutes off while all goes well: whatever lasts goes by the database's clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self

import pytest
import time_machine
from django.conf import settings

from portal.operations import follow, send
from portal.operations.leases import claim
from portal.operations.models import Operation
from portal.operations.states import State
from portal.upstream.circuit import Way, way
from portal.upstream.models import Pause, Token
from tests.cast import Cast, queued
from tests.faults.framing import Message
from tests.faults.judge import judge, settle_down
from tests.faults.proxy import Moment, before_itcare
from tests.faults.table import Row, told
from tests.portal.operations.engine import database_clock, evidence, fault, posts, sent, tells, time_passes
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "Clocks"
CALM = "nothing out of the ordinary"
SAID = 77.0
# Seconds that a token of the stand-in lives.
LIFETIME = 1200.0


@pytest.fixture(params=[-10, 10])
def wrong(request: pytest.FixtureRequest) -> time_machine.travel:
    """A time, some minutes off, that this process can be sent to."""
    return time_machine.travel(datetime.now(UTC) + timedelta(minutes=request.param), tick=True)


class Lasting:
    """A span that begins in it, by the database's clock."""

    def __enter__(self) -> Self:
        self._before = database_clock()
        return self

    def __exit__(self, *_: object) -> None:
        self._after = database_clock()

    def for_(self, seconds: float, until: datetime | None) -> bool:
        """Whether it lasts for so long; what is told in whole seconds may end one earlier."""
        assert until is not None
        span = timedelta(seconds=seconds)
        return self._before + span - timedelta(seconds=1) <= until <= self._after + span


@told(
    Row(
        GROUP,
        "the portal's clock ten minutes off while a row is held",
        "time is shifted in one of two processes, either way",
        "a lease ends by the database's clock: neither takes from the other what is held, and both take what is not",
        CALM,
    )
)
def test_a_lease_ends_by_the_database_s_clock(cast: Cast, upstream: Sandbox, wrong: time_machine.travel) -> None:
    first, second = queued(cast.developer, cast.approver), queued(cast.developer, cast.approver, name="another01")
    with wrong:
        with Lasting() as lease:
            (held,) = claim(State.QUEUED, only=first.pk)
        assert lease.for_(settings.LEASE_SECONDS, Operation.objects.get(pk=first.pk).lease_until)
    (other,) = claim(State.QUEUED, limit=5)
    assert (held.pk, other.pk) == (first.pk, second.pk)
    with wrong:
        send.send(second.pk)
        assert (claim(State.QUEUED, limit=5), send.lapse()) == ([], 0)
        time_passes(settings.LEASE_SECONDS)
        assert [row.fence for row in claim(State.QUEUED, limit=5)] == [2, 2]
    settle_down()
    judge(upstream)
    assert posts(upstream) == 2


@told(
    Row(
        GROUP,
        "the portal's clock ten minutes off while ITCare asks for a pause",
        "time is shifted in the portal's process, either way; Retry-After tells seconds, or a moment by ITCare's clock",
        "the pause is as long as ITCare asks, for all processes",
        "It waits to be sent once more.",
    )
)
@pytest.mark.parametrize("in_words", [False, True], ids=["seconds", "a moment"])
def test_a_pause_is_as_long_as_it_is_told(
    cast: Cast, upstream: Sandbox, wrong: time_machine.travel, *, in_words: bool
) -> None:
    operation = queued(cast.developer, cast.approver)
    with Lasting() as pause:
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=SAID), usegmt=True)
        retry_after = moment if in_words else f"{SAID:.0f}"
        upstream.set_faults(fault("refuse", status=429, headers={"Retry-After": retry_after}))
        with wrong:
            row = sent(operation)
    assert (row.state, evidence(row)) == ("queued", [("refused", 429)])
    assert pause.for_(SAID, Pause.objects.get().until)
    assert pause.for_(SAID, row.look_at)
    assert way() == Way.SHUT
    with wrong:
        assert way() == Way.SHUT
        settle_down()
        judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 2)


def going_on(row: Operation) -> dict[str, Any]:
    return {"id": row.upstream_action_id, "status": "IN_PROGRESS", "resourceName": row.name}


@pytest.fixture
def tokens(upstream: Sandbox) -> Iterator[list[str]]:
    """Each asking for a token."""
    asked: list[str] = []

    def listen(message: Message, moment: Moment) -> None:
        if moment == Moment.BEFORE and message.text.startswith("POST /auth"):
            asked.append(message.text)

    with before_itcare(upstream, listen):
        yield asked


@told(
    Row(
        GROUP,
        "the portal's clock ten minutes off while it has a token, and follows",
        "time is shifted in one of two processes, either way",
        "a token is good for as long as ITCare said, by the database's clock, and is fetched once for both; what runs "
        "is looked at as often as ever",
        CALM,
    )
)
def test_a_token_and_the_next_look_go_by_the_database_s_clock(
    cast: Cast, upstream: Sandbox, tokens: list[str], wrong: time_machine.travel
) -> None:
    with wrong, Lasting() as life:
        first = sent(queued(cast.developer, cast.approver))
    row = Token.objects.get()
    assert row.renew_at is not None
    assert row.fetched_at is not None
    assert row.expires_at is not None
    assert life.for_(LIFETIME, row.expires_at)
    assert row.fetched_at < row.renew_at < row.expires_at
    # The other process finds it good, and so does this one.
    second = sent(queued(cast.developer, cast.approver, name="another01"))
    with wrong:
        third = sent(queued(cast.developer, cast.approver, name="third01"))
    assert ([first.state, second.state, third.state], len(tokens)) == (["running"] * 3, 1)
    time_passes()
    rows = Operation.objects.filter(state="running")
    upstream.set_faults(tells([going_on(row) for row in rows]))
    with wrong, Lasting() as pause:
        assert follow.follow() == 3
    looks = rows.values_list("look_at", flat=True)
    assert [pause.for_(settings.FOLLOW_SECONDS, look) for look in looks] == [True] * 3
    upstream.set_faults()
    with wrong:
        settle_down()
        judge(upstream)
    assert set(Operation.objects.values_list("state", flat=True)) == {"succeeded"}
