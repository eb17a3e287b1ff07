"""Following at scale: one reading of the list for all, whatever its form, in few statements; the listed ones first."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal.operations import follow
from portal.operations.models import Action, ActionMessage, Operation
from portal.operations.states import State
from tests.cast import Cast, cluster
from tests.portal.itcare.scripted import Answer, Scripted, answer
from tests.portal.operations.engine import Held, answering, at_once, meanwhile, time_passes
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

NOT_FOUND = answer(404)


def running(cast: Cast, count: int, **values: Any) -> list[Operation]:  # noqa: ANN401 - columns
    return [row_of(cast, State.RUNNING, upstream_action_id=number, **values) for number in range(1, count + 1)]


def told(number: int, message: str = "Creating", **changes: object) -> dict[str, object]:
    return {"id": number, "status": "IN_PROGRESS", "message": message, "resourceName": f"n{number}", **changes}


def page(actions: list[dict[str, object]], number: int, *, last: bool, **told: object) -> bytes:
    return answer(200, {"content": actions, "number": number, "last": last, **told})


def calls(api: Scripted) -> list[str]:
    return [f"{call.method} {call.path.removeprefix('/itcare')}" for call in api.received]


LIST = "GET /actions?statuses=IN_PROGRESS"


@contextmanager
def due(settings: Settings, *script: Answer) -> Iterator[Scripted]:
    time_passes(60.0)
    with answering(settings, *script) as api:
        yield api


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ([answer(200, [told(1), told(2), told(3)])], [LIST]),
        (
            [page([told(1), told(2)], 0, last=False), page([told(3)], 1, last=True)],
            [LIST, f"{LIST}&page=1"],
        ),
        (
            # Numbered from one: page 1 is the first once more, and the one call beyond the pages.
            [
                page([told(1), told(2)], 1, last=False, first=True),
                page([told(1), told(2)], 1, last=False, first=True),
                page([told(3)], 2, last=True),
            ],
            [LIST, f"{LIST}&page=1", f"{LIST}&page=2"],
        ),
    ],
    ids=["bare", "from 0", "from 1"],
)
def test_the_list_is_read_once_in_whatever_form_it_comes(
    cast: Cast, settings: Settings, script: list[Answer], asked: list[str]
) -> None:
    running(cast, 3)
    for _ in range(2):
        with due(settings, *script) as api:
            assert follow.follow() == 3
        assert calls(api) == asked
    assert Operation.objects.filter(lease_until=None, failures=0, look_at__gt=Now()).count() == 3
    assert ActionMessage.objects.count() == 3


def test_what_the_list_leaves_out_is_asked_for_by_its_number(cast: Cast, settings: Settings) -> None:
    running(cast, 3)
    # The newest is missing from the list, though it says that it is whole.
    with due(settings, answer(200, [told(1), told(2)]), answer(200, told(3, "Waiting"))) as api:
        assert follow.follow() == 3
    assert calls(api) == [LIST, "GET /actions/3"]
    assert Action.objects.get(upstream_id=3).messages.get().text == "Waiting"
    assert set(Operation.objects.values_list("state", "failures")) == {("running", 0)}


def test_statements_do_not_grow_with_the_rows(cast: Cast, settings: Settings) -> None:
    counts: list[tuple[int, int]] = []
    for first, last in [(1, 2), (3, 30), (31, 400)]:
        for number in range(first, last + 1):
            row_of(cast, State.RUNNING, upstream_action_id=number)
        actions = [told(number, f"To {last}") for number in range(1, last + 1)]
        queries = []
        for _ in ("news", "the same"):
            with due(settings, answer(200, actions)), CaptureQueriesContext(connection) as captured:
                assert follow.follow() == last
            queries.append(len(captured))
        counts.append((queries[0], queries[1]))
    # The first pass of all fetches the token too.
    few, many = counts[1:]
    assert few == many
    assert few[1] < few[0] < 25
    assert ActionMessage.objects.count() == 2 + 30 + 400


def test_the_same_message_for_ever_adds_nothing_though_its_time_moves(cast: Cast, settings: Settings) -> None:
    (row,) = running(cast, 1)
    changed = set()
    for minute in range(10, 15):
        at = f"2026-11-23T08:{minute}:00Z"
        with due(settings, answer(200, [told(1, lastUpdatedAt=at)])):
            assert follow.follow() == 1
        changed.add(Operation.objects.get(pk=row.pk).changed_at)
    assert (Action.objects.count(), ActionMessage.objects.count(), len(changed)) == (1, 1, 1)
    known = Action.objects.get().last_updated_at
    assert known is not None
    assert known.minute == 14


@pytest.mark.parametrize("status", ["ON_HOLD", "success", "Error", "IN PROGRESS", "", None])
def test_any_other_word_than_those_documented_counts_as_running(
    cast: Cast, settings: Settings, status: str | None
) -> None:
    running(cast, 1)
    for _ in range(2):
        with due(settings, answer(200, [told(1, status=status)])) as api:
            assert follow.follow() == 1
        assert calls(api) == [LIST]
    assert (Operation.objects.get().state, Action.objects.get().status) == ("running", status or "")
    assert ActionMessage.objects.count() == 1


def test_news_asks_nothing_more_and_has_the_cluster_read_soon(cast: Cast, settings: Settings) -> None:
    known = cluster(cast.service, 1)
    running(cast, 1, kind="resize", cluster=known)
    with due(settings, answer(200, [told(1)])) as api:
        assert follow.follow() == 1
    known.refresh_from_db()
    assert (calls(api), known.wanted_at is not None) == ([LIST], True)


def test_what_is_due_soon_comes_along_and_what_keeps_failing_does_not(cast: Cast, settings: Settings) -> None:
    now, soon, later, failing = running(cast, 4)
    settings.FOLLOW_SECONDS = 60.0
    time_passes(60.0)
    for row, seconds, failures in [(soon, 20, 0), (later, 50, 0), (failing, 20, 3)]:
        from_now = Now() + timedelta(seconds=seconds)
        Operation.objects.filter(pk=row.pk).update(look_at=from_now, failures=failures)
    before = dict(Operation.objects.values_list("pk", "look_at"))
    with answering(settings, answer(200, [told(number) for number in range(1, 5)])):
        assert follow.follow() == 2
    after = dict(Operation.objects.values_list("pk", "look_at"))
    assert {pk for pk in after if after[pk] != before[pk]} == {now.pk, soon.pk}


def test_two_passes_at_once_share_what_the_list_does_not_show(cast: Cast, settings: Settings) -> None:
    running(cast, 40)
    with due(settings, answer(200, []), answer(200, []), answer(200, told(1))) as api:
        looked = at_once(follow.follow, follow.follow)
    assert sum(number for number in looked if isinstance(number, int)) == 40
    single = [call for call in calls(api) if call != LIST]
    assert sorted(single) == sorted(f"GET /actions/{number}" for number in range(1, 41))
    assert not Operation.objects.exclude(lease_until=None).exists()


def test_a_single_action_that_hangs_holds_up_neither_the_listed_nor_many_others(cast: Cast, settings: Settings) -> None:
    rows = running(cast, 30)
    hangs = Held(answer(200, told(1)))
    listed = answer(200, [told(number) for number in range(2, 11)])
    with due(settings, listed, hangs, answer(200, told(11))), meanwhile(follow.follow):
        assert hangs.asked.wait(10)
        looked_at = Operation.objects.filter(look_at__gt=Now(), lease_until=None)
        assert set(looked_at.values_list("upstream_action_id", flat=True)) == set(range(2, 11))
        # Ten are held at a time; the others are free for another pass.
        assert Operation.objects.exclude(lease_until=None).count() == follow.AT_ONCE
        hangs.go.set()
    assert Operation.objects.filter(look_at__gt=Now()).count() == len(rows)


def test_a_pass_ends_with_its_time_and_leaves_the_rest_due(cast: Cast, settings: Settings) -> None:
    running(cast, 5)
    with due(settings, answer(200, [told(1), told(2)])) as api:
        assert follow.follow(seconds=0) == 2
    assert calls(api) == [LIST]
    assert Operation.objects.due(State.RUNNING).count() == 3


def test_of_a_list_that_ends_early_only_some_are_asked_for_one_by_one(cast: Cast, settings: Settings) -> None:
    running(cast, follow.MOST_MISSING + 20)
    cut = page([told(1)], 0, last=False, totalElements=70)
    with due(settings, cut, NOT_FOUND, answer(200, told(2))) as api:
        looked = follow.follow()
    # A page that is refused is no shorter list: all wait.
    assert (looked, calls(api)) == (follow.MOST_MISSING + 20, [LIST, f"{LIST}&page=1"])
    assert set(Operation.objects.values_list("failures", flat=True)) == {0, 1}
    with due(settings, cut, answer(200, "odd"), answer(200, told(2))) as api:
        looked = follow.follow()
    assert looked - follow.MOST_MISSING in range(1, follow.AT_ONCE + 1)
    assert Operation.objects.due(State.RUNNING).count() == follow.MOST_MISSING + 20 - looked


def test_a_list_that_cannot_be_read_slows_all_down_in_few_statements(cast: Cast, settings: Settings) -> None:
    running(cast, 30)
    with due(settings, NOT_FOUND), CaptureQueriesContext(connection) as queries:
        assert follow.follow() == 30
    assert len(queries) < 20
    assert set(Operation.objects.values_list("failures", "lease_until")) == {(1, None)}


def test_a_running_create_gets_its_cluster_when_the_list_of_clusters_shows_it(cast: Cast) -> None:
    first, second = running(cast, 2)
    made = cluster(cast.service, 3, name=first.name)
    taken = cluster(cast.service, 4, name=second.name)
    row_of(cast, State.RUNNING, kind="resize", upstream_action_id=9, cluster=taken)
    assert follow.link() == 1
    assert dict(Operation.objects.filter(kind="create").values_list("pk", "cluster")) == {
        first.pk: made.pk,
        second.pk: None,
    }
