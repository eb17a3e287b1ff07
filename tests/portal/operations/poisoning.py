"""Rows that nobody can handle: what the database refuses for one of them, and how the three then stand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, LiteralString

from psycopg import sql

from portal.operations.models import Operation
from tests.conftest import as_owner

NAMES: Final = ("first01", "poison01", "third01")


@contextmanager
def refusing(table: LiteralString, condition: LiteralString, number: int = 0) -> Iterator[None]:
    """Let the database refuse what does not fulfil it; {} in it stands for the number."""
    name, check = sql.Identifier(table), sql.SQL(condition).format(sql.Literal(number))
    with as_owner() as owner:
        owner.execute(sql.SQL("ALTER TABLE {} ADD CONSTRAINT odd CHECK ({})").format(name, check))
    try:
        yield
    finally:
        with as_owner() as owner:
            owner.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT odd").format(name))


def states() -> list[tuple[str, int]]:
    """State and failures of each operation."""
    return list(Operation.objects.order_by("pk").values_list("state", "failures"))
