"""What makes the sweep tell a person: each brought to where one pass of one job tells it, or closes it."""

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from portal.inventory import reading
from portal.inventory.models import Cluster
from portal.operations import concerns, drift, late, watch
from portal.operations.acts import Act
from portal.operations.catch_up import CatchUp
from portal.operations.models import Concern, Continuity, Operation, Situation
from portal.operations.refresh import refresh_history
from portal.upstream.client import client
from tests.faults.judge import a_person_ends
from tests.faults.scenes import Scenes
from tests.portal.operations.deciding import acted
from tests.portal.operations.engine import fault, followed, sent, tells
from tests.portal.operations.needing import concern_of
from tests.portal.operations.test_settle import told
from tests.sandbox.caller import Caller

LONG_AGO: Final = timedelta(days=2)


def known() -> None:
    """Let people have been told of everything that there is."""
    Concern.objects.filter(told_at=None).update(told_at=Now())


def finished(scenes: Scenes, kind: str) -> Operation:
    """One that was sent, and followed to its end."""
    return followed(scenes.before("follow", kind))


# --- late actions ------------------------------------------------------------------------------------------------


def given_up(scenes: Scenes) -> Operation:
    """Carried out, the answer lost, and a person has said that it was not done."""
    row = scenes.queued("create")
    scenes.upstream.set_faults(fault("drop"))
    a_person_ends(sent(row), scenes.cast.approver)
    return row


def told_of_one(scenes: Scenes) -> Operation:
    """The same; a person was told of its action, and now ITCare shows another one."""
    row = given_up(scenes)
    late.watch()
    known()
    another = told(90_000 + row.pk, resourceName=row.name, submittedBy=scenes.upstream.client_id)
    scenes.upstream.set_faults(tells([another]))
    Operation.objects.filter(pk=row.pk).update(searched_at=None)
    return row


def released(scenes: Scenes) -> Operation:
    """A person has given it up while it ran; at ITCare it has ended meanwhile."""
    row = scenes.before("follow", "create")
    acted(Act.RELEASE, concern_of(row, situation=Situation.OVERDUE), scenes.cast.approver)
    known()
    return row


# --- what takes too long -----------------------------------------------------------------------------------------


def overdue(scenes: Scenes) -> Operation:
    """Sent long ago, and not at its end as far as the portal knows."""
    row = scenes.before("follow", "create")
    Operation.objects.filter(pk=row.pk).update(sent_at=F("sent_at") - LONG_AGO)
    return row


def unsent(scenes: Scenes) -> Operation:
    """Approved long ago, and not sent."""
    row = scenes.queued("create")
    Operation.objects.filter(pk=row.pk).update(queued_at=F("queued_at") - LONG_AGO)
    return row


def over(scenes: Scenes) -> Operation:
    """Told to be overdue, and at its end since."""
    row = overdue(scenes)
    watch.watch()
    known()
    return followed(row)


# --- drift -------------------------------------------------------------------------------------------------------


def read(row: Operation) -> None:
    """Have its cluster read as it is now."""
    reading.read_cluster(client(), Cluster.objects.get(pk=row.cluster_id or 0), parts=False)


def change(scenes: Scenes, row: Operation, **fields: object) -> None:
    """Let its cluster be otherwise, and the portal know."""
    assert row.cluster is not None
    scenes.upstream.change_cluster(row.cluster.upstream_id, **fields)
    read(row)


def resized_in_vain(scenes: Scenes) -> Operation:
    """ITCare says that it was done, and the cluster does not show it."""
    row = finished(scenes, "resize")
    change(scenes, row, sizing="2cpu4gb")
    return row


def drifted(scenes: Scenes) -> Operation:
    """Its cluster was as it left it, and is not any more."""
    row = finished(scenes, "resize")
    read(row)
    drift.compare()
    change(scenes, row, sizing="8cpu16gb")
    return row


def drifted_back(scenes: Scenes) -> Operation:
    """The same, of which a person was told; now the cluster is as it was."""
    row = drifted(scenes)
    drift.compare()
    known()
    change(scenes, row, sizing="4cpu8gb")
    return row


# --- what is read for other purposes -----------------------------------------------------------------------------


def taken_back(scenes: Scenes) -> Operation:
    """Somebody waits for its cluster's history, in which ITCare takes back how its action ended."""
    row = finished(scenes, "resize")
    own = told(row.upstream_action_id or 0, status="ERROR", resourceName=row.name)
    scenes.upstream.set_faults(tells([own, told(90_000 + row.pk, resourceName=row.name)]))
    assert row.cluster is not None
    refresh_history(row.cluster)
    return row


# --- continuity --------------------------------------------------------------------------------------------------


def away(_scenes: Scenes) -> None:
    """The portal was last at work some time ago."""
    Continuity.objects.update(at=F("at") - timedelta(seconds=settings.AWAY_SECONDS))


def forgotten(scenes: Scenes) -> str:
    """The same, and something was done at ITCare that no row knows of."""
    name = f"forgotten{scenes.number()}"
    Caller(scenes.upstream).create(name=name)
    scenes.besides.append(("create", name))
    away(scenes)
    return name


def decided(scenes: Scenes) -> None:
    """The same, which a person has been shown, and has decided on."""
    forgotten(scenes)
    CatchUp().run()
    known()
    note(scenes)


def note(scenes: Scenes) -> None:
    """Somebody notes all that is open."""
    concerns.close(Concern.objects.open(), "I have looked.", by=scenes.cast.administrator)


def let_go(scenes: Scenes, _row: Any) -> None:  # noqa: ANN401 - whatever it was about
    """Somebody deals with it, so that sends go on."""
    note(scenes)
    CatchUp().run()


# --- mails -------------------------------------------------------------------------------------------------------


def untold(scenes: Scenes) -> Concern:
    """A matter about which no mail was sent."""
    row = given_up(scenes)
    late.watch()
    return Concern.objects.get(operation=row, situation=Situation.LATE_ACTION)
