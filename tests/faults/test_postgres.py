"""Faults of PostgreSQL: connections cut, none left, deadlocks, serialization failures. Nothing is half done."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import Any, LiteralString

import psycopg
import pytest
from django.db import connection
from django.test import Client
from psycopg import sql

from portal.audit.record import LOCK
from portal.changes.models import Change
from portal.home.management.commands.sweep import jobs
from portal.operations import follow, send, settle
from portal.operations.models import Operation
from portal.operations.sweep import Job, once
from tests.browsing import signed_in
from tests.cast import Cast, draft, pending, queued
from tests.conftest import as_owner
from tests.faults.framing import Message, Postgres
from tests.faults.judge import judge, settle_down
from tests.faults.proxy import LOOPBACK, Moment, Proxy, Rule, cut
from tests.faults.table import Row, told
from tests.markup import Page
from tests.portal.operations.engine import LISTS_ACTIONS, fault, posts, sent, time_passes
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

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


def seen(answer: Any) -> str:  # noqa: ANN401 - an answer
    """Title and first sentence of an error page; nothing of any other page."""
    if answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
        assert answer.status_code == HTTPStatus.SEE_OTHER, answer.content
        return ""
    page = Page.of(answer.content)
    return f"{page.one('h1').text}. {page.text[page.text.index(SENTENCE) :][: len(SENTENCE)]}"


def by_a_person(who: str, what: str) -> Callable[[Cast, Any], Callable[[], str]]:
    """A form that a person sends who has signed in before."""

    def ready(cast: Cast, change: Change) -> Callable[[], str]:
        browser = browser_of(getattr(cast, who))
        return lambda: seen(browser.post(f"/requests/{change.pk}/{what}/"))

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
def through(*watchers: Rule) -> Iterator[None]:
    """Let the portal in this process reach its database through a proxy."""
    database = connection.settings_dict
    plain = {**database["OPTIONS"], "sslmode": "disable", "gssencmode": "disable"}
    with (
        Proxy((database["HOST"], int(database["PORT"])), Postgres, *watchers) as proxy,
        connecting(HOST=LOOPBACK, PORT=proxy.port, OPTIONS=plain),
    ):
        yield


@contextmanager
def repeatable_read() -> Iterator[None]:
    """Have the portal's transactions see the database as it was when each began."""
    options = connection.settings_dict["OPTIONS"]
    isolation = "-c default_transaction_isolation=repeatable\\ read"
    with connecting(OPTIONS={**options, "options": f"{options['options']} {isolation}"}):
        yield


def a_commit(message: Message) -> bool:
    return message.effect


def anything(message: Message) -> bool:
    return message.answered


def carry_on(cast: Cast, name: str) -> None:
    """What a person does who saw the error page: look at the request, and do again what it shows not to be done."""
    change = Change.objects.get(name=name)
    for person, act, state in [(cast.developer, "submit", "draft"), (cast.approver, "approve", "pending")]:
        page = signed_in(person).get(change.get_absolute_url())
        assert page.status_code == HTTPStatus.OK
        if Change.objects.get(pk=change.pk).state == state:
            assert signed_in(person).post(f"/requests/{change.pk}/{act}/").status_code == HTTPStatus.SEE_OTHER
    assert Operation.objects.filter(name=name).count() == 1


def cut_each(
    cast: Cast, upstream: Sandbox, step: Step, fits: Callable[[Message], bool], moment: Moment
) -> tuple[list[str], list[str]]:
    """Cut at the first of such messages, then at the second of a new request, and so on to the last one.

    Answers what a person saw each time, and what became of each operation.
    """
    pages, ends = [], []
    for number in count(1):
        name = f"cut{number:05}"
        row = step.ready(cast, upstream, name)
        rule = Rule(fits, moment, cut, number)
        do = step.do(cast, row)
        with through(rule):
            page = do()
        upstream.set_faults()
        carry_on(cast, name)
        settle_down()
        operation = Operation.objects.get(name=name)
        writes = [write for write in upstream.writes() if write["body"]["name"] == name]
        assert len(writes) == 1 or (operation.state, writes) == ("unclear", [])
        if not rule.done.is_set():
            assert (page, operation.state) == ("", "succeeded")
            break
        pages.append(page)
        ends.append(operation.state)
    judge(upstream)
    return pages, ends


