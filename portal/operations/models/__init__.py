"""What is being carried out: operations, their attempts, and ITCare's actions with what they told."""

from portal.operations.models.actions import Action, ActionMessage
from portal.operations.models.attempts import Attempt
from portal.operations.models.concerns import TO_DECIDE, TO_KNOW, Concern, ConcernQuerySet, Situation
from portal.operations.models.continuity import Continuity
from portal.operations.models.heartbeats import Heartbeat
from portal.operations.models.holds import Hold
from portal.operations.models.operations import PORTAL, Operation, OperationQuerySet, digest
from portal.operations.models.secrets import Secret, bound, erase

__all__ = [
    "PORTAL",
    "TO_DECIDE",
    "TO_KNOW",
    "Action",
    "ActionMessage",
    "Attempt",
    "Concern",
    "ConcernQuerySet",
    "Continuity",
    "Heartbeat",
    "Hold",
    "Operation",
    "OperationQuerySet",
    "Secret",
    "Situation",
    "bound",
    "digest",
    "erase",
]
