"""How requests end that nobody decides, and what stands in the way of an approval that comes too late."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from portal.accounts.models import Membership
from portal.audit.models import Entry
from portal.changes import decide, expire, submit
from portal.changes.models import Change
from portal.inventory.models import Network
from portal.operations.models import Operation, Secret
from tests.cast import Cast, cluster, draft, pending
from tests.conftest import as_owner

pytestmark = pytest.mark.django_db

TYPED = "Typed-Password-1"
MAKERS: list[Callable[..., Change]] = [draft, pending]


def states() -> list[str]:
    return list(Change.objects.order_by("pk").values_list("state", flat=True))


def own(change: Change) -> list[tuple[str, str, str | None]]:
    """Who did what to it, and why, without what its requester did."""
    entries = Entry.objects.filter(subject_type="change", subject_id=str(change.pk))
    told = entries.exclude(verb__in=["change.draft", "change.pending"]).values_list("verb", "actor", "detail__why")
    return list(told)


def test_what_is_over_expires_and_the_rest_stays(cast: Cast) -> None:
    asked = [
        make(cast.developer, name=f"expires{number}", adm_password=TYPED) for number, make in enumerate(MAKERS * 2)
    ]
    late = Change.objects.filter(pk__in=[change.pk for change in asked[:2]])
    late.update(expires_at=Now() - timedelta(seconds=1))
    assert (expire.expire(), states()) == (2, ["expired", "expired", "draft", "pending"])
    assert [own(change) for change in asked[:2]] == [[("change.expired", "portal", "its time was over")]] * 2
    assert Secret.objects.count() == 2
    assert expire.expire() == 0


def test_how_long_drafts_and_requests_wait(cast: Cast) -> None:
    draft(cast.developer)
    pending(cast.developer)
    waits = [change.expires_at - (change.submitted_at or change.created_at) for change in Change.objects.order_by("pk")]
    assert waits == [timedelta(hours=24), timedelta(days=7)]


def test_a_request_past_its_time_cannot_be_approved_before_the_sweep_comes(cast: Cast) -> None:
    change = pending(cast.developer)
    Change.objects.update(expires_at=Now())
    with pytest.raises(submit.NotPossibleError, match="expired"):
        decide.approve(change, cast.approver, "")
    assert (states(), Operation.objects.count()) == (["pending"], 0)


def test_what_leavers_had_open_is_withdrawn(cast: Cast) -> None:
    theirs = [make(cast.developer, adm_password=TYPED) for make in MAKERS]
    kept = pending(cast.colleague)
    cast.developer.is_active = False
    cast.developer.save()
    assert (expire.withdraw_leavers(), states()) == (2, ["withdrawn", "withdrawn", "pending"])
    assert [own(change) for change in theirs] == [[("change.withdrawn", "portal", "the account was deactivated")]] * 2
    assert (own(kept), Secret.objects.count(), expire.withdraw_leavers()) == ([], 0, 0)


def test_a_leavers_request_cannot_be_approved_before_the_sweep_comes(cast: Cast) -> None:
    change = pending(cast.developer)
    cast.developer.is_active = False
    cast.developer.save()
    with pytest.raises(submit.NotPossibleError, match="can no longer sign in"):
        decide.approve(change, cast.approver, "")
    assert (states(), Operation.objects.count()) == (["pending"], 0)


def test_leavers_decide_nothing(cast: Cast) -> None:
    change = pending(cast.developer)
    cast.approver.is_active = False
    cast.approver.save()
    for act in (decide.approve, decide.reject):
        with pytest.raises(decide.NotAllowedError, match="deactivated"):
            act(change, cast.approver, "No.")
    refused = Entry.objects.filter(verb__endswith=".refused").values_list("verb", "actor")
    assert list(refused) == [(f"change.{verb}.refused", "approver@example.com") for verb in ("approve", "reject")]
    assert states() == ["pending"]


@pytest.mark.parametrize("who", ["developer", "colleague", "stranger", "support", "administrator"])
def test_who_may_not_decide_is_refused_and_recorded(cast: Cast, who: str) -> None:
    change, user = pending(cast.developer), getattr(cast, who)
    with pytest.raises(decide.NotAllowedError):
        decide.approve(change, user, "")
    entry = Entry.objects.get(verb="change.approve.refused")
    assert (entry.actor, entry.subject_id, entry.service_id) == (user.email, str(change.pk), cast.service.pk)
    assert (states(), Operation.objects.count()) == (["pending"], 0)


def test_a_requester_who_became_an_approver_still_does_not_decide(cast: Cast) -> None:
    change = pending(cast.developer)
    Membership.objects.create(user=cast.developer, team=cast.alpha, role=Membership.Role.APPROVER)
    for act in (decide.approve, decide.reject):
        with pytest.raises(decide.NotAllowedError, match="You asked for it"):
            act(change, cast.developer, "")
    assert states() == ["pending"]


@pytest.mark.django_db(transaction=True)
def test_a_request_that_its_databases_owner_altered_is_not_approved(cast: Cast) -> None:
    """Whoever owns the database can put the trigger aside; the digest still tells."""
    change = pending(cast.developer)
    with as_owner() as owner:
        owner.execute("ALTER TABLE changes_change DISABLE TRIGGER USER")
        owner.execute("UPDATE changes_change SET parameters = parameters || '{\"disk_size\": 1024}'")
        owner.execute("ALTER TABLE changes_change ENABLE TRIGGER USER")
    with pytest.raises(submit.NotPossibleError, match="no longer holds what was submitted"):
        decide.approve(change, cast.approver, "")
    assert (states(), Operation.objects.count()) == (["pending"], 0)


def test_conditions_are_looked_at_again_when_it_is_decided(cast: Cast) -> None:
    change, other = pending(cast.developer), pending(cast.developer, name="another01")
    cluster(cast.other_service, 1, name="NewPostgre01")
    with pytest.raises(submit.NotPossibleError, match="A cluster named newpostgre01 exists already"):
        decide.approve(change, cast.approver, "")
    Network.objects.filter(upstream_id=132).delete()
    with pytest.raises(submit.NotPossibleError, match="network no longer exists"):
        decide.approve(other, cast.approver, "")
    assert (states(), Operation.objects.count()) == (["pending", "pending"], 0)


def test_what_is_approved_is_what_was_asked(cast: Cast) -> None:
    change = pending(cast.developer, adm_password=TYPED)
    operation = decide.approve(change, cast.approver, "Fine.")
    change.refresh_from_db()
    assert operation.reference == change.reference
    assert operation.parameters == change.parameters
    assert operation.digest == change.digest == operation.computed_digest()
    assert (operation.requester, operation.approver, operation.service) == (cast.developer, cast.approver, cast.service)
    assert (change.operation, change.password_id) == (operation, None)
    decision = change.decisions.get()
    assert (decision.verdict, decision.comment, decision.digest) == ("approve", "Fine.", change.digest)
