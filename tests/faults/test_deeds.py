"""PostgreSQL fails in what people do beside submitting and approving, and while the inventory is read."""

from itertools import count
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from portal.audit.models import Entry
from portal.audit.record import LOCK
from portal.operations import holds
from tests.cast import Cast
from tests.faults.cutting import CUTS, through
from tests.faults.deeds import BY_ITSELF, DEEDS, Deed
from tests.faults.judge import judge, settle_down
from tests.faults.proxy import Moment, Rule, cut
from tests.faults.table import Row, told
from tests.faults.transactions import CAMPAIGN, ERROR_PAGE, GROUP, beside, repeatable_read, somebody_waits
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ", ".join(DEEDS)
# Those that hold a row when they come to the audit log.
WITH_A_ROW = [name for name, deed in DEEDS.items() if deed.table]
LOCKED = ", ".join(WITH_A_ROW)


def entries(deed: Deed) -> int:
    return Entry.objects.filter(verb=deed.verb).count()


def done_once(deed: Deed, cast: Cast, row: Any, before: int) -> None:  # noqa: ANN401 - whatever it is done to
    """It is done, or nothing of it is; where it is not, it is done again, as whoever saw the error page does."""
    assert entries(deed) - before == int(deed.done(row))
    if not deed.done(row):
        assert deed.do(cast, row)() == ""
    assert (deed.done(row), entries(deed) - before) == (True, 1)


def ends_well(upstream: Sandbox) -> None:
    """Let sends go where they were held, carry on what is left, and judge."""
    upstream.set_faults()
    if held := holds.held():
        holds.let_go(held, "It is over.")
    settle_down()
    judge(upstream)


# Where each is cut in every run; the others are of the campaign.
ITS_OWN = "before its own commit"


@told(
    Row(
        GROUP,
        "a connection cut in a transaction of anything else that people do, or of the reading of the inventory",
        f"a proxy closes it before, and after, each commit, and before each statement: {NAMES}",
        "it is done, with its entry in the audit log, or nothing of it is; the person looks and goes on, the sweep "
        "goes on by itself; a password of which the page was lost after the commit is gone as if it had been seen",
        ERROR_PAGE,
    )
)
@pytest.mark.parametrize(
    ("name", "where"),
    [
        *((name, ITS_OWN) for name in DEEDS),
        *(pytest.param(name, where, marks=CAMPAIGN) for name in DEEDS for where in CUTS),
    ],
)
def test_a_cut_connection_leaves_nothing_half_done(cast: Cast, upstream: Sandbox, name: str, where: str) -> None:
    """Cut at the first of such messages, then at the second with something new, and so on to the last one."""
    deed, pages = DEEDS[name], list[str]()
    its_own = (lambda message: message.effect and deed.verb in message.text, Moment.BEFORE)
    fits, moment = CUTS.get(where, its_own)
    for number in count(1):
        row = deed.ready(cast, upstream, f"cut{number:05}")
        upstream.set_faults()
        do, before = deed.do(cast, row), entries(deed)
        rule = Rule(fits, moment, cut, number)
        with through(rule):
            page = do()
        struck = rule.done.is_set()
        done_once(deed, cast, row, before)
        ends_well(upstream)
        if not struck:
            assert page == ""
            break
        pages.append(page)
        if where == ITS_OWN:
            break
    assert set(pages) <= {ERROR_PAGE, ""}
    assert (ERROR_PAGE in pages) == (name not in BY_ITSELF)


@told(
    Row(
        GROUP,
        "a deadlock in anything else that people do, or in the reading of the inventory",
        f"another connection locks the audit log and then the row that the portal holds: {LOCKED}",
        "PostgreSQL ends the portal's transaction, of which nothing stays; it is done again",
        ERROR_PAGE,
    )
)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "cancel" else CAMPAIGN) for name in WITH_A_ROW],
)
def test_a_deadlock_takes_one_transaction_back_and_no_more(cast: Cast, upstream: Sandbox, name: str) -> None:
    deed, locked = DEEDS[name], list[bool]()
    row = deed.ready(cast, upstream, "circle01")
    upstream.set_faults()
    do, before = deed.do(cast, row), entries(deed)

    def close_the_circle(other: psycopg.Connection) -> None:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        locked.append(True)
        until(somebody_waits, seconds=60)
        # Until here the portal waits for us; now we wait for it as well.
        query = sql.SQL("SELECT 1 FROM {} WHERE id = %s FOR UPDATE").format(sql.Identifier(deed.table))
        locked.append(other.execute(query, [row.pk]).rowcount == 1)
        other.rollback()

    with beside(close_the_circle):
        until(lambda: locked == [True])
        page = do()
    assert (locked, page) == ([True, True], "" if name in BY_ITSELF else ERROR_PAGE)
    connection.close()
    assert not deed.done(row)
    done_once(deed, cast, row, before)
    ends_well(upstream)


@told(
    Row(
        GROUP,
        "a serialization failure in anything else that people do, or in the reading of the inventory",
        f"under repeatable read, another connection changes the row that the portal is about to change: {LOCKED}",
        "the transaction is taken back as a whole, and done again",
        ERROR_PAGE,
    )
)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "reject" else CAMPAIGN) for name in WITH_A_ROW],
)
def test_a_serialization_failure_takes_the_transaction_back(cast: Cast, upstream: Sandbox, name: str) -> None:
    deed, touched = DEEDS[name], list[int]()
    row = deed.ready(cast, upstream, "serial01")
    upstream.set_faults()
    do, before = deed.do(cast, row), entries(deed)

    def change_it(other: psycopg.Connection) -> None:
        query = sql.SQL("UPDATE {} SET id = id WHERE id = %s").format(sql.Identifier(deed.table))
        touched.append(other.execute(query, [row.pk]).rowcount)
        until(somebody_waits, seconds=60)
        other.commit()

    with repeatable_read(), beside(change_it):
        until(lambda: touched == [1])
        page = do()
    assert page == ("" if name in BY_ITSELF else ERROR_PAGE)
    connection.close()
    # A list that could not be written down does not keep the cluster from being read.
    assert deed.done(row) == (name in BY_ITSELF)
    done_once(deed, cast, row, before)
    ends_well(upstream)
