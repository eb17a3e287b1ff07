"""Tells whether the audit log is whole: its chain, the heads that were published, and what protects the table.

It proves that nothing before the last published head was altered, added or removed. It proves nothing about what was
never written, nor about entries after that head (SAFETY 6).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from portal.audit.chain import START, hash_of
from portal.audit.heads import Head, published
from portal.audit.models import Entry

# A log that is broken everywhere is told of in this many sentences.
MOST: Final = 20
_CHUNK: Final = 1000

# name: pg_trigger.tgtype, the sum of ROW 1, BEFORE 2, DELETE 8, UPDATE 16, TRUNCATE 32.
_TRIGGERS: Final = {"audit_entry_rows": 1 + 2 + 8 + 16, "audit_entry_truncate": 2 + 32}
_REFUSES: Final = (
    "BEGIN RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege'; END"
)
_FOUND_TRIGGERS: Final = """
    SELECT tgname, tgtype, tgenabled::text, tgqual IS NULL, prosrc
    FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid = 'audit_entry'::regclass AND NOT tgisinternal ORDER BY tgname
"""
_FOUND_RIGHTS: Final = """
    SELECT has_any_column_privilege(rolname, 'audit_entry', 'UPDATE'),
           has_table_privilege(rolname, 'audit_entry', 'DELETE'),
           has_table_privilege(rolname, 'audit_entry', 'TRUNCATE'),
           has_table_privilege(rolname, 'audit_entry', 'TRIGGER'),
           pg_has_role(rolname, relowner, 'MEMBER'),
           rolsuper
    FROM pg_roles, pg_class WHERE rolname = %s AND pg_class.oid = 'audit_entry'::regclass
"""
_RIGHTS: Final = (
    "may update entries",
    "may delete entries",
    "may empty the table",
    "may put triggers on the table",
    "can become the table's owner",
    "is a superuser",
)


@dataclass(frozen=True)
class Verdict:
    """What verifying found.

    Attributes:
        entries: how many entries there are.
        head: the newest entry's hash; zeros where there is none.
        heads: how many published heads were compared.
        problems: what is wrong, a sentence each, the first of them if there are many.
    """

    entries: int
    head: str
    heads: int
    problems: tuple[str, ...]


class _Walk:
    """Goes through the log once, and keeps what it has seen."""

    def __init__(self) -> None:
        self.entries = 0
        self.head = START
        self.heads = 0

    def chain(self) -> Iterator[str]:
        """Yield what is wrong with numbers, links and hashes."""
        number = 0
        # One transaction: a cursor outside of one would first copy the whole log.
        with transaction.atomic():
            for entry in Entry.objects.order_by("number").iterator(chunk_size=_CHUNK):
                if entry.number != number + 1:
                    yield f"Entries are missing: after {number} comes {entry.number}."
                elif entry.previous_hash != self.head:
                    yield f"Entry {entry.number} does not follow from the one before it."
                yield from _own_hash(entry)
                number, self.head = entry.number, entry.hash
                self.entries += 1

    def published(self, file: Path) -> Iterator[str]:
        """Yield which published heads the log does not hold."""
        try:
            lines = published(file)
            while chunk := list(islice(lines, _CHUNK)):
                yield from (f"Line {number} of {file} is not a head." for number, head in chunk if head is None)
                yield from self._missing([head for _, head in chunk if head])
        except OSError as error:
            yield f"The published heads cannot be read: {error.strerror} ({file})."

    def _missing(self, heads: list[Head]) -> Iterator[str]:
        self.heads += len(heads)
        numbers = {head.number for head in heads}
        found = dict(Entry.objects.filter(number__in=numbers).values_list("number", "hash"))
        for head in heads:
            if head.number not in found:
                yield f"Entry {head.number}, published at {head.at}, is gone."
            elif found[head.number] != head.hash:
                yield f"Entry {head.number} is not the one that was published at {head.at}."
            elif head.count != head.number:
                yield f"When entry {head.number} was published at {head.at}, there were {head.count} entries."


def verify(heads: Path | None = None) -> Verdict:
    """Check the whole log, in memory that does not grow with it.

    Args:
        heads: the file of published heads; without it, nothing shows whether the newest entries were cut off.
    """
    walk = _Walk()
    problems = list(islice(_protection(), MOST)) + list(islice(walk.chain(), MOST))
    if heads:
        problems += islice(walk.published(heads), MOST)
    return Verdict(entries=walk.entries, head=walk.head, heads=walk.heads, problems=tuple(problems))


def _own_hash(entry: Entry) -> Iterator[str]:
    try:
        if hash_of(entry) != entry.hash:
            yield f"Entry {entry.number} was altered: its hash does not fit its words."
    except ValueError as error:
        yield f"Entry {entry.number} cannot be checked: {error}."


def _protection() -> Iterator[str]:
    """Yield what is wrong with the triggers and with the rights of the portal's role."""
    with connection.cursor() as cursor:
        cursor.execute(_FOUND_TRIGGERS)
        triggers = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_FOUND_RIGHTS, [settings.PORTAL_ROLE])
        rights = cursor.fetchone()
    for name, kind in _TRIGGERS.items():
        if name not in triggers:
            yield f"The trigger {name} is gone."
            continue
        found_kind, enabled, unconditional, source = triggers[name]
        if enabled != "A":
            yield f"The trigger {name} is not always enabled."
        if found_kind != kind or not unconditional or " ".join(source.split()) != _REFUSES:
            yield f"The trigger {name} does not do what it did."
    for name in sorted(set(triggers) - set(_TRIGGERS)):
        yield f"The table has a trigger that is not the portal's: {name}."
    if rights is None:
        yield f"The portal's role {settings.PORTAL_ROLE} does not exist."
    for has, words in zip(rights or (), _RIGHTS, strict=False):
        if has:
            yield f"The portal's role {settings.PORTAL_ROLE} {words}."