# Before it, nothing of the transaction stays; after it all of it does, and the portal does not know.
CUTS: dict[str, tuple[Callable[[Message], bool], Moment]] = {
    "before each commit": (a_commit, Moment.BEFORE),
    "after each commit": (a_commit, Moment.AFTER),
    "before each statement": (anything, Moment.BEFORE),
}
# The others are of the campaign.
ALWAYS = {
    ("approve", "before each commit"),
    ("send", "before each commit"),
    ("send", "after each commit"),
    ("settle", "before each commit"),
}


@told(
    Row(
        GROUP,
        "a connection cut in a transaction of submit, approve, send, follow or settle",
        "a proxy closes it before, and after, each commit of each of them, and before each statement",
        "all of the transaction or nothing of it; the person looks and goes on, the sweep goes on by itself; what may "
        "have been sent is looked for, and never sent again",
        ERROR_PAGE,
    )
)
@pytest.mark.parametrize(
    ("step", "where"),
    [pytest.param(step, where, marks=() if (step, where) in ALWAYS else CAMPAIGN) for step in STEPS for where in CUTS],
)
def test_a_cut_connection_leaves_nothing_half_done(cast: Cast, upstream: Sandbox, step: str, where: str) -> None:
    pages, ends = cut_each(cast, upstream, STEPS[step], *CUTS[where])
    people = step in {"submit", "approve"}
    assert set(pages) == {ERROR_PAGE if people else ""}
    # Once what was sent may have been lost: "sending" is written down, and the call was never made.
    assert set(ends) - {"succeeded"} <= ({"unclear"} if step == "send" else set())
    assert len(ends) > 0


@contextmanager
def none_left() -> Iterator[None]:
    """Have PostgreSQL refuse every new connection to this database, as when all are taken."""
    limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    name = sql.Identifier(connection.settings_dict["NAME"])
    with closing(as_owner()) as owner:
        owner.autocommit = True
        owner.execute(limit.format(name, sql.Literal(0)))
        connection.close()
        try:
            yield
        finally:
            owner.execute(limit.format(name, sql.Literal(-1)))


@told(
    Row(
        GROUP,
        "all connections taken",
        "PostgreSQL refuses new ones to the portal's database, at submit, approve, send and follow",
        "nothing is done, the sweep's jobs fail one by one and come again; when there are some, all goes on",
        f"{ERROR_PAGE} /readyz says that the database is down.",
    )
)
@pytest.mark.parametrize(
    "step", ["approve", "send", *(pytest.param(step, marks=CAMPAIGN) for step in ("submit", "follow"))]
)
def test_without_a_free_connection_nothing_is_done_and_all_goes_on_afterwards(
    cast: Cast, upstream: Sandbox, step: str
) -> None:
    row = STEPS[step].ready(cast, upstream, "refused01")
    do = STEPS[step].do(cast, row)
    before = (row.state, posts(upstream))
    with none_left():
        assert do() == (ERROR_PAGE if step in {"submit", "approve"} else "")
        once(jobs())
        ready = Client().get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "database": "down"})
    row.refresh_from_db()
    assert (row.state, posts(upstream)) == before
    carry_on(cast, "refused01")
    settle_down()
    judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 1)


def counted(statement: LiteralString) -> int:
    """What the statement counts, asked on a connection of its own."""
    with closing(as_owner()) as owner:
        found = owner.execute(statement).fetchone()
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


@dataclass(frozen=True)
class Circle:
    """Where two transactions come to wait for each other.

    Attributes:
        step: what the portal does.
        table: of the row that it holds when it comes to the audit log.
        rule: keeps ITCare's answer back for a while, so that the other one comes between two transactions.
        between: whether the other one's time has come.
    """

    step: str
    table: str
    rule: dict[str, Any] | None = None
    between: Callable[[Sandbox], bool] = lambda _upstream: True


