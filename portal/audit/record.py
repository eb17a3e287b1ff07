"""Writes the audit log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from portal.audit.chain import START, VERSION, hash_of
from portal.audit.models import Entry

# Any number will do, as long as nothing else in this database locks it.
LOCK: Final = 0x61756469740001

Value = str | int | bool | None | Sequence[str]


def record(
    verb: str,
    *,
    actor: str,
    actor_id: int | None = None,
    subject_type: str,
    subject_id: int | str,
    subject: str,
    service_id: int | None = None,
    detail: Mapping[str, Value] | None = None,
) -> Entry:
    """Append an entry to the chain, in the transaction of the change that it speaks of (SAFETY 1 rule 18).

    It takes the chain's lock until that transaction ends, so it belongs last in it. A refusal is recorded by the caller
    in a transaction of its own.

    Args:
        verb: what was done, in dotted words: "change.approved", and "change.approve.refused" for a refusal.
        actor: the person's e-mail address, or "portal", or the command.
        actor_id: the person's number; None where no person did it.
        subject_type: what kind of thing it was done to: "change".
        subject_id: which one.
        subject: what it is called, as readers will know it.
        service_id: the inventory's number of the service that it concerns: those who may see the service see the entry.
        detail: what else a reader wants to know. Plain values only; never a secret.

    Raises:
        TransactionManagementError: no transaction is open.
        TypeError: a value is not of a plain type: a sealed or secret one, a float (which has no canonical form).
    """
    if not connection.in_atomic_block:
        message = "An audit entry is written in the transaction of what it records: open one."
        raise TransactionManagementError(message)
    texts = [_text(value) for value in (verb, actor, subject_type, str(subject_id), subject)]
    plain = {_text(key): _plain(value) for key, value in (detail or {}).items()}
    at = _lock()
    last = Entry.objects.order_by("-number").values_list("number", "hash").first()
    number, previous_hash = (last[0] + 1, last[1]) if last else (1, START)
    entry = Entry(
        number=number,
        version=VERSION,
        at=at,
        verb=texts[0],
        actor=texts[1],
        actor_id=actor_id,
        subject_type=texts[2],
        subject_id=texts[3],
        subject=texts[4],
        service_id=service_id,
        detail=plain,
        previous_hash=previous_hash,
    )
    entry.hash = hash_of(entry)
    entry.save(force_insert=True)
    return entry


def record_refusal(
    verb: str,
    *,
    why: str,
    actor: str,
    actor_id: int,
    subject_type: str,
    subject_id: int | str,
    subject: str,
    service_id: int | None = None,
) -> None:
    """Append that somebody was not let do something, in a transaction of its own: nothing else was done.

    Args:
        verb: what they wanted to do: "change.approve".
        why: the sentence that they were told.
        actor: as for `record`, and so the other arguments.
        actor_id: see there.
        subject_type: see there.
        subject_id: see there.
        subject: see there.
        service_id: see there.
    """
    with transaction.atomic():
        record(
            f"{verb}.refused",
            actor=actor,
            actor_id=actor_id,
            subject_type=subject_type,
            subject_id=subject_id,
            subject=subject,
            service_id=service_id,
            detail={"why": why},
        )


def _lock() -> datetime:
    """Wait for the chain's turn; return the database's time then."""
    with connection.cursor() as cursor:
        # A statement of its own: one that waited inside would still see the chain as it was before.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at


def _plain(value: object) -> Value:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_text(item) for item in value]
    return _text(value)


def _text(value: object) -> str:
    """Return a text that PostgreSQL takes; whatever the upstream or a person wrote, the entry must not fail by it."""
    if not isinstance(value, str):
        message = f"An audit entry holds plain values, not {type(value).__name__}."
        raise TypeError(message)
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
