"""A queued operation that may have been sent already: it waits, whoever else waits for its name."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from portal import itcare
from portal.operations import acts, telling, unknown
from portal.operations.acts import Act
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.resolve import NotAllowedError, NotPossibleError
from portal.operations.states import State
from portal.operations.watch import watch
from tests.cast import Cast, queued
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row
from tests.faults.table import told as tells_of
from tests.portal.catalog.asking import SOURCE, TARGET, approved, placed
from tests.portal.operations.deciding import WHY, acted, entries, offered
from tests.portal.operations.engine import followed, posts, sent, tells, time_passes
from tests.portal.operations.needing import VALUES, bare, concern_of
from tests.portal.operations.test_catch_up import sent_and_forgotten
from tests.portal.operations.test_settle import told
from tests.sandbox_server import Sandbox
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "twin000001"


def listed(*numbers: int) -> itcare.Actions:
    """What ITCare did for the portal's account on that name just now, says its list."""
    now = timezone.now()
    did = (
        itcare.Action(id=number, status="IN_PROGRESS", resource_name=NAME, submitted_at=now + timedelta(seconds=1))
        for number in numbers
    )
    return itcare.Actions(tuple(did), complete=True, server_time=now)


def named(row: Operation) -> list[int]:
    """The actions that the open concern about it names."""
    about = Concern.objects.open().filter(operation=row, situation=Situation.UNKNOWN_ACTION)
    return sorted(about.values_list("actions__upstream_id", flat=True))


@pytest.fixture
def twins(cast: Cast) -> list[Operation]:
    """Two that wait for one name: one of a service of each team."""
    services = (cast.service, cast.other_service)
    return [row_of(cast, State.QUEUED, kind="resize", name=NAME, service=service) for service in services]


def test_each_of_two_that_wait_for_one_name_is_stopped(cast: Cast, twins: list[Operation]) -> None:
    shown = listed(90_001)
    doubts = [unknown.doubt(row, shown) for row in twins]
    assert doubts == list(Concern.objects.order_by("operation_id").values_list("words", flat=True))
    assert [doubt.startswith("ITCare did something for the portal's account") for doubt in doubts] == [True, True]
    assert [named(row) for row in twins] == [[90_001], [90_001]]


def test_that_it_is_not_the_ones_says_nothing_of_the_other(cast: Cast, twins: list[Operation]) -> None:
    first, other = twins
    assert unknown.doubt(first, listed(90_001)) != ""
    Concern.objects.update(closed_at=timezone.now(), closed_by=cast.approver, outcome=WHY)
    assert unknown.doubt(first, listed(90_001)) == ""
    assert unknown.doubt(other, listed(90_001)) != ""
    assert (named(first), named(other)) == ([], [90_001])


def doubted(cast: Cast, upstream: Sandbox, kind: str = "restore") -> tuple[Operation, Concern]:
    """Approved, and stopped: ITCare did something on its name that the portal does not remember."""
    if kind == "create":
        row = queued(cast.developer, cast.approver)
    else:
        placed(upstream, cast.service, SOURCE)
        row = approved(cast, kind, placed(upstream, cast.service, TARGET), VALUES[kind])
    upstream.set_faults(tells([told(90_001, resourceName=row.name)]))
    row = sent(row)
    assert (row.state, named(row)) == ("queued", [90_001])
    return row, Concern.objects.get()


def sent_later(row: Operation) -> Operation:
    time_passes()
    return sent(row)


@tells_of(
    Row(
        "ITCare's actions",
        "one that the portal does not remember, on the name of what waits to be sent",
        "the list tells of it just before a restore, or a delete, is sent",
        "it is not sent until a person adopts that action, or two say that it is not its own, with the name typed",
        "It waits: somebody has to decide whether it was sent already. *Needs a person*: ITCare did something for the "
        "portal that the portal does not remember",
    )
)
@pytest.mark.parametrize("kind", ["restore", "delete"])
def test_what_destroys_data_is_let_go_by_two(cast: Cast, upstream: Sandbox, kind: str) -> None:
    row, concern = doubted(cast, upstream, kind)
    assert str(concern) == "ITCare did something for the portal that the portal does not remember"
    told_now = telling.of(row)
    assert told_now is not None
    assert told_now.title == "It waits: somebody has to decide whether it was sent already."
    assert list(offered(concern, cast.approver)) == ["adopt", "failed", "send_now"]
    with pytest.raises(NotPossibleError):
        acted(Act.NOTED, concern, cast.approver)
    assert acted(Act.SEND_NOW, concern, cast.approver) is False
    assert (sent_later(row).state, upstream.writes(), named(row)) == ("queued", [], [90_001])
    for user, why in ((cast.approver, acts.OWN_RELEASE), (cast.administrator, "")):
        assert offered(concern, user)["send_now"] == why
    with pytest.raises(NotAllowedError):
        acted(Act.SEND_NOW, concern, cast.approver)
    assert acted(Act.SEND_NOW, concern, cast.administrator) is True
    row.refresh_from_db()
    people = "approver@example.com and admin@example.com"
    assert row.message == f"{people} said that it was not sent before: {WHY}"
    assert (row.released_by, row.also_released_by, row.released_at) == (None, None, None)
    concern.refresh_from_db()
    assert (concern.closed_by, concern.outcome) == (cast.administrator, f"Not its own, sent now: {WHY}")
    assert entries()[-1] == ("operation.let_go", "admin@example.com", {"why": WHY, "first": "approver@example.com"})
    assert (sent_later(row).state, len(upstream.writes())) == ("running", 1)
    upstream.set_faults()
    settle_down()
    judge(upstream)
    assert (Operation.objects.get().state, len(upstream.writes())) == ("succeeded", 1)


