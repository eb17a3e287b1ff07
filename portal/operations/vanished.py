"""What to do where ITCare no longer knows the action of a running operation: wait, and then ask a person."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from portal import itcare
from portal.operations.actions import note
from portal.operations.concerns import raise_once
from portal.operations.fitting import noted, on_the_name
from portal.operations.leases import look_again
from portal.operations.models import Concern, Operation, Situation
from portal.operations.states import State

logger = logging.getLogger(__name__)


def missed(client: itcare.Client, operation: Operation) -> None:
    """ITCare does not know the action. Said twice, some time apart, it is for a person; the operation stays running.

    The person is shown what else happened on the name since it was sent: the work may go on under another number.
    """
    rows = Operation.objects.filter(pk=operation.pk, fence=operation.fence, state=State.RUNNING)
    rows.filter(missed_at=None).update(missed_at=Now())
    if rows.filter(missed_at__lte=Now() - timedelta(seconds=settings.VANISHED_SECONDS)).exists():
        words = (
            f"ITCare answers again and again that there is no action {operation.upstream_action_id}. Nobody can tell "
            "from it how the operation ends; it counts as running, and is asked for ever more rarely."
        )
        if not Concern.objects.filter(operation=operation, situation=Situation.VANISHED).exists():
            _read_what_else_happened(client, operation)
        raise_once(Situation.VANISHED, words, operation, noted(operation))
    look_again(operation, 0, failed=True)


def _read_what_else_happened(client: itcare.Client, operation: Operation) -> None:
    try:
        listed = client.actions(resource_name=operation.name)
    except itcare.ItcareError as error:
        # Then the person is told without: what the portal comes across later is named at a later look.
        logger.warning("What happened on the name of operation %s was not read: %s", operation.pk, error.sentence)
        return
    for action in on_the_name(listed.items, operation):
        note(action, None)
