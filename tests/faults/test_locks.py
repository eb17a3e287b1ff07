"""Deadlocks, serialization failures, a lock that is not let go: what is taken back is done again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import Any, LiteralString

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from portal.audit.record import LOCK
from portal.operations import send
from portal.operations.models import Operation
from portal.operations.sweep import once
from tests.browsing import signed_in
from tests.cast import Cast
from tests.faults.judge import CARRIES, judge, named, settle_down
from tests.faults.proxy import Moment, Rule, freeze, hold, starting
from tests.faults.steps import stage
from tests.faults.table import Row, told
from tests.faults.transactions import (
    CAMPAIGN,
    ERROR_PAGE,
    GROUP,
    STEPS,
    beside,
    carry_on,
    connecting,
    counted,
    repeatable_read,
    somebody_waits,
)
from tests.portal.operations.engine import LISTS_ACTIONS, fault, posts
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)


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


@contextmanager
def waiting_for_locks(wait: str) -> Iterator[None]:
    """Have the portal in this process wait for a lock so long, instead of ten seconds."""
    options = connection.settings_dict["OPTIONS"]
    before = "lock_timeout=10s"
    assert before in options["options"]
    with connecting(OPTIONS={**options, "options": options["options"].replace(before, f"lock_timeout={wait}")}):
        yield


# Whether somebody holds the lock of the audit log.
HOLDS: LiteralString = (
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE datname = current_database() AND locktype = 'advisory' AND granted"
    " AND (classid::bigint << 32) + objid::bigint = %s"
)


def states() -> dict[str, str]:
    return dict(Operation.objects.values_list("name", "state"))


@told(
    Row(
        GROUP,
        "a process frozen in a transaction that holds the lock of the audit log",
        "a sender is stopped (SIGSTOP) between its entry and the commit of it; the time after which PostgreSQL ends "
        "such a transaction, a minute, is set to seconds",
        "pages and the sweep go on reading; who writes waits for ten seconds at most and is told; after the minute "
        "PostgreSQL ends the transaction, and all goes on; the sender wakes up without its connection, and sends "
        "nothing",
        ERROR_PAGE,
    )
)
def test_a_frozen_process_holds_the_audit_log_up_for_a_while_only(
    cast: Cast, upstream: Sandbox, portal_environment: dict[str, str], tmp_path: Path
) -> None:
    change = STEPS["approve"].ready(cast, upstream, "waits01")
    approves = STEPS["approve"].do(cast, change)
    operation = STEPS["send"].ready(cast, upstream, "frozen01")
    go, frozen = Event(), Event()
    impatient = {"DJANGO_SETTINGS_MODULE": "tests.faults.impatient"}
    with stage(portal_environment, upstream, tmp_path / "steps.log", **impatient) as short:
        held = hold(go, freeze(short.zygote.running), frozen.set)
        with short.watched(Rule(starting("commit (operation.sending)"), Moment.BEFORE, held)):
            step = short.zygote.start("send", operation.pk)
            try:
                assert frozen.wait(30)
                assert counted(HOLDS, LOCK) == 1
                with waiting_for_locks("500ms"):
                    assert approves() == ERROR_PAGE
                    send.send(operation.pk)
                    once(named(*CARRIES))
                    assert signed_in(cast.approver).get(change.get_absolute_url()).status_code == HTTPStatus.OK
                connection.close()
                assert states() == {"frozen01": "queued"}
                until(lambda: counted(HOLDS, LOCK) == 0, seconds=30)
                carry_on(cast, "waits01")
                settle_down()
                judge(upstream)
                assert (states(), posts(upstream)) == ({"frozen01": "succeeded", "waits01": "succeeded"}, 2)
            finally:
                go.set()
                step.go_on()
            # Its transaction is lost, and with it the permission to send.
            assert step.status() == 0
    said = (tmp_path / "steps.log").read_text()
    assert f"Operation {operation.pk} could not be sent." in said
    assert "terminating connection due to idle-in-transaction timeout" in said
    judge(upstream)
    assert posts(upstream) == 2
