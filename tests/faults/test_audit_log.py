"""The audit log takes no entry: then nothing is done of which it would not tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from psycopg import sql

from portal.audit.models import Entry
from portal.operations import send
from portal.operations.models import Operation
from tests.browsing import signed_in
from tests.cast import Cast
from tests.conftest import as_owner
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.faults.test_upstream import UNCLEAR
from tests.faults.transactions import ERROR_PAGE, GROUP, STEPS, carry_on
from tests.markup import Page
from tests.portal.operations.engine import everybody_tries, fault, meanwhile, posts, sent
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)


def _rights(words: str) -> None:
    role = sql.Identifier(connection.settings_dict["USER"])
    with as_owner() as owner:
        owner.execute(sql.SQL(words).format(role))


@contextmanager
def no_entry_taken() -> Iterator[None]:
    """Take the right to add to the audit log from the portal's role."""
    _rights("REVOKE INSERT ON audit_entry FROM {}")
    try:
        yield
    finally:
        _rights("GRANT INSERT ON audit_entry TO {}")


@told(
    Row(
        GROUP,
        "an audit insert that fails",
        "the right to add to the audit log is taken from the portal's role, in every step from submit to settle",
        "nothing is done of which there would be no entry; when it can be written again, all goes on",
        ERROR_PAGE,
    )
)
@pytest.mark.parametrize("step", STEPS)
def test_without_its_entry_nothing_is_done(cast: Cast, upstream: Sandbox, step: str) -> None:
    row = STEPS[step].ready(cast, upstream, "untold01")
    do = STEPS[step].do(cast, row)
    known: Any = (row.state, posts(upstream), Entry.objects.count())
    with no_entry_taken():
        for _ in range(2):
            assert do() == (ERROR_PAGE if step in {"submit", "approve"} else "")
            found = type(row).objects.get(pk=row.pk)
            assert (found.state, posts(upstream), Entry.objects.count()) == known
    carry_on(cast, "untold01")
    settle_down()
    judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 1)


@told(
    Row(
        GROUP,
        "an audit insert that fails while the outcome of a write is written down",
        "the right to add to the audit log is taken from the portal's role while a call is under way",
        "it stays as sending, whoever looks; when the log can be written again it becomes unclear, and is looked for "
        "and found; it is never sent again",
        UNCLEAR,
    )
)
def test_what_was_sent_when_the_log_failed_is_looked_for_and_not_sent_again(cast: Cast, upstream: Sandbox) -> None:
    operation = STEPS["send"].ready(cast, upstream, "untold01")
    upstream.set_faults(fault("late", seconds=1.5))
    do = STEPS["send"].do(cast, operation)
    with meanwhile(do):
        until(lambda: posts(upstream) == 1)
        _rights("REVOKE INSERT ON audit_entry FROM {}")
    try:
        everybody_tries(operation)
        assert (Operation.objects.get().state, posts(upstream)) == ("sending", 1)
    finally:
        _rights("GRANT INSERT ON audit_entry TO {}")
    send.lapse()
    page = Page.of(signed_in(cast.developer).get(operation.get_absolute_url()).content)
    assert page.one(id="outcome").text[: len(UNCLEAR)] == UNCLEAR
    settle_down()
    judge(upstream)
    assert (sent(operation).state, posts(upstream)) == ("succeeded", 1)
