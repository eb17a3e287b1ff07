"""What became of an operation, as its requester reads it: caused over HTTP, told with what to do next."""

from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from portal.operations import cancel, follow, send, telling
from portal.operations.acts import Act
from portal.operations.models import Attempt, Operation, Situation
from portal.operations.states import Proof, Reason, State
from tests.browsing import signed_in
from tests.cast import Cast, queued, sending
from tests.markup import Element, Page
from tests.portal.operations.deciding import acted
from tests.portal.operations.engine import fault, followed, time_passes
from tests.portal.operations.needing import concern_of
from tests.sandbox_server import Sandbox
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = {
    "status": "BAD_REQUEST",
    "errorCode": "INVALID_FIELD_VALUE",
    "errorDesc": "name",
    "errorMessage": "<b>Taken</b>",
}
SUPPORT = "The evidence below names the call: cegedim.cloud's support can find it by its correlation id."

# The fault of the next create; how the note reads; whether the form is offered again.
OUTCOMES: dict[str, tuple[dict[str, Any], str, bool]] = {
    "refused with words": (
        fault("refuse", status=400, body=WORDS),
        (
            "ITCare refused this: something in it is not valid. ITCare says: <b>Taken</b> (name)"
            " Ask again with other values."
        ),
        True,
    ),
    "refused without words": (
        fault("refuse", status=400),
        "ITCare refused this: something in it is not valid. Ask again with other values.",
        True,
    ),
    "does not fit together": (
        fault("refuse", status=422),
        "ITCare refused this: its values do not fit together. Ask again with other values.",
        True,
    ),
    "refused otherwise": (
        fault("refuse", status=405),
        f"ITCare refused this. Ask again with other values. {SUPPORT}",
        True,
    ),
    "not allowed": (
        fault("refuse", status=403),
        (
            "ITCare does not allow the portal's account to do this. An administrator of the portal has to ask"
            " cegedim.cloud"
            " for the right; then ask again."
        ),
        True,
    ),
    "gone": (
        fault("refuse", status=404),
        "ITCare does not know this resource. Look at the cluster's page: it may be gone. If it is there, ask again.",
        True,
    ),
    "conflict": (
        fault("refuse", status=409),
        (
            "ITCare refused this: it conflicts with the state of the resource or with other work on it. Look at the"
            " cluster's history for what is going on, wait for its end, and ask again."
        ),
        True,
    ),
    "redirected": (
        fault("refuse", status=302, headers={"Location": "http://127.0.0.1:9/"}),
        (
            "ITCare answered with a redirection, which the portal does not follow; its address is set wrongly. An"
            " administrator of the portal has to mend its settings; then ask again."
        ),
        True,
    ),
    "asked to slow down": (
        fault("refuse", status=429),
        (
            "It waits to be sent once more. ITCare asks the portal to slow down. It goes on by itself when"
            " ITCare takes it."
            " You can cancel it as long as it waits."
        ),
        False,
    ),
    "unclear": (
        fault("drop"),
        (
            "Nobody can tell whether ITCare received it. The portal could not see whether ITCare took this:"
            " the connection"
            " was lost after sending. It is not sent again by itself. The portal looks for it at ITCare, and tells here"
            " what it finds. A password that was to be set is erased: if nothing was created, ask anew."
        ),
        False,
    ),
    "accepted without an id": (
        fault("empty"),
        (
            "ITCare accepted it, and the portal does not know which action carries it out. It is not sent again."
            " The portal looks for it at ITCare, and tells here what it finds."
        ),
        False,
    ),
}


