"""ITCare names one action for two writes: two operations never follow it, and a person is told."""

from functools import partial
from typing import Any

import pytest
from django.db import transaction

from portal import itcare
from portal.operations import concerns, outcome, unsettled
from portal.operations.actions import TakenError
from portal.operations.models import Action, Attempt, Concern, Operation, Situation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.markup import Page
from tests.portal.home.attending import acts_on
from tests.portal.operations.engine import at_once, evidence, fault, posts, sent, settled, tells
from tests.portal.operations.needing import bare
from tests.portal.operations.test_settle import told
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


def named(number: int) -> dict[str, Any]:
    """A rule by which a create is answered with that action."""
    return fault("refuse", status=202, body=told(number))


def words(other: Operation) -> str:
    return (
        f"ITCare accepted this operation and named action {other.upstream_action_id} for it, but that action carries "
        f"out operation {other.pk}, {other}. ITCare gave one number to two calls, and the number does not tell whether "
        "this one is being done. The portal does not send it again. It looks for another action that can be its own, "
        "and if it finds one, it follows that one, and this matter closes by itself. Otherwise look at the cluster and "
        "ask cegedim.cloud what became of this call, by its correlation id; then mark it as done or as failed. "
        "If nobody can say, release the cluster."
    )


def asked() -> list[tuple[str, int | None, str]]:
    return list(Concern.objects.open().values_list("situation", "operation", "words"))


@pytest.mark.parametrize("ended", [False, True])
def test_an_answer_that_names_another_s_action_is_told_and_followed_by_nobody_else(
    cast: Cast, upstream: Sandbox, *, ended: bool
) -> None:
    first = sent(queued(cast.developer, cast.approver))
    number = first.upstream_action_id or 0
    if ended:
        first.move(State.SUCCEEDED)
    upstream.set_faults(named(number))
    second = sent(queued(cast.developer, cast.approver, name="another01"))
    assert (second.state, second.upstream_action_id, second.last_proof) == ("running", None, "accepted")
    assert evidence(second) == [("accepted", 202)]
    attempt = second.attempts.get()
    assert attempt.upstream_action_id is None
    assert attempt.message == f"ITCare accepted it and named action {number}, which carries out another operation."
    assert Action.objects.get(upstream_id=number).operation == first
    assert asked() == [("same_action", second.pk, words(first))]
    # It is looked for, and found where ITCare shows one of its own after all.
    upstream.set_faults(tells([told(number), told(90_001, resourceName=second.name)]))
    second = settled(second)
    assert (second.state, second.upstream_action_id, asked()) == ("running", 90_001, [])
    assert posts(upstream) == 2


def test_of_many_on_the_name_those_that_fit_and_the_newest_are_offered(cast: Cast, upstream: Sandbox) -> None:
    first = sent(queued(cast.developer, cast.approver))
    number = first.upstream_action_id or 0
    upstream.set_faults(named(number))
    second = sent(queued(cast.developer, cast.approver, name="another01"))
    # How ITCare spells the portal's account is known.
    Action.objects.filter(upstream_id=number).update(submitted_by="account")

    def listed(numbers: range, **values: object) -> list[dict[str, Any]]:
        return [told(each, resourceName=second.name, **values) for each in numbers]

    others = listed(range(90_010, 90_100), submittedBy="somebody")
    upstream.set_faults(tells([*others, *listed(range(90_001, 90_004))]))
    second = settled(second)
    own = Concern.objects.get(operation=second, situation=Situation.SAME_ACTION)
    assert [action.upstream_id for action in own.actions.all()] == [
        *range(90_099, 90_082, -1),
        *range(90_003, 90_000, -1),
        number,
    ]
    # What shows up later is offered too, in place of the oldest that do not fit.
    upstream.set_faults(tells([*others, *listed(range(90_001, 90_005))]))
    second = settled(second)
    assert [action.upstream_id for action in own.actions.all()] == [
        *range(90_099, 90_083, -1),
        *range(90_004, 90_000, -1),
        number,
    ]
    assert (second.state, second.upstream_action_id) == ("running", None)


def test_a_late_answer_that_names_another_s_action_is_told_once_and_the_search_goes_on(
    cast: Cast, upstream: Sandbox
) -> None:
    first = sent(queued(cast.developer, cast.approver))
    upstream.set_faults(fault("drop_before"))
    second = sent(queued(cast.developer, cast.approver, name="another01"))
    Attempt.objects.filter(operation=second).update(upstream_action_id=first.upstream_action_id)
    upstream.set_faults(tells([told(first.upstream_action_id or 0)]))
    for _ in range(2):
        second = settled(second)
        assert (second.state, second.upstream_action_id) == ("unclear", None)
    assert asked() == [("same_action", second.pk, words(first))]
    upstream.set_faults(tells([told(first.upstream_action_id or 0), told(90_001, resourceName=second.name)]))
    second = settled(second)
    assert (second.state, second.upstream_action_id, asked()) == ("running", 90_001, [])


def test_of_two_that_are_accepted_with_one_action_at_the_same_instant_one_has_it(cast: Cast) -> None:
    rows = [bare(cast, State.UNCLEAR, name=name) for name in ("cluster00001", "cluster00002")]
    action = itcare.Action(id=77, status="IN_PROGRESS")
    results = at_once(*(partial(unsettled.adopt, row, action, "it fits") for row in rows))
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "TakenError"]
    assert Operation.objects.filter(upstream_action_id=77).count() == 1
    loser = rows[[isinstance(result, TakenError) for result in results].index(True)]
    attempt = loser.attempts.get()
    with transaction.atomic():
        outcome.accepted(loser, attempt, itcare.Accepted(202, action, "", finished=False))
    attempt.refresh_from_db()
    assert (attempt.proof, attempt.upstream_action_id) == ("accepted", None)
    assert [each[:2] for each in asked()] == [("same_action", loser.pk)]


def test_the_page_says_what_happened_and_leads_to_the_other_operation(cast: Cast) -> None:
    first, second = (bare(cast, State.RUNNING, name=name, title=f"Resize {name}") for name in ("pg1", "pg2"))
    Operation.objects.filter(pk=first.pk).update(upstream_action_id=77)
    first.refresh_from_db()
    Action.objects.create(upstream_id=77, operation=first, status="IN_PROGRESS", resource_name="pg1")
    concerns.same_action(second, 77)
    own = Concern.objects.get()
    page = Page.of(signed_in(cast.approver).get(own.get_absolute_url()).content)
    assert words(first) in page.text
    assert [link.text for link in page.all("a", href=first.get_absolute_url())] == [f"operation {first.pk}, Resize pg1"]
    assert acts_on(page).keys() == {"done", "failed", "release"}


def test_what_is_asked_for_another_service_is_not_told(cast: Cast) -> None:
    first, second = (bare(cast, State.RUNNING, name=name, title=f"Resize {name}") for name in ("pg1", "pg2"))
    Operation.objects.filter(pk=first.pk).update(service=cast.other_service)
    Action.objects.create(upstream_id=77, operation=first, status="IN_PROGRESS", resource_name="pg1")
    concerns.same_action(second, 77)
    own = Concern.objects.get()
    assert f"but that action carries out operation {first.pk}. ITCare gave" in own.words
    page = Page.of(signed_in(cast.approver).get(own.get_absolute_url()).content)
    assert "; it carries out another operation" in page.text
    assert "Resize pg1" not in page.text
