"""Starts the operation of an approved request: the row is the queue, the hint only makes it sooner."""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from django.db import IntegrityError, transaction

from portal.accounts.models import User
from portal.audit.record import record
from portal.catalog import passwords
from portal.catalog.kinds import KINDS
from portal.inventory.models import Cluster, Service
from portal.operations import tasks
from portal.operations.models import Operation, Secret, bound
from portal.web.hints import hint

SEND, REVEAL = "send", "reveal"  # what a sealed password is for

_BUSY: Final = {
    "one_unfinished_operation_a_cluster": "Another operation is under way on this cluster: wait until it has ended.",
    "one_unfinished_create_a_name": "A cluster of this name is being created already.",
}


class BusyError(Exception):
    """Something unfinished stands in the way; the message is the sentence for people."""


def busy(*, name: str, cluster: Cluster | None) -> str:
    """Why it could not be queued as things are, so that a form can say it; `start` alone decides. Empty if it could."""
    unfinished = Operation.objects.unfinished()
    if cluster is not None:
        return _BUSY["one_unfinished_operation_a_cluster"] if unfinished.filter(cluster=cluster).exists() else ""
    creating = unfinished.filter(kind="create", name=name)
    return _BUSY["one_unfinished_create_a_name"] if creating.exists() else ""


def start(  # noqa: PLR0913 - all that sending and the pages need; it never sees a change
    *,
    reference: uuid.UUID,
    kind: str,
    parameters: Mapping[str, Any],
    revision: str,
    digest: str,
    name: str,
    service: Service,
    cluster: Cluster | None,
    requester: User,
    approver: User,
    password: Secret | None,
) -> Operation:
    """Queue the operation, inside the transaction that approves it.

    A kind that needs a password and was given none gets one here, so that a request that waits holds no secret.

    Raises:
        BusyError: an unfinished operation holds the cluster, or the name.
    """
    entry = KINDS[kind]
    reveal = None
    if entry.makes_password and password is None:
        text = passwords.generate()
        password = Secret.seal(text, bound_to=bound(reference, SEND))
        reveal = Secret.seal(text, bound_to=bound(reference, REVEAL))
        password.save()
        reveal.save()
    operation = Operation(
        reference=reference,
        kind=kind,
        name=name,
        title=entry.title(parameters, cluster),
        service=service,
        cluster=cluster,
        requester=requester,
        approver=approver,
        parameters=dict(parameters),
        revision=revision,
        digest=digest,
        password=password,
        reveal=reveal,
    )
    try:
        with transaction.atomic():
            operation.save()
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        sentence = _BUSY.get(getattr(diagnosis, "constraint_name", None) or "")
        if sentence is None:
            raise
        raise BusyError(sentence) from None
    record(
        "operation.queued",
        actor=approver.email,
        actor_id=approver.pk,
        subject_type="operation",
        subject_id=operation.pk,
        subject=operation.title,
        service_id=service.pk,
        detail={"digest": digest},
    )
    hint(tasks.send_operation, operation.pk)
    return operation