def page_of(cast: Cast, address: str) -> Element:
    """The page as the requester sees it."""
    return Page.of(signed_in(cast.developer).get(address).content)


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_outcome_is_told_with_what_to_do_next(cast: Cast, upstream: Sandbox, name: str) -> None:
    rule, words, again = OUTCOMES[name]
    operation = queued(cast.developer, cast.approver)
    upstream.set_faults(rule)
    send.send(operation.pk)
    page = page_of(cast, operation.get_absolute_url())
    assert page.one(id="outcome").text == words
    asked = f"/requests/new/create/?again={operation.pk}"
    assert [link.attributes["href"] for link in page.all("a") if link.text == "Ask again"] == [asked] * again
    change = page_of(cast, operation.change.get_absolute_url())
    assert change.one(id="outcome").text == words
    if again:
        form = page_of(cast, asked)
        assert form.one(name="name").attributes["value"] == "newpostgre01"
        assert form.one(name="disk_size").attributes["value"] == "40"


def test_every_reason_of_a_failure_has_its_own_words() -> None:
    failed = [Operation(state=State.FAILED, reason=reason) for reason in Reason if reason != Reason.NONE]
    told = [outcome for outcome in (telling.outcome(operation, []) for operation in failed) if outcome]
    assert len({outcome.title for outcome in told} - {"It failed."}) == len(failed)
    given_up = told[[operation.reason for operation in failed].index(Reason.GIVEN_UP)]
    assert (given_up.title, given_up.then) == (
        "Somebody gave it up, and nobody knows whether it was done.",
        "It may have been done after all: look for the cluster, and at how it is now, before you ask again.",
    )


@pytest.mark.parametrize(
    ("proofs", "situation", "title"),
    [
        ([], Situation.UNREACHABLE, "It was not sent: somebody ended it while it waited."),
        ([Proof.NOT_SENT], Situation.UNREACHABLE, "It was not sent: somebody ended it while it waited."),
        (
            [Proof.NOT_SENT, Proof.REFUSED],
            Situation.UNREACHABLE,
            "ITCare refused it, and it was not sent again: somebody ended it while it waited.",
        ),
        ([], Situation.UNKNOWN_ACTION, "Somebody found out at cegedim.cloud that it was not done."),
        (
            [Proof.UNKNOWN, Proof.REFUSED],
            Situation.UNREACHABLE,
            "Somebody found out at cegedim.cloud that it was not done.",
        ),
    ],
)
def test_what_was_marked_as_failed_while_it_waited_says_what_is_known(
    cast: Cast, proofs: list[Proof], situation: Situation, title: str
) -> None:
    operation = queued(cast.developer, cast.approver)
    for number, proof in enumerate(proofs):
        operation.attempts.create(number=number, fence=1, proof=proof, ended_at=timezone.now())
    acted(
        Act.FAILED,
        concern_of(operation, situation=situation),
        cast.approver,
    )
    told = page_of(cast, operation.get_absolute_url()).one(id="outcome").text
    assert told == (
        f"{title} Marked as failed by approver@example.com: I asked cegedim.cloud."
        " Ask again, with the same values or others; somebody approves it anew."
    )


def test_a_condition_that_broke_after_a_refusal_is_not_told_as_never_sent(cast: Cast) -> None:
    operation = row_of(cast, State.FAILED, reason=Reason.CONDITION, message="The network is gone.")
    attempt = Attempt(proof=Proof.REFUSED)
    told = [telling.outcome(operation, attempts) for attempts in ([], [attempt])]
    assert [(outcome.title, outcome.why) for outcome in told if outcome] == [
        ("It was not sent: when its turn came, a condition no longer held.", "The network is gone."),
        (
            "ITCare refused it, and it was not sent again: when its turn came, a condition no longer held.",
            "The network is gone.",
        ),
    ]


def test_while_it_is_being_sent_nothing_is_told_of_what_came_of_it(cast: Cast) -> None:
    operation = sending(queued(cast.developer, cast.approver))
    Attempt.objects.create(operation=operation, number=1, fence=1, proof=Proof.OPEN)
    for address in (operation.get_absolute_url(), operation.change.get_absolute_url()):
        assert page_of(cast, address).all(id="outcome") == []
    (story,) = page_of(cast, operation.get_absolute_url()).with_class("timeline")
    lines = [(line.attributes["class"], line.one("span").text) for line in story.all("li")][2:]
    assert lines == [("now", "Being sent to ITCare")]


