"""What the sweep does beside carrying operations on: each chore, how it is made ready, and what stands there then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.contrib.sessions.models import Session
from django.db.models import F
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.changes.models import Change
from portal.inventory import resources
from portal.inventory.models import Cluster
from portal.operations import continuity, holds, reveal
from portal.operations.heartbeat import SWEEP, alive
from portal.operations.models import Action, Concern, Heartbeat, Operation, Situation
from portal.upstream.client import client
from tests.cast import cluster, pending
from tests.faults import alarming
from tests.faults.alarming import LONG_AGO, finished
from tests.faults.scenes import Scenes
from tests.portal.catalog.asking import asked, placed
from tests.portal.operations.engine import LISTS_ACTIONS, fault, followed, sent, settled
from tests.portal.operations.needing import ON_CLUSTERS

RAISED: Final = ("concern.raised",)
CLOSED: Final = ("concern.closed",)


@dataclass(frozen=True)
class Chore:
    """Something that a job of the sweep does once.

    Attributes:
        job: its name.
        ready: makes something to which it is to be done.
        done: whether it is done.
        told: verbs of its entries in the audit log, in their order.
        mails: how many leave about it.
        ends: brings to its end what the chore leaves open.
    """

    job: str
    ready: Callable[[Scenes], Any]
    done: Callable[[Any], bool]
    told: tuple[str, ...] = ()
    mails: int = 0
    ends: Callable[[Scenes, Any], object] = lambda _scenes, _row: None


def ready(chore: Chore, scenes: Scenes) -> Any:  # noqa: ANN401 - whatever it is about
    """Make it ready, with everything before it long over, so that its job finds this alone."""
    scenes.upstream.set_faults()
    alarming.note(scenes)
    Cluster.objects.update(origin="asked", wanted_at=None)
    reveal.erase_overdue()
    # As if it had been compared tomorrow.
    soon = Now() + timedelta(days=1)
    ended = Operation.objects.filter(ended_at__isnull=False)
    ended.update(ended_at=F("ended_at") - timedelta(days=30), left={}, compared_at=soon)
    return chore.ready(scenes)


# --- operations --------------------------------------------------------------------------------------------------


def _told(situation: Situation, actions: int = 0) -> Callable[[Operation], bool]:
    """A person is told of it, once, with so many actions."""

    def done(row: Operation) -> bool:
        about = {"operation": None, "cluster": row.cluster} if situation == Situation.DRIFT else {"operation": row}
        found = Concern.objects.filter(situation=situation, **about)
        return [(each.closed_at, each.actions.count()) for each in found] == [(None, actions)]

    return done


def _comes_to_its_end(_scenes: Scenes, row: Operation) -> None:
    row.refresh_from_db()
    followed(sent(row) if row.state == "queued" else row)


def _clusterless(scenes: Scenes) -> Operation:
    """A create of which the cluster could not be read at its end, and is known now."""
    row = scenes.before("follow", "create")
    scenes.upstream.set_faults(fault("refuse", times=None, status=403, match={"path": "/compute/resources"}))
    row = followed(row)
    scenes.upstream.set_faults()
    assert (row.state, row.cluster) == ("succeeded", None)
    resources.find(client(), name=row.name, service=row.service)
    return row


def _seen_done(scenes: Scenes) -> Operation:
    """Settled by what its cluster shows; its action was not in the list yet, and is now."""
    row = scenes.queued("resize")
    scenes.upstream.set_faults(
        fault("drop", match={"method": "PATCH", **ON_CLUSTERS}), fault("hide_newest", times=None, match=LISTS_ACTIONS)
    )
    row = settled(sent(row))
    scenes.upstream.set_faults()
    assert (row.state, row.upstream_action_id) == ("succeeded", None)
    Operation.objects.filter(pk=row.pk).update(searched_at=None)
    return row


def _unfetched(scenes: Scenes) -> Operation:
    row = finished(scenes, "create")
    assert row.reveal_id is not None
    Operation.objects.filter(pk=row.pk).update(ended_at=F("ended_at") - 2 * LONG_AGO)
    return row


def _has_its_action(row: Operation) -> bool:
    row.refresh_from_db()
    return Action.objects.filter(upstream_id=row.upstream_action_id or 0, operation=row).exists()


def _has_its_cluster(row: Operation) -> bool:
    row.refresh_from_db()
    return row.cluster is not None and row.cluster.name == row.name


def _shows_its_past(row: Operation) -> bool:
    """The relapse is told, and what somebody else did is noted."""
    foreign = Action.objects.filter(upstream_id=90_000 + row.pk, cluster=row.cluster, operation=None)
    return _told(Situation.RELAPSED, 1)(row) and foreign.exists()


# --- requests ----------------------------------------------------------------------------------------------------


def _asked(scenes: Scenes) -> Change:
    return pending(scenes.cast.developer, name=f"asked{scenes.number()}", adm_password="Typed-Password-1")


def _expired(scenes: Scenes) -> Change:
    row = _asked(scenes)
    Change.objects.filter(pk=row.pk).update(expires_at=Now())
    return row


def _left(scenes: Scenes) -> Change:
    row = _asked(scenes)
    User.objects.filter(pk=scenes.cast.developer.pk).update(is_active=False)
    return row


def _comes_back(scenes: Scenes, _row: Change) -> None:
    User.objects.filter(pk=scenes.cast.developer.pk).update(is_active=True)


def _moved(scenes: Scenes) -> Change:
    there = placed(scenes.upstream, scenes.cast.service, scenes.number())
    row = asked(scenes.cast.developer, "resize", there, {"sizing": "4cpu8gb"})
    Cluster.objects.filter(pk=there.pk).update(sizing="8cpu16gb")
    return row


def _is(state: str) -> Callable[[Change], bool]:
    return lambda row: Change.objects.filter(pk=row.pk, state=state, password=None).exists()


# --- the rest ----------------------------------------------------------------------------------------------------


def _unheard(_scenes: Scenes) -> None:
    Heartbeat.objects.all().delete()


def _appeared(scenes: Scenes) -> Cluster:
    return cluster(scenes.cast.service, scenes.number(), origin="")


def _forgotten_session(scenes: Scenes) -> Session:
    key = f"session{scenes.number()}"
    return Session.objects.create(session_key=key, session_data="", expire_date=Now() - LONG_AGO)


LATE, SLOW, DRIFT = "late actions", "operations that take too long", "clusters that drifted"
CHORES: Final[Mapping[str, Chore]] = {
    "the action of one given up shows up": Chore(
        LATE, alarming.given_up, _told(Situation.LATE_ACTION, 1), RAISED, mails=1
    ),
    "another one shows up": Chore(LATE, alarming.told_of_one, _told(Situation.LATE_ACTION, 2), mails=1),
    "one ends that was given up while it ran": Chore(
        LATE, alarming.released, _told(Situation.LATE_ACTION, 1), RAISED, mails=1
    ),
    "the action of what was seen done shows up": Chore(LATE, _seen_done, _has_its_action, ("operation.found",)),
    "overdue": Chore(SLOW, alarming.overdue, _told(Situation.OVERDUE), RAISED, mails=1, ends=_comes_to_its_end),
    "not to be sent": Chore(
        SLOW, alarming.unsent, _told(Situation.UNREACHABLE), RAISED, mails=1, ends=_comes_to_its_end
    ),
    "no longer overdue": Chore(SLOW, alarming.over, lambda row: not _told(Situation.OVERDUE)(row), CLOSED),
    "a mail": Chore(
        "mails about what needs a person",
        alarming.untold,
        lambda row: Concern.objects.filter(pk=row.pk, told_at__isnull=False).exists(),
        mails=1,
    ),
    "a history": Chore("histories that somebody waits for", alarming.taken_back, _shows_its_past, RAISED, mails=1),
    "its cluster is read once more": Chore(
        "clusters to be compared",
        lambda scenes: finished(scenes, "resize"),
        lambda row: Cluster.objects.get(pk=row.cluster_id).wanted_at is not None,
    ),
    "resized in vain": Chore(DRIFT, alarming.resized_in_vain, _told(Situation.DRIFT), RAISED, mails=1),
    "drifted": Chore(DRIFT, alarming.drifted, _told(Situation.DRIFT), RAISED, mails=1),
    "no longer drifted": Chore(DRIFT, alarming.drifted_back, lambda row: not _told(Situation.DRIFT)(row), CLOSED),
    "a cluster for its create": Chore("clusters of creates", _clusterless, _has_its_cluster),
    "a cluster appeared": Chore(
        "clusters that appeared",
        _appeared,
        lambda row: Cluster.objects.get(pk=row.pk).origin == "found",
        ("cluster.found",),
    ),
    "expired": Chore("expired requests", _expired, _is("expired"), ("change.expired",)),
    "of a leaver": Chore("requests of leavers", _left, _is("withdrawn"), ("change.withdrawn",), ends=_comes_back),
    "its cluster moved": Chore("requests on moved clusters", _moved, _is("lapsed"), ("change.lapsed",)),
    "a password that nobody fetched": Chore(
        "passwords past their time", _unfetched, lambda row: Operation.objects.get(pk=row.pk).reveal_id is None
    ),
    "a session": Chore(
        "expired sessions", _forgotten_session, lambda row: not Session.objects.filter(pk=row.pk).exists()
    ),
    "the sweep works": Chore("heartbeat", _unheard, lambda _row: alive(SWEEP)),
    "the portal was away": Chore(
        "continuity",
        alarming.away,
        lambda _row: continuity.unbroken() and holds.held() is None,
        ("sends.held", "sends.let_go"),
    ),
    "away, and something is not remembered": Chore(
        "continuity",
        alarming.forgotten,
        lambda _row: (
            holds.held() is not None
            and Concern.objects.open().filter(situation=Situation.UNKNOWN_ACTION, actions__isnull=False).count() == 1
        ),
        ("sends.held", "concern.raised"),
        mails=1,
        ends=alarming.let_go,
    ),
    "decided": Chore("continuity", alarming.decided, lambda _row: holds.held() is None, ("sends.let_go",)),
}
