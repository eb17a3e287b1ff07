"""Adds an entry to the audit log, in the transaction of what it tells."""

from collections.abc import Mapping
from typing import Any, Final

from django.db import connection, transaction

from portal.audit.chain import FIRST, entry_hash
from portal.audit.models import Entry
from portal.sealing import SecretText

# The lock of the chain: any number that nothing else in this database locks.
LOCK: Final = 7_140_251


def record(
    verb: str,
    *,
    actor: str,
    actor_id: int | None = None,
    subject_type: str,
    subject_id: int | str,
    subject: str,
    service_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Entry:
    """Add an entry. Call it last in a transaction: it holds the chain's lock until the commit.

    Args:
        verb: What was done, as a dotted name; a refusal ends in ``.refused``.
        actor: Who did it, in words; "portal" for the portal itself.
        actor_id: The person's number, if it was one.
        subject_type: What kind of thing it was done to.
        subject_id: Its number.
        subject: It in words.
        service_id: Number of the service it belongs to, which decides who sees the entry.
        detail: Further facts, plain JSON; never a secret.

    Raises:
        transaction.TransactionManagementError: no transaction is open.
        TypeError: the detail holds a secret.
    """
    if not connection.in_atomic_block:
        message = "an audit entry belongs to the transaction of what it tells"
        raise transaction.TransactionManagementError(message)
    if any(isinstance(value, SecretText) for value in (detail or {}).values()):
        message = "a secret does not belong into the audit log"
        raise TypeError(message)
    fields: dict[str, Any] = {
        "verb": verb,
        "actor": actor,
        "actor_id": actor_id,
        "subject_type": subject_type,
        "subject_id": str(subject_id),
        "subject": subject[:300],
        "service_id": service_id,
        "detail": dict(detail or {}),
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("SELECT clock_timestamp()")
        at = cursor.fetchone()[0]
    last = Entry.objects.order_by("-number").values_list("number", "hash").first()
    number, previous = (last[0] + 1, last[1]) if last else (1, FIRST)
    return Entry.objects.create(
        number=number, at=at, previous_hash=previous, hash=entry_hash(previous, number, at, fields), **fields
    )
