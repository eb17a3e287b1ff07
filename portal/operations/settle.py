"""Settles what is not known: looks for the action or the cluster, and never sends again (SAFETY 1 rule 6)."""

import logging
from datetime import datetime, timedelta
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from portal import itcare
from portal.audit.record import record
from portal.inventory import resources
from portal.inventory.models import ACTIVE, Cluster
from portal.operations.actions import note
from portal.operations.leases import claim, look_again
from portal.operations.models import PORTAL, Action, Attempt, Operation
from portal.operations.states import NOTHING_EXECUTED, LostRaceError, Proof, Reason, State
from portal.upstream.client import client as upstream_client

logger = logging.getLogger(__name__)

PASS_SIZE: Final = 50


def settle() -> int:
    """Look at the operations that are unclear, or accepted without an id, and due; answers how many."""
    unknown = Q(state=State.UNCLEAR) | Q(upstream_action_id=None)
    held = claim(State.UNCLEAR, State.RUNNING, where=unknown, limit=PASS_SIZE)
    client = upstream_client() if held else None
    for operation in held:
        assert client is not None  # noqa: S101 - for the type checker
        try:
            _settle_one(client, operation)
        except itcare.ItcareError as error:
            logger.warning("Operation %s is still unclear: %s", operation.pk, error.sentence)
            look_again(operation, error.retry_after or 0, failed=True)
        except LostRaceError:
            logger.info("Operation %s was moved by another.", operation.pk)
        except SoftTimeLimitExceeded:
            # Going on would end in the hard limit; the leases of the rest end by themselves.
            raise
        except Exception:
            # One row that cannot be settled slows down by itself and must not stop the others.
            logger.exception("Operation %s could not be settled.", operation.pk)
            look_again(operation, 0, failed=True)
    return len(held)


def _settle_one(client: itcare.Client, operation: Operation) -> None:
    attempt = operation.attempts.order_by("number").last()
    if attempt is None:
        look_again(operation, settings.SETTLE_SECONDS, failed=True)
        return
    if attempt.proof in NOTHING_EXECUTED:
        _fail(operation, attempt)
        return
    if attempt.upstream_action_id and (late := _read(client, attempt.upstream_action_id)):
        _adopt(operation, late, "the sender's own late answer")
        return
    found = client.actions(resource_name=operation.name).items
    fitting = [action for action in found if _ours(action, operation, attempt)]
    if len(fitting) == 1:
        _adopt(operation, fitting[0], "the only action on this name since it was sent")
    elif fitting:
        _tell(operation, f"{len(fitting)} actions of ITCare fit: a person must say which one it is.")
    elif (cluster := _made(client, operation, attempt)) is not None:
        _succeed(operation, cluster)
    else:
        _tell(operation, _nothing(attempt))


def _read(client: itcare.Client, number: int) -> itcare.Action | None:
    """The action of that number; None where ITCare does not know it, and it has to be looked for."""
    try:
        return client.action(number)
    except itcare.NotFound:
        return None


def _ours(action: itcare.Action, operation: Operation, attempt: Attempt) -> bool:
    """Whether the action can be the one: this name, after the watermark, our account, nobody else's."""
    if (action.resource_name or "").lower() != operation.name.lower():
        return False
    if attempt.watermark_action_id is not None and action.id <= attempt.watermark_action_id:
        return False
    if not _after(action.submitted_at, attempt):
        return False
    if Action.objects.filter(upstream_id=action.id, operation__isnull=False).exclude(operation=operation).exists():
        return False
    # How ITCare spells our account is learned from our own actions.
    known = Action.objects.exclude(operation=None).exclude(submitted_by="")
    accounts = set(known.values_list("submitted_by", flat=True).distinct()[:10])
    return not accounts or not action.submitted_by or action.submitted_by in accounts


def _after(at: datetime | None, attempt: Attempt) -> bool:
    """Whether something happened after the watermark, by ITCare's clock, whose Date header counts whole seconds."""
    return at is None or attempt.watermark_at is None or at >= attempt.watermark_at - timedelta(seconds=1)


def _made(client: itcare.Client, operation: Operation, attempt: Attempt) -> Cluster | None:
    """The cluster that a create has made, if it is there, newer than the watermark, and active."""
    if operation.kind != "create":
        return None
    cluster = resources.find(client, name=operation.name, service=operation.service)
    if cluster is None or cluster.creation_time is None or not _after(cluster.creation_time, attempt):
        return None
    return cluster if cluster.status == ACTIVE else None


def _adopt(operation: Operation, action: itcare.Action, evidence: str) -> None:
    with transaction.atomic():
        note(action, operation)
        if operation.state == State.UNCLEAR:
            operation.move(
                State.RUNNING,
                fence=operation.fence,
                detail={"action": action.id, "evidence": evidence},
                upstream_action_id=action.id,
                last_proof=Proof.ACCEPTED,
                message=f"Found at ITCare: {evidence}.",
                failures=0,
                lease_until=None,
                look_at=Now(),
            )
            return
        rows = Operation.objects.filter(pk=operation.pk, fence=operation.fence, state=State.RUNNING)
        if rows.update(upstream_action_id=action.id, look_at=Now(), lease_until=None, changed_at=Now(), message=""):
            record(
                "operation.found",
                actor=PORTAL,
                subject_type="operation",
                subject_id=operation.pk,
                subject=operation.title,
                service_id=operation.service_id,
                detail={"action": action.id, "evidence": evidence},
            )


def _succeed(operation: Operation, cluster: Cluster) -> None:
    with transaction.atomic():
        operation.move(
            State.SUCCEEDED,
            fence=operation.fence,
            detail={"evidence": "the cluster exists and is active"},
            cluster=cluster,
            message="ITCare shows the cluster, active; the action itself was not found.",
        )


def _fail(operation: Operation, attempt: Attempt) -> None:
    """Nothing was executed, says the sender's late answer; what it needed was erased meanwhile, so one asks anew."""
    words = f"{attempt.message} Ask again."
    reason = Reason.REFUSED if attempt.proof == Proof.REFUSED else Reason.UNREACHABLE
    with transaction.atomic():
        operation.move(
            State.FAILED,
            fence=operation.fence,
            detail={"reason": reason, "evidence": "the sender's own late answer"},
            last_proof=attempt.proof,
            reason=reason,
            message=words[:500],
        )


def _nothing(attempt: Attempt) -> str:
    """What to say while nothing fits: "not there" counts only after the grace period."""
    grace = timedelta(seconds=settings.SETTLE_GRACE_SECONDS)
    if timezone.now() - attempt.started_at < grace:
        return "ITCare shows nothing of it yet; it is looked for again."
    return "ITCare shows nothing of it: a person must find out. It is not sent again."


def _tell(operation: Operation, words: str) -> None:
    rows = Operation.objects.filter(pk=operation.pk, fence=operation.fence)
    rows.exclude(message=words).update(message=words, changed_at=Now())
    look_again(operation, settings.SETTLE_SECONDS, failed=True)
