"""Connections to PostgreSQL that are cut in each transaction, or not to be had: nothing is half done."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count

import pytest
from django.db import connection
from django.test import Client
from psycopg import sql

from portal.home.management.commands.sweep import jobs
from portal.operations.models import Operation
from portal.operations.sweep import once
from tests.cast import PASSWORD, Cast
from tests.conftest import as_owner
from tests.faults.cutting import CUTS, through
from tests.faults.framing import Message
from tests.faults.judge import judge, settle_down
from tests.faults.proxy import Moment, Rule, cut
from tests.faults.table import Row, told
from tests.faults.transactions import CAMPAIGN, ERROR_PAGE, GROUP, STEPS, Step, browser_of, carry_on
from tests.markup import Page
from tests.portal.operations.engine import posts
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


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


SAVES_THE_SESSION = "The portal lost its database while it answered."


@told(
    Row(
        GROUP,
        "a connection cut while the session is saved",
        "a proxy closes it before the statement that saves it, when somebody signs in again",
        "what the page did stays; the person goes back and tries again, and may have to sign in",
        f"Something went wrong here. {SAVES_THE_SESSION}",
    )
)
def test_a_session_that_cannot_be_saved_is_no_bad_request(cast: Cast, upstream: Sandbox) -> None:
    again = partial(browser_of(cast.developer).post, "/accounts/reauthenticate/", {"password": PASSWORD})
    # htmx leaves the page as it is at such a status, and says that it tries again.
    for headers, done in (({}, 302), ({"HX-Request": "true"}, 204)):
        rule = Rule(lambda message: b'UPDATE "django_session"' in message.data, Moment.BEFORE, cut)
        with through(rule):
            answer = again(headers=headers)
        assert rule.done.is_set()
        assert (answer.status_code, answer["Cache-Control"]) == (503, "no-store")
        page = Page.of(answer.content).one("main")
        assert page.one("h1").text == "Something went wrong here"
        assert f"{SAVES_THE_SESSION} Wait a moment, go back and try again" in page.text
        assert "Traceback" not in page.text
        assert again(headers=headers).status_code == done
    judge(upstream)


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
