"""What tests of PostgreSQL's faults share: steps that are done in transactions, and somebody else beside them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, LiteralString

import psycopg
import pytest
from django.db import connection
from django.test import Client

from portal.changes.models import Change
from portal.operations import follow, send, settle
from portal.operations.models import Operation
from portal.operations.sweep import Job, once
from tests.browsing import signed_in
from tests.cast import Cast, draft, pending, queued
from tests.conftest import as_owner
from tests.markup import Page
from tests.portal.operations.engine import fault, sent, time_passes
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

GROUP = "PostgreSQL"
CAMPAIGN = pytest.mark.campaign
WRONG = "Something went wrong here"
SENTENCE = "The portal could not answer; this has been noted."
ERROR_PAGE = f"{WRONG}. {SENTENCE}"


@dataclass(frozen=True)
class Step:
    """Something that is done in transactions.

    Attributes:
        ready: brings a request of that name so far that the step comes next.
        do: makes what does the step once, which answers what a person sees of it on an error page.
    """

    ready: Callable[[Cast, Sandbox, str], Any]
    do: Callable[[Cast, Any], Callable[[], str]]


def browser_of(user: Any) -> Client:  # noqa: ANN401 - a user
    """A browser that shows error pages as people see them."""
    browser = signed_in(user)
    browser.raise_request_exception = False
    return browser


def error_page(answer: Any, otherwise: HTTPStatus = HTTPStatus.SEE_OTHER) -> str:  # noqa: ANN401 - an answer
    """Title and first sentence of an error page; nothing of the page that one expects."""
    if answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
        assert answer.status_code == otherwise, Page.of(answer.content).one("main").text
        return ""
    page = Page.of(answer.content)
    return f"{page.one('h1').text}. {page.text[page.text.index(SENTENCE) :][: len(SENTENCE)]}"


def by_a_person(who: str, what: str) -> Callable[[Cast, Any], Callable[[], str]]:
    """A form that a person sends who has signed in before."""

    def ready(cast: Cast, change: Change) -> Callable[[], str]:
        browser = browser_of(getattr(cast, who))
        return lambda: error_page(browser.post(f"/requests/{change.pk}/{what}/"))

    return ready


def by_itself(work: Callable[[Operation], object]) -> Callable[[Cast, Any], Callable[[], str]]:
    """Work that is done as the sweep does its jobs; nobody sees a page of it."""

    def ready(_cast: Cast, operation: Operation) -> Callable[[], str]:
        def do() -> str:
            once([Job("a step", lambda: work(operation), 0)])
            return ""

        return do

    return ready


def ended(cast: Cast, upstream: Sandbox, name: str) -> Operation:
    """A running operation whose action has ended at ITCare."""
    row = sent(queued(cast.developer, cast.approver, name=name))
    Caller(upstream).ended(row.upstream_action_id or 0)
    time_passes(60.0)
    return row


def unclear(cast: Cast, upstream: Sandbox, name: str) -> Operation:
    """An operation that ITCare accepted, and nobody knows."""
    upstream.set_faults(fault("drop"))
    row = sent(queued(cast.developer, cast.approver, name=name))
    assert row.state == "unclear"
    time_passes(60.0)
    return row


STEPS: dict[str, Step] = {
    "submit": Step(lambda cast, _upstream, name: draft(cast.developer, name=name), by_a_person("developer", "submit")),
    "approve": Step(
        lambda cast, _upstream, name: pending(cast.developer, name=name), by_a_person("approver", "approve")
    ),
    "send": Step(
        lambda cast, _upstream, name: queued(cast.developer, cast.approver, name=name),
        by_itself(lambda operation: send.send(operation.pk)),
    ),
    "follow": Step(ended, by_itself(lambda _operation: follow.follow())),
    "settle": Step(unclear, by_itself(lambda _operation: settle.settle())),
}


def carry_on(cast: Cast, name: str) -> None:
    """What a person does who saw the error page: look at the request, and do again what it shows not to be done."""
    change = Change.objects.get(name=name)
    for person, act, state in [(cast.developer, "submit", "draft"), (cast.approver, "approve", "pending")]:
        page = signed_in(person).get(change.get_absolute_url())
        assert page.status_code == HTTPStatus.OK
        if Change.objects.get(pk=change.pk).state == state:
            assert signed_in(person).post(f"/requests/{change.pk}/{act}/").status_code == HTTPStatus.SEE_OTHER
    assert Operation.objects.filter(name=name).count() == 1


@contextmanager
def connecting(**changes: Any) -> Iterator[None]:  # noqa: ANN401 - as Django's settings have them
    """Let the portal in this process connect to its database otherwise."""
    database = connection.settings_dict
    before = {name: database[name] for name in changes}
    connection.close()
    database.update(changes)
    try:
        yield
    finally:
        connection.close()
        database.update(before)


@contextmanager
def repeatable_read() -> Iterator[None]:
    """Have the portal's transactions see the database as it was when each began."""
    options = connection.settings_dict["OPTIONS"]
    isolation = "-c default_transaction_isolation=repeatable\\ read"
    with connecting(OPTIONS={**options, "options": f"{options['options']} {isolation}"}):
        yield


def counted(statement: LiteralString, *values: object) -> int:
    """What the statement counts, asked on a connection of its own."""
    with closing(as_owner()) as owner:
        found = owner.execute(statement, values).fetchone()
    assert found is not None
    return int(found[0])


def somebody_waits() -> bool:
    """Whether somebody in this database waits for a lock of another."""
    return (
        counted(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
        )
        == 1
    )


@contextmanager
def beside(work: Callable[[psycopg.Connection], object]) -> Iterator[None]:
    """Let somebody else work on another connection meanwhile."""
    with closing(as_owner()) as other, ThreadPoolExecutor(1) as pool:
        running = pool.submit(work, other)
        yield
        running.result(30)