def claimed() -> bool:
    return counted("SELECT count(*) FROM operations_operation WHERE lease_until > now()") == 1


CIRCLES: dict[str, Circle] = {
    "submit": Circle("submit", "changes_change"),
    "approve": Circle("approve", "changes_change"),
    "before the write": Circle("send", "operations_operation"),
    "after the write": Circle(
        "send", "operations_operation", fault("late", seconds=1.0), lambda upstream: posts(upstream) == 1
    ),
    "follow": Circle("follow", "operations_operation"),
    "settle": Circle("settle", "operations_operation"),
}


@told(
    Row(
        GROUP,
        "a deadlock",
        "another connection locks the audit log and then the row that the portal holds, in submit, approve, send "
        "(before and after the write), follow and settle",
        "PostgreSQL ends the portal's transaction, of which nothing stays; it is done again; what was sent is looked "
        "for",
        ERROR_PAGE,
    )
)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in {"approve", "after the write"} else CAMPAIGN) for name in CIRCLES],
)
def test_a_deadlock_takes_one_transaction_back_and_no_more(cast: Cast, upstream: Sandbox, name: str) -> None:
    circle = CIRCLES[name]
    row = STEPS[circle.step].ready(cast, upstream, "circle01")
    do = STEPS[circle.step].do(cast, row)
    upstream.set_faults(*([circle.rule] if circle.rule else []))
    locked = []

    def close_the_circle(other: psycopg.Connection) -> None:
        until(lambda: circle.between(upstream))
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        locked.append(True)
        until(somebody_waits)
        # Until here the portal waits for us; now we wait for it as well.
        query = sql.SQL("SELECT 1 FROM {} WHERE id = %s FOR UPDATE").format(sql.Identifier(circle.table))
        locked.append(other.execute(query, [row.pk]).rowcount == 1)
        other.rollback()

    with beside(close_the_circle):
        if circle.rule is None:
            until(lambda: len(locked) == 1)
        page = do()
    assert locked == [True, True]
    assert page == (ERROR_PAGE if circle.step in {"submit", "approve"} else "")
    connection.close()
    ended_in = type(row).objects.get(pk=row.pk).state
    assert ended_in == ("sending" if name == "after the write" else row.state)
    upstream.set_faults()
    carry_on(cast, "circle01")
    settle_down()
    judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 1)


@told(
    Row(
        GROUP,
        "a serialization failure",
        "under repeatable read, another connection changes the row that the portal is about to change, in approve, "
        "send and follow",
        "the transaction is taken back as a whole, and done again",
        ERROR_PAGE,
    )
)
@pytest.mark.parametrize(
    ("step", "table", "rule"),
    [
        ("approve", "changes_change", None),
        ("send", "operations_operation", fault("late", seconds=2.0, match=LISTS_ACTIONS)),
        pytest.param(
            "follow",
            "operations_operation",
            fault("late", seconds=2.0, match={"method": "GET", "path": "/actions/"}),
            marks=CAMPAIGN,
        ),
    ],
)
def test_a_serialization_failure_takes_the_transaction_back(
    cast: Cast, upstream: Sandbox, step: str, table: str, rule: dict[str, Any] | None
) -> None:
    row = STEPS[step].ready(cast, upstream, "serial01")
    do = STEPS[step].do(cast, row)
    upstream.set_faults(*([rule] if rule else []))
    touched = []

    def change_it(other: psycopg.Connection) -> None:
        until(lambda: rule is None or claimed())
        query = sql.SQL("UPDATE {} SET changed_at = changed_at WHERE id = %s").format(sql.Identifier(table))
        touched.append(other.execute(query, [row.pk]).rowcount)
        until(somebody_waits)
        other.commit()

    with repeatable_read(), beside(change_it):
        if rule is None:
            until(lambda: touched == [1])
        page = do()
    assert page == (ERROR_PAGE if step == "approve" else "")
    assert type(row).objects.get(pk=row.pk).state == row.state
    upstream.set_faults()
    carry_on(cast, "serial01")
    settle_down()
    judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 1)
