"""Looks, after a break, what happened at ITCare meanwhile: nothing is sent before that (SAFETY 2).

What was sent after a backup was taken is queued again in the database that is restored from it, or not there at all.
ITCare's actions tell of it: those of our own account that no operation knows or explains are shown to a person, and
sends stay on hold until somebody has decided about each, or lets them go.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Lower, Now

from portal import itcare
from portal.inventory import waiting
from portal.inventory.models import Cluster
from portal.operations import continuity, holds
from portal.operations.models import Concern, Continuity, Hold, Situation
from portal.operations.unknown import fresh, tell, unknown
from portal.upstream.client import client as upstream_client
from portal.web.words import cut

logger = logging.getLogger(__name__)

# How far the clocks of the portal and of ITCare may have moved against each other since the break.
CLOCKS: Final = timedelta(minutes=15)
LOOKS_FIRST: Final = "Nothing is sent until the portal has looked what happened at ITCare meanwhile."
INCOMPLETE: Final = "ITCare's list of actions cannot be read in whole; the portal tries again."


class CatchUp:
    """Notes again and again that the portal is at work; after a break it looks before anything is sent.

    It remembers when it noted that last: a database that is older went back under a running process.
    """

    def __init__(self) -> None:
        self._noted: datetime | None = None

    def run(self) -> None:
        """Note that the portal is at work, or do what is owed after a break."""
        continuity.begin()
        row = Continuity.objects.select_related("hold").get()
        went_back = self._noted is not None and row.at < self._noted
        why = continuity.broken(row) or (continuity.WENT_BACK if went_back else "")
        if why:
            _after_a_break(row, why)
        else:
            continuity.go_on()
            _let_go_when_decided(row)
        now = Continuity.objects.get()
        if not now.broken:
            self._noted = now.at


def _after_a_break(row: Continuity, why: str) -> None:
    if row.broken and row.hold and row.hold.ended_by_id is not None:
        # Who lets sends go has looked, or answers for it: else an ITCare that cannot be read would hold them for ever.
        logger.warning("A person let sends go before ITCare could be read.")
        _conclude((), (), None)
        return
    _stop(why)
    logger.warning("%s %s", why, LOOKS_FIRST)
    try:
        listed = upstream_client().actions()
    except itcare.ItcareError as error:
        _say(f"{why} {LOOKS_FIRST} {error.sentence}")
        return
    if not listed.complete:
        _say(f"{why} {LOOKS_FIRST} {INCOMPLETE}")
        return
    since = row.at - CLOCKS
    newest = max((action.id for action in listed), default=None)
    _conclude(unknown(listed, since), fresh(listed, since), newest)


def _stop(why: str) -> None:
    """Put sends on hold and note that a look is owed: either alone stops every sender."""
    with transaction.atomic():
        Continuity.objects.select_for_update(of=("self",)).get()
        holds.hold(f"{why} {LOOKS_FIRST}")
        own = Hold.objects.filter(ended_at=None, started_by=None).first()
        Continuity.objects.update(broken=why, hold=own)


def _say(words: str) -> None:
    """Let the hold say what it waits for."""
    Hold.objects.filter(ended_at=None, started_by=None).exclude(why=cut(words, 500)).update(why=cut(words, 500))


def _conclude(found: Sequence[itcare.Action], since: Sequence[itcare.Action], newest: int | None) -> None:
    """Show what was found, and count from now; let sends go if nothing needs a person."""
    names = {(action.resource_name or "").lower() for action in since}
    named = Cluster.objects.present().annotate(lower=Lower("name")).filter(lower__in=names)
    waiting.want(list(named.values_list("pk", flat=True)))
    with transaction.atomic():
        row = Continuity.objects.select_for_update(of=("self",)).get()
        if not row.broken:
            return
        own = Hold.objects.filter(pk=row.hold_id or 0, ended_at=None)
        hold = own.select_for_update(of=("self",)).first()
        Continuity.objects.update(
            broken="",
            database=continuity.database(),
            at=Now(),
            newest_action_id=newest or row.newest_action_id,
            missed_head=continuity.missed_head() or row.missed_head,
            hold=hold if found else None,
        )
        tell(found)
        if hold and found:
            _say(
                f"{row.broken} ITCare did something meanwhile that the portal does not remember ({len(found)}). "
                "Nothing is sent until somebody has dealt with it, or lets sends go."
            )
        elif hold:
            holds.let_go(hold, "The portal has looked: ITCare did nothing for it that it does not remember.")


def _let_go_when_decided(row: Continuity) -> None:
    """End the portal's own hold once somebody has dealt with everything that it was about."""
    hold = row.hold
    if hold is None:
        return
    about = Concern.objects.open().filter(situation=Situation.UNKNOWN_ACTION, changed_at__gte=hold.started_at)
    if hold.ended_at is None and not about.exists():
        with transaction.atomic():
            Continuity.objects.filter(hold=hold).update(hold=None)
            holds.let_go(hold, "Everything that the portal did not remember was dealt with.")
    elif hold.ended_at is not None:
        Continuity.objects.filter(hold=hold).update(hold=None)
