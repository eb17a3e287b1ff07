"""Faults of ITCare's answers to a write: each caused over HTTP or on the bare socket, then over, then judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_django import Settings

from portal.operations.models import Operation
from portal.upstream.client import client
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.markup import Page
from tests.portal.operations.engine import fault, posts, sent
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "ITCare answers a write badly"
UNCLEAR = "Nobody can tell whether ITCare received it."
NO_ID = "ITCare accepted it, and the portal does not know which action carries it out."
WAITS = "It waits, and nothing has been sent."
AGAIN = "It waits to be sent once more."
SOUGHT = "unclear; never sent again; "
FOUND = SOUGHT + "the action is found at ITCare and followed"
NOT_THERE = SOUGHT + "nothing is found, and a person is asked when the grace is over"
CALM = "nothing out of the ordinary"
REFUSED = "failed, with ITCare's words; it can be asked again with the same values"


@dataclass(frozen=True)
class Case:
    """A fault of the next create, and what becomes of it.

    Attributes:
        cause: how it is caused, in words.
        rules: of the stand-in.
        state: of the operation when the fault has struck.
        seen: the first sentence of the note on its page then.
        happens: what the portal does about it, in words.
        ends: the state that it comes to when the fault is over.
        writes: how many reach ITCare in all.
        arrives_late: ITCare does it only after a while.
        limits: settings of the client.
    """

    cause: str
    rules: list[dict[str, Any]]
    state: str
    seen: str
    happens: str
    ends: str
    writes: int = 1
    arrives_late: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)


def refused(status: int, seen: str, **rule: Any) -> Case:  # noqa: ANN401 - fields of a rule
    """A refusal: nothing was executed, the operation fails."""
    words = "with a JSON body" if "body" in rule else "without a body"
    cause = f"the stand-in answers {status} {words}"
    return Case(cause, [fault("refuse", status=status, **rule)], "failed", seen, REFUSED, "failed")


BODY = {"status": "BAD_REQUEST", "errorCode": "INVALID_FIELD_VALUE", "errorDesc": "name", "errorMessage": "Taken"}
TIMES_OUT = {"ITCARE_READ_SECONDS": 0.5, "ITCARE_TOTAL_SECONDS": 1.0}

CASES: dict[str, Case] = {
    "time-out before it accepted": Case(
        "the stand-in waits longer than the portal does, and then does it after all",
        [fault("late", seconds=3, before=True)],
        "unclear",
        UNCLEAR,
        FOUND,
        "succeeded",
        arrives_late=True,
        limits=TIMES_OUT,
    ),
    "time-out after it accepted": Case(
        "the stand-in does it and answers later than the portal waits",
        [fault("late", seconds=3)],
        "unclear",
        UNCLEAR,
        FOUND,
        "succeeded",
        limits=TIMES_OUT,
    ),
    "connection cut after it accepted": Case(
        "the stand-in does it and closes the connection", [fault("drop")], "unclear", UNCLEAR, FOUND, "succeeded"
    ),
    "connection cut before it accepted": Case(
        "the stand-in closes the connection and does nothing",
        [fault("drop_before")],
        "unclear",
        UNCLEAR,
        NOT_THERE,
        "unclear",
    ),
    "400 with a body": refused(400, "ITCare refused this: something in it is not valid.", body=BODY),
    "400 without a body": refused(400, "ITCare refused this: something in it is not valid."),
    "401 once": Case(
        "the stand-in refuses the token once",
        [fault("refuse", status=401)],
        "queued",
        AGAIN,
        "the token is renewed, and the write made once more",
        "succeeded",
        writes=2,
    ),
    "403": refused(403, "ITCare does not allow the portal's account to do this."),
    "404": refused(404, "ITCare does not know this resource."),
    "409": refused(409, "ITCare refused this: it conflicts with the state of the resource or with other work on it."),
    "422": refused(422, "ITCare refused this: its values do not fit together."),
    "500 after it accepted": Case(
        "the stand-in does it and answers 500",
        [fault("status_after", status=500)],
        "unclear",
        UNCLEAR,
        FOUND,
        "succeeded",
    ),
    "500 without having done it": Case(
        "the stand-in answers 500 and does nothing",
        [fault("refuse", status=500)],
        "unclear",
        UNCLEAR,
        NOT_THERE,
        "unclear",
    ),
    "503": Case(
        "the stand-in answers 503 and does nothing",
        [fault("refuse", status=503)],
        "unclear",
        UNCLEAR,
        NOT_THERE,
        "unclear",
    ),
    "HTML instead of JSON": Case(
        "the stand-in does it and answers 200 with a page",
        [fault("text", text="<html><title>Sign in</title></html>")],
        "running",
        NO_ID,
        "accepted; never sent again; the action is found at ITCare and followed",
        "succeeded",
    ),
    "half a JSON": Case(
        "the stand-in does it and cuts the answer after 20 bytes",
        [fault("cut", bytes=20, announced=True)],
        "running",
        NO_ID,
        "accepted; never sent again; the action is found at ITCare and followed",
        "succeeded",
    ),
    "an empty 202": Case(
        "the stand-in does it and answers without a body",
        [fault("empty")],
        "running",
        NO_ID,
        "accepted; never sent again; the action is found at ITCare and followed",
        "succeeded",
    ),
    "204": Case(
        "the stand-in does it and answers 204",
        [fault("status_after", status=204)],
        "running",
        NO_ID,
        "accepted; never sent again; the action is found at ITCare and followed",
        "succeeded",
    ),
    "an endless body": Case(
        "the stand-in does it and answers with a body that goes on, a byte at a time",
        [fault("endless")],
        "running",
        "",
        "reading stops at the call's limit; what came names the action, which is followed",
        "succeeded",
        limits=TIMES_OUT,
    ),
    "a redirect to another host": refused(
        307,
        "ITCare answered with a redirection, which the portal does not follow; its address is set wrongly.",
        headers={"Location": "http://127.0.0.1:1/elsewhere"},
    ),
}


# One of each sort for every run; the campaign has them all.
TELLING = {
    "time-out before it accepted",
    "connection cut after it accepted",
    "400 with a body",
    "401 once",
    "503",
    "an empty 202",
    "a redirect to another host",
}


@told(*(Row(GROUP, name, case.cause, case.happens, case.seen or CALM) for name, case in CASES.items()))
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in TELLING else pytest.mark.campaign) for name in CASES]
)
def test_a_bad_answer_to_a_write(cast: Cast, upstream: Sandbox, settings: Settings, name: str) -> None:
    case = CASES[name]
    operation = queued(cast.developer, cast.approver)
    upstream.set_faults(*case.rules)
    for limit, seconds in case.limits.items():
        setattr(settings, limit, seconds)
    row = sent(operation)
    assert row.state == case.state
    page = Page.of(signed_in(cast.developer).get(operation.get_absolute_url()).content)
    notes = [note.text for note in page.all(id="outcome")]
    assert [note[: len(case.seen)] for note in notes] == ([case.seen] if case.seen else [])
    for limit in case.limits:
        setattr(settings, limit, 30.0)
    if case.arrives_late:
        until(lambda: client().actions(resource_name=operation.name).items)
    settle_down()
    judge(upstream)
    assert Operation.objects.get().state == case.ends
    assert posts(upstream) == case.writes
