"""Knows whether the portal has been at work without a break: only then does its database tell of all that it sent.

After a restore, a failover or a long absence it may have forgotten a write that ITCare carried out. Then nothing is
sent until `catch_up` has looked, and every sender can see that for itself, whatever was started first.
"""

import logging
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Exists, Q, QuerySet
from django.db.models.functions import Now

from portal.audit import heads
from portal.operations.models import Continuity

logger = logging.getLogger(__name__)

RESTORED: Final = "The portal's database was restored, or another one took its place."
WENT_BACK: Final = "The portal's database was restored: it has gone back to an earlier time."
BEHIND: Final = "The portal's database was restored or altered: the audit log lacks an entry that was published."
AWAY: Final = "The portal was away."

# A database of a server, and a table of it that a restore makes anew.
_OF_DATABASE: Final = """
    SELECT concat_ws('/', oid, 'operations_operation'::regclass::oid)
    FROM pg_database WHERE datname = current_database()
"""
# A server, and a copy of it that went its own way (a timeline); a deployment may have closed both to the portal's role.
_MAY_ASK: Final = """
    SELECT bool_and(has_function_privilege(name, 'EXECUTE'))
    FROM unnest(ARRAY['pg_control_system()', 'pg_walfile_name(pg_lsn)', 'pg_current_wal_insert_lsn()']) AS name
"""
_OF_SERVER: Final = """
    SELECT concat_ws('/', system_identifier, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))
    FROM pg_control_system()
"""


def database() -> str:
    """Tell which database this is: another value after a restore from a dump or to a point in time, or a failover."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(_MAY_ASK)
        for question in (_OF_SERVER, _OF_DATABASE) if cursor.fetchone()[0] else (_OF_DATABASE,):
            cursor.execute(question)
            found.append(cursor.fetchone()[0])
    return "/".join(found)


def begin() -> None:
    """Count from now in a database in which the portal has never been at work."""
    if not Continuity.objects.exists():
        Continuity.objects.get_or_create(pk=1, defaults={"database": database()})


def unbroken() -> bool:
    """Whether the database tells of everything that the portal has sent, as far as can be seen."""
    return _unbroken().exists()


def goes_on() -> Q:
    """Hold of any row while that is so: for the statement that commits "sending"."""
    return Q(Exists(_unbroken()))


def _unbroken() -> QuerySet[Continuity]:
    longest = timedelta(seconds=settings.AWAY_SECONDS)
    return Continuity.objects.filter(broken="", database=database(), at__gt=Now() - longest)


def broken(row: Continuity) -> str:
    """Why the database may not tell of everything, in a sentence; empty if it does."""
    if row.broken:
        return row.broken
    if row.database != database():
        return RESTORED
    missed = missed_head()
    if missed and missed != row.missed_head:
        return BEHIND
    return "" if unbroken() else AWAY


def missed_head() -> str:
    """The hash of the head that was published last, if the audit log does not hold it; else empty."""
    try:
        head = heads.missing()
    except OSError as error:
        # The other signs remain; a disk that is away must not stop all sends.
        logger.error("The published heads cannot be read: %s", error)  # noqa: TRY400 - expected
        return ""
    return head.hash if head else ""


def go_on() -> None:
    """Note that the portal is at work, unless there was a break."""
    _unbroken().update(at=Now())