def test_what_itcare_could_not_finish_is_told_with_its_words(cast: Cast, upstream: Sandbox) -> None:
    operation = queued(cast.developer, cast.approver)
    upstream.set_faults(fault("action_error", message="Not enough <capacity>"))
    send.send(operation.pk)
    followed(operation)
    told = page_of(cast, operation.get_absolute_url()).one(id="outcome").text
    assert told == (
        "ITCare took it, and could not finish it. ITCare could not finish it: Not enough <capacity> Look at the"
        f" cluster's page for how it is now before you ask again. {SUPPORT}"
    )


def test_an_unreachable_itcare_is_told_and_the_request_can_be_cancelled(cast: Cast, settings: Settings) -> None:
    settings.ITCARE_BASE_URL = settings.ITCARE_TOKEN_URL = "http://127.0.0.1:9"
    operation = queued(cast.developer, cast.approver)
    send.send(operation.pk)
    page = page_of(cast, operation.get_absolute_url())
    assert page.one(id="outcome").text.startswith("It waits, and nothing has been sent. ")
    assert page.all("form", action=f"/operations/{operation.pk}/cancel/")
    cancel.cancel(Operation.objects.get(pk=operation.pk), cast.developer)
    told = page_of(cast, operation.get_absolute_url()).one(id="outcome").text
    assert told == (
        "It was cancelled. Cancelled by developer@example.com before it was sent. Ask again if it is wanted after all."
    )


def test_what_goes_well_is_told_without_a_note(cast: Cast, upstream: Sandbox) -> None:
    operation = queued(cast.developer, cast.approver)
    address = operation.get_absolute_url()
    assert page_of(cast, address).all(id="outcome") == []
    send.send(operation.pk)
    assert page_of(cast, address).all(id="outcome") == []
    followed(operation)
    assert page_of(cast, address).all(id="outcome") == []


def test_the_evidence_is_folded_away_and_complete(cast: Cast, upstream: Sandbox) -> None:
    operation = queued(cast.developer, cast.approver)
    upstream.set_faults(fault("refuse", status=429))
    send.send(operation.pk)
    time_passes()
    send.send(operation.pk)
    time_passes()
    follow.follow()
    folded = page_of(cast, operation.get_absolute_url()).one(id="evidence")
    assert "open" not in folded.attributes
    first, second = operation.attempts.all()
    action = operation.actions.get()
    assert [heading.text for heading in folded.all("h3")] == [
        f"Operation {operation.pk}",
        "Call 1",
        "Call 2",
        f"Action {action.upstream_id}",
    ]
    facts = [
        {fact.all("dt")[0].text: fact.all("dd")[0].text for fact in section.all("div")}
        for section in folded.all("section")
    ]
    assert (facts[0]["Reference"], facts[0]["Last proof"]) == (str(operation.reference), "accepted")
    for told, attempt, status in ((facts[1], first, "429"), (facts[2], second, "202")):
        assert told["HTTP status"] == status
        assert told["Correlation id"] == attempt.correlation_id != ""
    assert facts[2]["Action in the answer"] == str(action.upstream_id)
    assert facts[3]["Status"] == action.status


def test_an_operation_that_becomes_overdue_says_so_without_a_reload(cast: Cast, settings: Settings) -> None:
    operation = queued(cast.developer, cast.approver)
    settings.OVERDUE_SECONDS = 3600.0
    operation.move(State.SENDING, lease_until=timezone.now(), sent_at=timezone.now())
    operation.move(State.RUNNING, upstream_action_id=7)
    browser = signed_in(cast.developer)
    live = Page.of(browser.get(operation.get_absolute_url()).content).one(id="live").attributes["hx-get"]
    polled = browser.get(live, headers={"HX-Request": "true"})
    assert polled.status_code == 204
    settings.OVERDUE_SECONDS = 0.0
    polled = browser.get(live, headers={"HX-Request": "true"})
    assert Page.of(polled.content).one(id="outcome").text.startswith("Overdue. It takes much longer")
