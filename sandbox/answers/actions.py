"""Actions, in the two forms that the API has for them."""

from typing import Any

from sandbox.answers.clusters import KIND
from sandbox.answers.moments import moment
from sandbox.world.model import IN_PROGRESS, SUCCESS, Action, Cluster
from sandbox.world.seeding import FIRST_ID

FIRST_FOUNDING_ACTION = 1_000_000


def accepted(action: Action) -> dict[str, Any]:
    """An action in the form that writes answer with (API.md 6)."""
    return {
        "id": action.id,
        "internalId": action.internal_id,
        "status": action.status,
        "process": action.process,
        "family": KIND,
        "resourceName": action.resource_name,
        "resourceType": KIND,
        "message": action.message,
        "lastUpdatedAt": moment(action.updated_at),
    }


def action_item(action: Action) -> dict[str, Any]:
    """An action in the form of /actions (API.md 6)."""
    told = accepted(action)
    del told["internalId"]
    told["submittedAt"] = moment(action.submitted_at)
    told["submittedBy"] = action.submitted_by
    if action.status != IN_PROGRESS:
        told["completedAt"] = moment(action.updated_at)
    return told


def founding_action(cluster: Cluster) -> dict[str, Any]:
    """The creation of a cluster that was there from the start."""
    ended = moment(cluster.created_at + 1500 + cluster.id % 900)
    return {
        "id": FIRST_FOUNDING_ACTION + cluster.id - FIRST_ID,
        "status": SUCCESS,
        "process": "postgresql_create",
        "family": KIND,
        "resourceName": cluster.name,
        "resourceType": KIND,
        "message": f"Cluster {cluster.name} is ready",
        "submittedAt": moment(cluster.created_at),
        "submittedBy": cluster.created_by,
        "lastUpdatedAt": ended,
        "completedAt": ended,
    }
