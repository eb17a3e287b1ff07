"""Operations that need a person: unclear ones over HTTP, and the concern that says so."""

from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from portal.operations import acts, concerns
from portal.operations.models import Action, Attempt, Concern, Operation, Situation
from portal.operations.states import Proof, State
from tests.cast import Cast
from tests.portal.catalog.asking import RESTORE, SOURCE, TARGET, Values, approved, placed
from tests.portal.operations.engine import fault, sent
from tests.sandbox_server import Sandbox
from tests.states.rows import operation as row_of

ON_CLUSTERS = {"path": "/databases/postgresql/"}
VALUES: dict[str, Values] = {"resize": {"sizing": "4cpu8gb"}, "restore": RESTORE, "delete": {}, "stop": {}}


def unclear(cast: Cast, upstream: Sandbox, kind: str = "resize", how: str = "drop_before") -> Operation:
    """Ask for it, send it, and lose the answer; `drop_before`: it never arrived, `drop`: it did."""
    placed(upstream, cast.service, SOURCE)
    row = approved(cast, kind, placed(upstream, cast.service, TARGET), VALUES[kind])
    writes = {"method": "DELETE" if kind == "delete" else "PATCH", **ON_CLUSTERS}
    upstream.set_faults(fault(how, match=writes))
    row = sent(row)
    assert row.state == "unclear"
    return row


def bare(cast: Cast, state: State = State.UNCLEAR, **values: object) -> Operation:
    """A row in that state with one attempt whose outcome its sender does not know."""
    row = row_of(cast, state, **{"kind": "resize", "name": "cluster00001", **values})
    Attempt.objects.create(
        operation=row, number=1, fence=1, proof=Proof.UNKNOWN, ended_at=Now(), watermark_action_id=100
    )
    return row


def concern_of(operation: Operation, *actions: Action, situation: Situation = Situation.NOTHING_FOUND) -> Concern:
    """The concern about it, as it stands now."""
    concerns.raise_concern(situation, "A person must look.", operation=operation, actions=actions)
    return Concern.objects.open().get(operation=operation, situation=situation)


def grace_passes(operation: Operation) -> None:
    """Let it have been sent longer ago than the time in which its action may still show up."""
    span = timedelta(seconds=settings.SETTLE_GRACE_SECONDS)
    Attempt.objects.filter(operation=operation).update(started_at=F("started_at") - span, ended_at=F("ended_at") - span)


def seen(concern: Concern) -> str:
    """The mark of what a person sees who opens the page now."""
    return acts.basis(Concern.objects.get(pk=concern.pk))
