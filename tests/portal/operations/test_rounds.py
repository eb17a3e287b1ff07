"""A row that fails in a round rests, longer after each failure, and an administrator is told of it once."""

import pytest
from django.core import mail
from django.db import Error, transaction
from pytest_django import Settings

from portal.operations import concerns, mails
from portal.operations.acts import Act
from portal.operations.models import Concern, Operation
from portal.operations.slowing import NotNow, Round
from tests.cast import Cast
from tests.faults.cutting import CUTS, through
from tests.faults.proxy import Rule, cut
from tests.portal.operations.deciding import acted
from tests.portal.operations.poisoning import NAMES
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_that_fails_rests_ever_longer_and_is_done_when_it_can_be(cast: Cast) -> None:
    rows = [row_of(cast, name=name) for name in NAMES]
    tried, broken = list[str](), [True]

    def do(row: Operation) -> None:
        tried.append(row.name)
        if broken[0] and row.name == "poison01":
            raise ValueError

    now = [0.0]
    rounds = Round("Operation", clock=lambda: now[0])
    due = Operation.objects.order_by("pk")
    assert (rounds.go(due, do), rounds.go(due, do)) == (2, 2)
    assert tried == [*NAMES, "first01", "third01"]
    # One that rests takes nobody's place.
    assert rounds.go(due.exclude(pk=rows[0].pk), do, 1) == 1
    assert tried.pop() == "third01"
    waits = []
    for failures in (1, 2, 3):
        began = now[0]
        while tried.count("poison01") == failures:
            now[0] += 1
            rounds.go(due, do)
        waits.append(now[0] - began)
    assert all(0.8 * wait <= took <= 1.2 * wait + 1 for took, wait in zip(waits, (4, 8, 16), strict=True))
    broken[0] = False
    now[0] += 600
    assert rounds.go(due, do) == 3


def test_one_whose_turn_it_is_not_is_neither_done_nor_forgiven(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    row_of(cast, name="poison01")
    now, turns = [0.0], [ValueError, NotNow, ValueError]
    rounds = Round("Operation", clock=lambda: now[0])

    def do(_: Operation) -> None:
        raise turns.pop(0)

    told = []
    while turns:
        assert rounds.go(Operation.objects.all(), do) == 0
        told.append(Concern.objects.filter(situation="stuck").count())
        now[0] += 600
    assert told == [0, 0, 1]


@pytest.mark.parametrize("where", ["before each commit", "before each statement"])
def test_none_rests_because_the_database_was_lost(cast: Cast, where: str) -> None:
    for name in NAMES:
        row_of(cast, name=name)
    rounds, due = Round("Operation"), Operation.objects.filter(message="").order_by("pk")

    def do(row: Operation) -> None:
        with transaction.atomic():
            Operation.objects.filter(pk=row.pk).update(message="Done.")

    fits, moment = CUTS[where]
    with through(Rule(fits, moment, cut, 2)), pytest.raises(Error):
        rounds.go(due, do)
    left = due.count()
    assert (rounds.go(due, do), left > 0, due.count()) == (left, True, 0)


def test_one_that_keeps_failing_is_told_once_and_a_further_one_by_another_mail(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    now, broken = [0.0], {"first01", "poison01"}
    rounds, due = Round("Operation", clock=lambda: now[0]), Operation.objects.order_by("pk")

    def do(row: Operation) -> None:
        if row.name in broken:
            raise ValueError

    row_of(cast, name="first01")
    seen = []
    for turn in range(6):
        if turn == 3:
            row_of(cast, name="poison01")
        rounds.go(due, do)
        now[0] += 3600
        mails.tell()
        seen.append((Concern.objects.count(), len(mail.outbox)))
    # After its second failure each, and never again.
    assert seen == [(0, 0), (1, 1), (1, 1), (1, 1), (1, 2), (1, 2)]
    assert Concern.objects.get().words.count("could not be handled") == 2
    acted(Act.NOTED, Concern.objects.get(), cast.administrator)
    rounds.go(due, do)
    assert not Concern.objects.open().exists()


def test_more_than_one_matter_can_name_is_left_to_the_log(cast: Cast) -> None:
    said = [concerns.keeps_failing(f"{letter * 400}.") for letter in "abca"]
    assert (said, Concern.objects.count()) == ([True, True, False, False], 1)
    # Once those are noted, it is told.
    acted(Act.NOTED, Concern.objects.get(), cast.administrator)
    assert [concerns.keeps_failing(f"{letter * 400}.") for letter in "ac"] == [False, True]
