"""What the owner of the database could do to the audit log."""

from pathlib import Path

import psycopg
from django.conf import settings

from portal.audit.heads import Head
from tests.conftest import as_owner


def run(owner: psycopg.Connection, statement: str) -> None:
    owner.execute(statement.replace("ROLE", settings.PORTAL_ROLE).encode())


def tamper(*statements: str) -> None:
    """Do what only the owner can: switch the triggers off, alter rows, switch them on as they were."""
    with as_owner() as owner:
        run(owner, "ALTER TABLE audit_entry DISABLE TRIGGER USER")
        for statement in statements:
            run(owner, statement)
        for trigger in ("audit_entry_rows", "audit_entry_truncate"):
            run(owner, f"ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER {trigger}")


def last_head(file: Path) -> Head:
    """Return the last head of a file."""
    return Head.read(file.read_text().splitlines()[-1])
