"""Asking once more for what came to nothing: where that leads, and the values that the form is filled with."""

from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse

from portal.accounts.models import User
from portal.changes.models import Change
from portal.changes.models import State as ChangeState
from portal.inventory.models import Cluster, Service
from portal.operations.models import Operation
from portal.operations.states import State

CAME_TO_NOTHING: Final = (ChangeState.REJECTED, ChangeState.WITHDRAWN, ChangeState.EXPIRED, ChangeState.LAPSED)


def of_operation(user: User, operation: Operation) -> str:
    """Return the address of the form with the values of an operation that failed or was cancelled; empty if none."""
    if operation.state not in {State.FAILED, State.CANCELLED}:
        return ""
    return _address(user, operation.kind, operation.service_id, operation.cluster, again=operation.pk)


def of_change(user: User, change: Change) -> str:
    """Return the address of the form with the values of a change that came to nothing; empty if none."""
    if change.operation is not None:
        return of_operation(user, change.operation)
    if change.state not in CAME_TO_NOTHING:
        return ""
    return _address(user, change.kind, change.service_id, change.cluster, again_change=change.pk)


def values(origin: Operation | Change) -> dict[str, Any]:
    """Return what its form was filled with; a password is not kept, and neither is a typed name."""
    change = origin if isinstance(origin, Change) else Change.objects.filter(operation=origin).first()
    return {**origin.parameters, **({"reason": change.why} if change else {})}


def _address(user: User, kind: str, service_id: int, cluster: Cluster | None, **origin: int) -> str:
    """Only who may ask is led to the form, and only to a cluster that is still there."""
    if (cluster and cluster.gone_at) or not Service.objects.askable_by(user).filter(pk=service_id).exists():
        return ""
    query = {"cluster": cluster.pk, **origin} if cluster else origin
    return f"{reverse('new_change', args=[kind])}?{urlencode(query)}"
