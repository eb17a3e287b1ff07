"""Starts the operation of an approved request: the row is the queue, the hint only makes it sooner."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q

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
    if cluster is not None:
        return busy_words(cluster) if _held([cluster]) else ""
    creating = Operation.objects.unfinished().filter(kind="create", name=name)
    return busy_words(None) if creating.exists() else ""


def busy_words(cluster: Cluster | None) -> str:
    """What is said when something unfinished stands in the way: on the cluster, or on a name where there is none."""
    return _BUSY["one_unfinished_operation_a_cluster" if cluster else "one_unfinished_create_a_name"]


def _held(clusters: Sequence[Cluster]) -> bool:
    """Whether something unfinished changes one of the clusters, or reads it."""
    touching = Q(cluster__in=clusters) | Q(source__in=clusters)
    return Operation.objects.unfinished().filter(touching).exists()


def _hold(cluster: Cluster | None, others: Sequence[Cluster]) -> Cluster | None:
    """Make sure that nothing touches the clusters; answers the one that is read, if it is another one.

    The row locks make starts on the same clusters follow each other: a constraint cannot look across two columns. They
    hold up nobody who only refers to the clusters (see `locks`).

    Raises:
        BusyError: something does.
    """
    if cluster is None:
        return None
    clusters = [cluster, *(other for other in others if other != cluster)]
    numbers = [found.pk for found in clusters]
    rows = Cluster.objects.select_for_update(no_key=True).filter(pk__in=numbers)
    list(rows.order_by("pk").values_list("pk"))
    if _held(clusters):
        raise BusyError(_BUSY["one_unfinished_operation_a_cluster"])
    return clusters[1] if len(clusters) > 1 else None


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
    source = _hold(cluster, entry.also_holds(parameters))
    operation = Operation(
        reference=reference,
        kind=kind,
        name=name,
        title=entry.title(parameters, cluster),
        service=service,
        cluster=cluster,
        source=source,
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
