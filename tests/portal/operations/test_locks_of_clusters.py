"""Clusters, several actions, and what is over: nobody waits in a circle, and nobody is told what no longer holds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Final

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal import itcare
from portal.inventory import waiting
from portal.inventory.models import Cluster
from portal.operations import concerns, start, unknown
from portal.operations.acts import Act
from portal.operations.catch_up import CatchUp
from portal.operations.models import Action, Concern, Continuity, Operation, Situation
from portal.operations.states import Reason, State
from tests.cast import Cast, cluster
from tests.portal.operations.deciding import acted
from tests.portal.operations.engine import tells
from tests.portal.operations.needing import bare, concern_of
from tests.portal.operations.test_late_told import all_have_looked
from tests.portal.operations.test_settle import told
from tests.sandbox_server import Sandbox, until
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

NAME: Final = "cluster00001"
LONG_AGO: Final = timedelta(days=30)


def beside(work: Callable[[], object]) -> Callable[[], None]:
    """The same on a connection that is closed at its end."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return run


def test_who_is_starting_holds_up_nobody_who_tells_of_the_cluster(cast: Cast) -> None:
    there = cluster(cast.service, 1, name=NAME)
    action = itcare.Action(id=177, status="IN_PROGRESS", resource_name=NAME)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        # As an approval does, before it takes the chain of the audit log.
        start._hold(there, ())
        pool.submit(beside(lambda: unknown.tell([action]))).result(30)
    assert Concern.objects.get().cluster == there


def test_two_starts_on_one_cluster_still_follow_each_other(cast: Cast) -> None:
    there = cluster(cast.service, 1, name=NAME)
    busy = list[bool]()

    def second() -> None:
        with transaction.atomic():
            try:
                start._hold(there, ())
            except start.BusyError:
                busy.append(True)

    row = row_of(cast, State.SUCCEEDED, cluster=there)
    with all_have_looked(row, second, before=lambda: start._hold(there, ())):
        row_of(cast, State.QUEUED, cluster=there)
    assert busy == [True]


def test_who_ends_an_operation_holds_no_cluster_meanwhile(cast: Cast) -> None:
    there = cluster(cast.service, 1, name=NAME)
    concern = concern_of(bare(cast, cluster=there))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            waiting.want([there.pk])
            Cluster.objects.filter(pk=there.pk).update(wanted_at=None)
            running = pool.submit(beside(lambda: acted(Act.RELEASE, concern, cast.approver)))
            until(lambda: Operation.objects.filter(state="failed").exists())
        running.result(30)
    # The cluster is read once more, after the end.
    there.refresh_from_db()
    assert there.wanted_at is not None


def test_who_looks_after_a_break_holds_no_cluster_meanwhile(cast: Cast, upstream: Sandbox) -> None:
    there = cluster(cast.service, 1, name=NAME)
    row = row_of(cast, State.QUEUED, kind="stop", name=NAME, cluster=there)
    Continuity.objects.update(at=F("at") - timedelta(hours=1))
    upstream.set_faults(tells([told(90_001, resourceName=NAME)]))
    with all_have_looked(row, CatchUp().run):
        Cluster.objects.filter(pk=there.pk).update(changed_at=Now())
    assert Concern.objects.get().operation == row
    there.refresh_from_db()
    assert there.wanted_at is not None


def test_several_actions_are_noted_by_number(cast: Cast) -> None:
    """Whoever holds the first and wants the second finds it free, in whatever order a list tells them."""
    there = cluster(cast.service, 1, name=NAME)
    row = row_of(cast, State.SUCCEEDED, cluster=there)
    for number in (177, 178):
        Action.objects.create(upstream_id=number, resource_name=NAME)
    listed = [itcare.Action(id=number, status="IN_PROGRESS", resource_name=NAME) for number in (178, 177)]

    def hold_the_first() -> None:
        Action.objects.select_for_update(of=("self",)).get(upstream_id=177)

    with all_have_looked(row, lambda: unknown.tell(listed), before=hold_the_first):
        Action.objects.select_for_update(of=("self",), nowait=True).get(upstream_id=178)
    assert Concern.objects.get().actions.count() == 2


OVER: Final[dict[Situation, tuple[dict[str, object], dict[str, object]]]] = {
    Situation.OVERDUE: (
        {"state": State.RUNNING, "sent_at": Now() - LONG_AGO},
        {"state": "failed", "reason": Reason.SETTLED, "ended_at": Now(), "look_at": None},
    ),
    Situation.UNREACHABLE: (
        {"state": State.QUEUED},
        {"state": "cancelled", "ended_at": Now(), "look_at": None},
    ),
    Situation.VANISHED: ({"state": State.RUNNING, "missed_at": Now() - LONG_AGO}, {"missed_at": None}),
    Situation.STUCK: (
        {"state": State.UNCLEAR},
        {"state": "succeeded", "ended_at": Now(), "look_at": None},
    ),
}


@pytest.mark.parametrize("situation", OVER)
def test_what_is_over_meanwhile_is_told_to_nobody(cast: Cast, situation: Situation, settings: Settings) -> None:
    before, then = OVER[situation]
    row = row_of(cast, **before)  # type: ignore[arg-type]
    say = partial(concerns.raise_once, situation, "A person must look.", row)
    with all_have_looked(row, say):
        Operation.objects.filter(pk=row.pk).update(**then)
    assert not Concern.objects.exists()
    # As it was, it would have been told.
    other = row_of(cast, **before)  # type: ignore[arg-type]
    assert concerns.raise_once(situation, "A person must look.", other)
