"""Cuts the connection of the portal in this process to PostgreSQL, at the n-th message of a sort."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from tests.faults.framing import Message, Postgres
from tests.faults.proxy import LOOPBACK, Moment, Proxy, Rule
from tests.faults.transactions import connecting


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


def a_commit(message: Message) -> bool:
    return message.effect


def anything(message: Message) -> bool:
    return message.answered


# Before it, nothing of the transaction stays; after it all of it does, and the portal does not know.
CUTS: dict[str, tuple[Callable[[Message], bool], Moment]] = {
    "before each commit": (a_commit, Moment.BEFORE),
    "after each commit": (a_commit, Moment.AFTER),
    "before each statement": (anything, Moment.BEFORE),
}
