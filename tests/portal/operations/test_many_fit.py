"""Where ITCare shows many actions, a person is told of the first, each in a few words, and how many more there are."""

from typing import Any

import pytest
from pytest_django import Settings

from portal.operations import settle, unknown
from portal.operations.fitting import MOST_NOTED
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.states import State
from tests.cast import Cast
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import answering, time_passes
from tests.portal.operations.needing import bare
from tests.portal.operations.test_doubts import listed
from tests.portal.operations.test_settle import told
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

MANY = list(range(90_001, 90_033))
NAMED = MANY[:MOST_NOTED]
LONG = "Order received and " + "passed on to the next one " * 20
BRIEFLY = "Order received and passed on to the next one passed on to the next one passed…"


def actions(row: Operation) -> list[dict[str, Any]]:
    """More than anybody wants to read, the newest first, as ITCare lists them."""
    return [told(number, resourceName=row.name, message=LONG) for number in reversed(MANY)]


def looked_for(row: Operation, settings: Settings, body: object) -> Concern:
    time_passes()
    with answering(settings, answer(200, body)):
        assert settle.settle() == 1
    return Concern.objects.get(operation=row)


def named(concern: Concern) -> list[int]:
    return sorted(action.upstream_id for action in concern.actions.all())


def test_of_many_that_fit_the_first_are_named_and_the_others_counted(cast: Cast, settings: Settings) -> None:
    row = bare(cast)
    before = told(100, resourceName=row.name)
    concern = looked_for(row, settings, [*actions(row), before])
    assert concern.situation == Situation.SEVERAL_FIT
    first = "; ".join(f"{number} (IN_PROGRESS: {BRIEFLY})" for number in MANY[:5])
    message = "32 actions of ITCare fit: a person must say which one it is."
    assert concern.words == f"{message} Action {first} and 27 more."
    assert (named(concern), Action.objects.count()) == (NAMED, MOST_NOTED)


def test_so_are_those_of_a_list_that_cannot_be_read_whole(cast: Cast, settings: Settings) -> None:
    row = bare(cast)
    concern = looked_for(row, settings, actions(row))
    assert (concern.situation, named(concern)) == (Situation.SEVERAL_FIT, NAMED)


def test_what_a_doubt_asks_for_is_told_however_many_there_are(cast: Cast) -> None:
    row = row_of(cast, State.QUEUED, kind="resize", name="twin000001")
    words = unknown.doubt(row, listed(*MANY))
    assert " and 27 more." in words
    assert words.endswith("if so, adopt it. It is not sent until somebody decides.")


def test_an_answer_of_many_words_leaves_room_for_what_to_do(cast: Cast, settings: Settings) -> None:
    row = bare(cast)
    row.attempts.update(proof="refused", message=("Refused because " + "it is so " * 60)[:500])
    time_passes()
    with answering(settings):
        settle.settle()
    row.refresh_from_db()
    assert row.state == "failed"
    assert row.message.startswith("Refused because it is so")
    assert row.message.endswith(" it… Ask again.")
