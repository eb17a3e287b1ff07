"""Comparing clusters goes past one that cannot be compared, or told of, and tries it again."""

from datetime import timedelta
from typing import Final

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from portal.inventory.models import Cluster
from portal.operations import drift
from portal.operations.models import Concern, Operation, Situation
from portal.operations.states import State
from tests.cast import Cast, cluster
from tests.portal.operations.poisoning import NAMES, refusing, states
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

AGO: Final = timedelta(days=30)


def test_comparing_goes_past_it_and_tries_again_at_the_next_news(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    rows = []
    for number, name in enumerate(NAMES):
        there = cluster(cast.service, number, name=name, read_at=timezone.now(), status="INACTIVE")
        rows.append(row_of(cast, State.SUCCEEDED, name=name, kind="stop", cluster=there, ended_at=Now() - AGO))
    assert drift.compare() == 3
    Operation.objects.filter(pk=rows[1].pk).update(left={"what": "nobody knows"})
    news()
    assert (drift.compare(), drift_of(rows), states()[1]) == (2, [], ("succeeded", 1))
    assert (drift.compare(), states()[1]) == (0, ("succeeded", 0))
    words = (
        "It could not be compared with what the last operation here, “Create it”, left (KeyError); the log of the "
        "sweep says why. That is tried again when the cluster changes."
    )
    assert drift_of(rows) == [("poison01", words)]
    # Nothing more until there is news; then it is tried again, and told once.
    assert (drift.compare(), states()[1]) == (0, ("succeeded", 0))
    news()
    assert (drift.compare(), states()[1]) == (2, ("succeeded", 1))
    seen = Operation.objects.values_list("left", flat=True).get(pk=rows[0].pk)
    Operation.objects.filter(pk=rows[1].pk).update(left=seen)
    assert (drift.compare(), drift_of(rows), states()[1]) == (1, [], ("succeeded", 0))


def test_a_first_look_that_fails_waits_for_news_too(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 1
    there = cluster(cast.service, 1, name="poison01", read_at=timezone.now(), status="INACTIVE")
    row = row_of(cast, State.SUCCEEDED, kind="stop", cluster=there, ended_at=Now() - AGO)
    with refusing("operations_operation", '"left" IS NULL'):
        assert (drift.compare(), drift.compare()) == (0, 0)
    assert [name for name, _ in drift_of([row])] == ["poison01"]
    news()
    assert drift.compare() == 1


def test_looks_that_failed_before_its_end_do_not_count(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    there = cluster(cast.service, 1, name="poison01", read_at=timezone.now() + AGO, status="INACTIVE")
    row = row_of(cast, State.RUNNING, kind="stop", cluster=there, failures=7)
    row.move(State.SUCCEEDED)
    assert states() == [("succeeded", 0)]
    with refusing("operations_operation", '"left" IS NULL'):
        assert (drift.compare(), states(), drift_of([row])) == (0, [("succeeded", 1)], [])
        assert (drift.compare(), states(), len(drift_of([row]))) == (0, [("succeeded", 0)], 1)


def unlike_what_was_asked(cast: Cast, number: int, name: str) -> Operation:
    """One that ITCare says succeeded, on a cluster that does not show it."""
    there = cluster(cast.service, number, name=name, read_at=timezone.now(), status="ACTIVE", sizing="2cpu4gb")
    asked = {"kind": "resize", "parameters": {"sizing": "8cpu16gb"}}
    return row_of(cast, State.SUCCEEDED, name=name, cluster=there, ended_at=Now() - AGO, **asked)


def test_what_could_not_be_told_is_told_at_the_next_pass(cast: Cast) -> None:
    row = unlike_what_was_asked(cast, 1, "poison01")
    with refusing("operations_concern", "situation <> 'drift'"):
        assert drift.compare() == 0
    assert Operation.objects.values("left", "compared_at", "failures").get() == {
        "left": None,
        "compared_at": None,
        "failures": 1,
    }
    assert drift.compare() == 1
    words = "ITCare says that “Create it” succeeded, and the cluster does not show it."
    assert drift_of([row]) == [("poison01", words)]
    assert (drift.compare(), states()) == (0, [("succeeded", 0)])


def test_one_that_can_be_told_in_no_way_stops_no_other_and_is_tried_again(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 1
    rows = [unlike_what_was_asked(cast, number, name) for number, name in enumerate(NAMES)]
    there = rows[1].cluster_id
    assert there is not None
    with refusing("operations_concern", "cluster_id <> {}", there):
        assert [drift.compare(), drift.compare()] == [2, 0]
    assert sorted(name for name, _ in drift_of(rows)) == ["first01", "third01"]
    assert drift.compare() == 1
    assert sorted(name for name, _ in drift_of(rows)) == list(NAMES)


def news() -> None:
    Cluster.objects.update(changed_at=timezone.now())


def drift_of(rows: list[Operation]) -> list[tuple[str, str]]:
    found = Concern.objects.open().filter(cluster__in=[row.cluster for row in rows], situation=Situation.DRIFT)
    return list(found.values_list("cluster__name", "words"))
