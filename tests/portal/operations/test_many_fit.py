"""Where ITCare shows many actions, a person reads of the first and how many more there are, and decides on all."""

from typing import Any

import pytest
from pytest_django import Settings

from portal import itcare
from portal.home.evidence import CANDIDATES
from portal.operations import late, released, settle, unknown
from portal.operations.acts import Act
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Element
from tests.portal.home.attending import acts_on, page_of, sent
from tests.portal.itcare.scripted import answer
from tests.portal.operations.deciding import acted
from tests.portal.operations.engine import answering, time_passes
from tests.portal.operations.needing import bare, grace_passes
from tests.portal.operations.test_doubts import listed
from tests.portal.operations.test_settle import told
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

MANY = list(range(90_001, 90_033))
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
    assert named(concern) == MANY


def test_so_are_those_of_a_list_that_cannot_be_read_whole(cast: Cast, settings: Settings) -> None:
    row = bare(cast)
    concern = looked_for(row, settings, actions(row))
    assert (concern.situation, named(concern)) == (Situation.SEVERAL_FIT, MANY)


def test_none_of_them_is_news_after_the_decision(cast: Cast, settings: Settings) -> None:
    row = bare(cast)
    body = [*actions(row), told(100, resourceName=row.name)]
    acted(Act.FAILED, looked_for(row, settings, body), cast.approver)
    with answering(settings, answer(200, body)) as api:
        assert late.watch() == 1
        assert len(api.received) == 1
    assert not Concern.objects.open().exists()


def test_nor_does_any_undo_that_it_is_sent_again(cast: Cast, settings: Settings) -> None:
    row = bare(cast)
    concern = looked_for(row, settings, [*actions(row), told(100, resourceName=row.name)])
    grace_passes(row)
    acted(Act.SEND, concern, cast.approver)
    row.refresh_from_db()
    listed_now = itcare.Actions(
        tuple(itcare.Action(id=number, status="IN_PROGRESS", resource_name=row.name) for number in (100, *MANY)),
        complete=True,
    )
    assert (row.state, released.held_back(row, listed_now)) == ("queued", False)


def test_the_page_shows_the_first_and_the_last_one_can_be_adopted(cast: Cast, settings: Settings) -> None:
    row = bare(cast)
    concern = looked_for(row, settings, [*actions(row), told(100, resourceName=row.name)])
    browser, address = signed_in(cast.approver), concern.get_absolute_url()

    def buttons(page: Element) -> list[str]:
        return [button.text.split()[2] for button in acts_on(page)["adopt"].all("button")]

    page = page_of(browser, address)
    assert buttons(page) == [str(number) for number in reversed(MANY[:CANDIDATES])]
    (link,) = page.all("a", href=f"{address}?all")
    for text in (page.text, page_of(browser, "/attention/").text):
        assert "and 12 more. Show all of them" in text
        assert f"Action {MANY[CANDIDATES]}" not in text
    page = page_of(browser, link.attributes["href"])
    assert buttons(page) == [str(number) for number in reversed(MANY)]
    assert page.one(id="live").attributes["hx-get"].endswith("&all")
    last = Action.objects.get(upstream_id=MANY[-1])
    answered = browser.post(f"{address}adopt/", {**sent(page, "adopt"), "action": str(last.pk)})
    row.refresh_from_db()
    assert (answered.status_code, row.state, row.upstream_action_id) == (303, "running", MANY[-1])


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
