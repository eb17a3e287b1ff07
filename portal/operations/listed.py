"""Looks at the running operations that a page of ITCare's list shows, thousands in a few statements.

Nothing here takes a lease: ITCare is not asked meanwhile, and each transaction holds its rows' locks. Two passes at
once skip what the other one is writing.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from hashlib import blake2b
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from portal import itcare
from portal.inventory import waiting
from portal.operations import relapses
from portal.operations.actions import note_all
from portal.operations.leases import back_off, claim
from portal.operations.models import Operation
from portal.operations.slowing import slow_down
from portal.operations.states import ENDED, State

logger = logging.getLogger(__name__)

# Operations with news that are written in one transaction: others wait for its locks.
NEWS: Final = 1_000
# The operations of these actions that are wanted, or that have ended. What is told again brings nothing: those rows are
# given back at once, and only the others are answered, with the number of the rest. It is compared in the database, by
# a mark of each: carrying thousands of rows here would take longer than reading the list.
_LOOK = """
WITH found AS MATERIALIZED (
    SELECT operation.id, operation.state, operation.upstream_action_id AS number,
        operation.state = 'running' AND operation.told = listed.mark AS unchanged
    FROM unnest(string_to_array(%(numbers)s, ',')::bigint[], string_to_array(%(marks)s, ',')::bigint[])
        AS listed (number, mark)
    JOIN operations_operation AS operation ON operation.upstream_action_id = listed.number
    WHERE operation.state = ANY (%(ended)s)
        OR operation.state = 'running'
        AND (operation.lease_until IS NULL OR operation.lease_until <= statement_timestamp())
        AND (operation.look_at <= statement_timestamp()
            OR operation.failures = 0 AND operation.look_at <= statement_timestamp() + make_interval(secs => %(soon)s))
    FOR NO KEY UPDATE OF operation SKIP LOCKED
), given_back AS (
    UPDATE operations_operation
    SET look_at = statement_timestamp() + make_interval(secs => %(pace)s),
        lease_until = NULL, failures = 0, missed_at = NULL
    FROM found WHERE found.unchanged AND operations_operation.id = found.id
    RETURNING operations_operation.id
)
SELECT id, state, number, 0 FROM found WHERE unchanged IS NOT TRUE
UNION ALL SELECT NULL, NULL, NULL, count(*) FROM given_back
"""
# A page that watches moves only when there is news.
_GO_ON = """
UPDATE operations_operation AS operation
SET look_at = statement_timestamp() + make_interval(secs => %(pace)s),
    lease_until = NULL, failures = 0, missed_at = NULL, told = listed.mark,
    changed_at = CASE WHEN listed.news THEN statement_timestamp() ELSE operation.changed_at END
FROM unnest(%(numbers)s::bigint[], %(marks)s::bigint[], %(news)s::boolean[]) AS listed (id, mark, news)
WHERE operation.id = listed.id
"""


def look(actions: Collection[itcare.Action]) -> int:
    """Look at the operations of these actions that are due, or will be before long; answers how many went on.

    Those that will be due soon come along, so that all share one reading of the list. What a page says to have ended
    is left to the caller.
    """
    running = {action.id: action for action in actions if action.running}
    if not running:
        return 0
    looked, rest = _give_back_unchanged(running)
    relapses.tell([running[number] for _, state, number in rest if state in ENDED])
    news = [pk for pk, state, _ in rest if state == State.RUNNING]
    return looked + sum(_together(news[first : first + NEWS], running) for first in range(0, len(news), NEWS))


def put_off(error: itcare.ItcareError) -> int:
    """Let all that is due wait, after the list could not be read; answers how many.

    A pause of the whole client is no failure of theirs; any other failure slows the next look down.
    """
    pauses = isinstance(error, itcare.NotSent | itcare.Throttled)
    waiting = 0
    with transaction.atomic():
        due = Operation.objects.due(State.RUNNING).filter(upstream_action_id__isnull=False)
        rows = list(due.select_for_update(skip_locked=True).values_list("pk", "failures"))
        # As many statements as there are counts of failures, however many rows there are.
        for failures in {failures for _, failures in rows}:
            seconds = max(error.retry_after or 0, 0 if pauses else back_off(failures + 1))
            waiting += Operation.objects.filter(pk__in=[pk for pk, count in rows if count == failures]).update(
                look_at=Now() + timedelta(seconds=seconds), failures=failures if pauses else F("failures") + 1
            )
    return waiting


def _soon() -> float:
    """Half the pace, in seconds: further than that, the next reading of the list is nearer."""
    return float(settings.FOLLOW_SECONDS) / 2


def _wanted() -> Q:
    """Running, held by nobody, and due now or soon; what keeps failing waits for its own time."""
    free = Q(lease_until=None) | Q(lease_until__lte=Now())
    return (
        free
        & Q(state=State.RUNNING)
        & (Q(look_at__lte=Now()) | Q(failures=0, look_at__lte=Now() + timedelta(seconds=_soon())))
    )


def _give_back_unchanged(actions: Mapping[int, itcare.Action]) -> tuple[int, list[tuple[int, str, int]]]:
    """Answers how many brought nothing new, and the others: the operation's number, its state, the action's number."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LOOK,
            {
                # As text: psycopg takes ten times as long over a list.
                "numbers": ",".join(map(str, actions)),
                "marks": ",".join([str(_mark(action)) for action in actions.values()]),
                "ended": list(ENDED),
                "pace": settings.FOLLOW_SECONDS,
                "soon": _soon(),
            },
        )
        *rest, (_, _, _, unchanged) = cursor.fetchall()
    return unchanged, [(pk, state, number) for pk, state, number, _ in rest]


def _mark(action: itcare.Action) -> int:
    """A number of 64 bits that is another one when the list tells anything else of the action."""
    # A time in words would take as long as all the rest.
    at = action.last_updated_at and action.last_updated_at.timestamp()
    told = f"{action.id}\0{action.status}\0{action.message}\0{at}"
    return int.from_bytes(blake2b(told.encode(errors="surrogatepass"), digest_size=8).digest(), signed=True)


def _together(numbers: list[int], actions: dict[int, itcare.Action]) -> int:
    """Write down what is new of some rows at once, or else of each by itself; answers how many were looked at."""
    try:
        return _note_news(numbers, actions)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        logger.exception("Some of %s operations could not be written together.", len(numbers))
        return sum(_one_by_one(number, actions) for number in numbers)


def _note_news(numbers: list[int], actions: dict[int, itcare.Action]) -> int:
    """Write down what is new; clusters with news are read soon, by the job that reads clusters."""
    with transaction.atomic():
        rows = list(Operation.objects.filter(_wanted(), pk__in=numbers).select_for_update(skip_locked=True))
        told = [(actions[row.upstream_action_id or 0], row) for row in rows]
        news = note_all(told)
        with connection.cursor() as cursor:
            cursor.execute(
                _GO_ON,
                {
                    "numbers": [row.pk for row in rows],
                    "marks": [_mark(action) for action, _ in told],
                    "news": [row.pk in news for row in rows],
                    "pace": settings.FOLLOW_SECONDS,
                },
            )
    waiting.want([row.cluster_id for row in rows if row.pk in news and row.cluster_id])
    return len(rows)


def _one_by_one(number: int, actions: dict[int, itcare.Action]) -> int:
    """Write one row by itself: the one that the database refuses slows down and stops no other."""
    try:
        return _note_news([number], actions)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        logger.exception("Operation %s could not be followed.", number)
        for operation in claim(State.RUNNING, only=number):
            slow_down(operation, f"What ITCare tells of it could not be written down ({type(error).__name__}).")
        return 1
