"""Data is copied out of a service only for who may ask for it there, with who may decide there, and only from there."""

import pytest

from portal.accounts.models import Membership
from portal.audit.models import Entry
from portal.changes.models import Change
from portal.inventory import reading
from portal.inventory.models import Cluster, Grant
from portal.operations.models import Operation
from portal.upstream.client import client
from tests.cast import Cast
from tests.portal.catalog.asking import RESTORE, SOURCE, TARGET, Answer, approve, asked, opened, placed, posted
from tests.portal.catalog.test_rules_before_sending import failed_unsent
from tests.portal.operations.engine import sent
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

NOT_FOR_THEM = "The person who asked may no longer ask for the source's service, whose data would be copied."
NOT_BY_THEM = "Data of the source's service would be copied: only an approver of that service's team too can agree."
MOVED = "The source belongs to another service than when this was asked: it has to be asked again."


@pytest.fixture
def change(cast: Cast, upstream: Sandbox) -> Change:
    """A restore from a cluster of team beta over one of team alpha, asked by a developer of both."""
    Membership.objects.create(user=cast.developer, team=cast.beta, role=Membership.Role.DEVELOPER)
    placed(upstream, cast.other_service, SOURCE)
    return asked(cast.developer, "restore", placed(upstream, cast.service, TARGET), RESTORE)


def refused(change: Change, answer: Answer, sentence: str) -> None:
    """The answer says why, and the request still waits."""
    assert (answer.status, f"Not done. {sentence}" in answer.notes) == (409, True)
    change.refresh_from_db()
    assert (change.state, change.decisions.count(), Operation.objects.count()) == ("pending", 0, 0)


def test_where_the_data_comes_from_is_kept_under_the_digest(change: Change) -> None:
    assert change.parameters["source_service_id"] == 201
    assert change.computed_digest() == change.digest
    change.parameters["source_service_id"] = 123
    assert change.computed_digest() != change.digest


def test_an_approver_of_both_services_agrees_and_one_of_the_cluster_alone_does_not(cast: Cast, change: Change) -> None:
    card = opened(cast.approver, change.get_absolute_url()).page.one(id="decision")
    assert [button.text for button in card.all("button")] == ["Reject"]
    assert f"{NOT_BY_THEM} You can reject it." in card.text
    answer = approve(cast.approver, change)
    assert (answer.status, NOT_BY_THEM in answer.page.text) == (403, True)
    assert Entry.objects.latest("number").verb == "change.approve.refused"
    change.refresh_from_db()
    assert (change.state, change.decisions.count(), Operation.objects.count()) == ("pending", 0, 0)
    card = opened(cast.approver2, change.get_absolute_url()).page.one(id="decision")
    assert [button.text for button in card.all("button")] == ["Approve", "Reject"]
    assert approve(cast.approver2, change).status == 303
    assert sent(Operation.objects.get()).state == "running"


def test_an_approver_of_the_cluster_alone_may_reject(cast: Cast, change: Change) -> None:
    assert posted(cast.approver, f"{change.get_absolute_url()}reject/", {"comment": "Not theirs."}).status == 303
    change.refresh_from_db()
    assert change.state == "rejected"


@pytest.mark.parametrize("how", ["grant", "membership"])
def test_a_right_taken_away_before_the_decision_keeps_it_from_being_approved(
    cast: Cast, upstream: Sandbox, change: Change, how: str
) -> None:
    if how == "grant":
        # The approvers' team has the service still, the requester's has not.
        Grant.objects.create(team=cast.alpha, service=cast.other_service)
        Membership.objects.filter(user=cast.developer, team=cast.alpha).delete()
        Grant.objects.filter(team=cast.beta).delete()
    else:
        Membership.objects.filter(user=cast.developer, team=cast.beta).delete()
    told = opened(cast.approver2, change.get_absolute_url()).notes
    assert told == [f"It cannot be carried out as things are. {NOT_FOR_THEM}"]
    refused(change, approve(cast.approver2, change), NOT_FOR_THEM)
    assert upstream.writes() == []


@pytest.mark.parametrize("how", ["grant", "membership", "account"])
def test_a_right_taken_away_before_it_is_sent_keeps_it_from_being_sent(
    cast: Cast, upstream: Sandbox, change: Change, how: str
) -> None:
    assert approve(cast.approver2, change).status == 303
    if how == "grant":
        Grant.objects.filter(service=cast.other_service).delete()
    elif how == "membership":
        Membership.objects.filter(user=cast.developer, team=cast.beta).delete()
    else:
        type(cast.developer).objects.filter(pk=cast.developer.pk).update(is_active=False)
    assert failed_unsent(Operation.objects.get(), upstream) == ("condition", NOT_FOR_THEM)


def test_a_source_that_moved_before_the_decision_has_to_be_asked_for_again(
    cast: Cast, upstream: Sandbox, change: Change
) -> None:
    upstream.change_cluster(SOURCE, service_id=123)
    reading.read_cluster(client(), Cluster.objects.get(upstream_id=SOURCE))
    refused(change, approve(cast.approver2, change), MOVED)


def test_a_source_that_moved_before_it_is_sent_is_not_read(cast: Cast, upstream: Sandbox, change: Change) -> None:
    assert approve(cast.approver2, change).status == 303
    upstream.change_cluster(SOURCE, service_id=123)
    assert failed_unsent(Operation.objects.get(), upstream) == ("condition", MOVED)


def test_a_draft_is_not_filed_without_the_right_to_its_source(cast: Cast, upstream: Sandbox, change: Change) -> None:
    there = f"/requests/new/restore/?cluster={change.cluster_id}"
    filled = {**RESTORE, "confirm_name": change.name, "reason": "A test needs it."}
    location = posted(cast.developer, there, filled).location
    Membership.objects.filter(user=cast.developer, team=cast.beta).delete()
    answer = posted(cast.developer, f"{location}submit/", {})
    assert (answer.status, f"Not done. {NOT_FOR_THEM}" in answer.notes) == (409, True)
    assert Change.objects.latest("pk").state == "draft"


def test_the_right_to_the_cluster_itself_is_asked_for_its_own_backup(cast: Cast, upstream: Sandbox) -> None:
    target = placed(upstream, cast.service, TARGET)
    change = asked(cast.developer, "restore", target, {**RESTORE, "source_id": str(TARGET)})
    assert approve(cast.approver, change).status == 303
    Membership.objects.filter(user=cast.developer, team=cast.alpha).delete()
    assert failed_unsent(Operation.objects.get(), upstream) == ("condition", NOT_FOR_THEM)