def test_who_asked_does_not_agree_as_the_second(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream)
    acted(Act.SEND_NOW, concern, cast.approver)
    Operation.objects.update(requester=cast.approver2)
    assert offered(concern, cast.approver2)["send_now"] == acts.OWN_REQUEST
    with pytest.raises(NotAllowedError):
        acted(Act.SEND_NOW, concern, cast.approver2)
    assert (sent_later(row).state, upstream.writes()) == ("queued", [])


def test_what_the_first_had_not_seen_takes_their_word_back(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream)
    # Known to the portal by its cluster's history, and named by no concern.
    Action.objects.create(upstream_id=90_002, resource_name=row.name)
    acted(Act.SEND_NOW, concern, cast.approver)
    assert Operation.objects.get().released_by == cast.approver
    upstream.set_faults(tells([told(number, resourceName=row.name) for number in (90_001, 90_002)]))
    row = sent_later(row)
    assert (row.state, row.released_by, named(row)) == ("queued", None, [90_001, 90_002])
    assert acted(Act.SEND_NOW, concern, cast.administrator) is False
    assert (sent_later(row).state, upstream.writes()) == ("queued", [])


@pytest.mark.parametrize("kind", ["create", "resize"])
def test_what_destroys_nothing_is_let_go_by_one(cast: Cast, upstream: Sandbox, kind: str) -> None:
    row, concern = doubted(cast, upstream, kind)
    assert acted(Act.SEND_NOW, concern, cast.approver) is True
    row = sent_later(row)
    assert (row.state, len(upstream.writes())) == ("running", 1)


def test_what_was_sent_already_is_adopted_and_followed_to_its_end(cast: Cast, upstream: Sandbox) -> None:
    row = sent(sent_and_forgotten(cast))
    concern = Concern.objects.get()
    (action,) = concern.actions.all()
    offer = acts.offers(concern, cast.approver)[0]
    assert (offer.act, offer.means) == (Act.ADOPT, acts.SENT_ALREADY)
    acted(Act.ADOPT, concern, cast.approver, action=action)
    row.refresh_from_db()
    assert (row.state, row.upstream_action_id, row.last_proof) == ("running", action.upstream_id, "accepted")
    assert (row.password, row.reveal is not None, Concern.objects.open().count()) == (None, True, 0)
    row = followed(row)
    assert (row.state, row.cluster is not None, posts(upstream)) == ("succeeded", True, 1)


def test_it_can_be_called_off_with_true_words(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream)
    offer = acts.offers(concern, cast.approver)[1]
    assert (offer.act, offer.means) == (Act.FAILED, acts.MEANINGS[Act.FAILED])
    acted(Act.FAILED, concern, cast.approver)
    row = sent_later(row)
    assert (row.state, row.reason, upstream.writes(), Concern.objects.open().count()) == ("failed", "settled", [], 0)


def test_while_it_is_being_sent_nothing_is_noted(cast: Cast) -> None:
    row = row_of(cast, State.SENDING, kind="resize", name=NAME)
    concern = concern_of(row, situation=Situation.UNKNOWN_ACTION)
    assert offered(concern, cast.approver) == {}


def test_what_people_released_is_looked_for_again(cast: Cast) -> None:
    row = bare(cast, State.QUEUED, name=NAME, last_proof="unknown", released_by=cast.approver, released_at=Now())
    seen_then = Action.objects.create(upstream_id=90_001, resource_name=NAME)
    Action.objects.filter(pk=seen_then.pk).update(seen_at=timezone.now() - timedelta(minutes=1))
    assert unknown.doubt(row, listed(90_001)) != ""
    row = Operation.objects.get()
    assert (row.state, row.released_by, named(row)) == ("unclear", None, [90_001])
    assert row.message == "It was not sent again: ITCare shows action 90001, which the portal does not remember."
    assert "send_now" not in offered(Concern.objects.get(), cast.approver)


def test_what_waits_for_long_in_doubt_is_not_said_to_be_unsent(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream)
    Operation.objects.update(queued_at=Now() - timedelta(hours=5))
    watch()
    assert list(Concern.objects.all()) == [concern]
    # Where that was told before the doubt, calling it off says no more than is known.
    other = concern_of(row, situation=Situation.UNREACHABLE)
    (offer,) = acts.offers(other, cast.approver)
    assert (offer.act, offer.means) == (Act.FAILED, acts.MEANINGS[Act.FAILED])
    for person in (cast.approver, cast.administrator):
        acted(Act.SEND_NOW, concern, person)
    (offer,) = acts.offers(Concern.objects.get(pk=other.pk), cast.approver)
    assert offer.means == acts.NEVER_QUEUED
    Concern.objects.filter(pk=other.pk).delete()
    watch()
    assert named(row) == []
    assert list(Concern.objects.open().values_list("situation", flat=True)) == ["unreachable"]
