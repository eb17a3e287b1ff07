"""GET /actions and /actions/{actionId} (API.md 6): a bare array, by `id` (A19)."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from sandbox.answers import actions as answers
from sandbox.exchange import NOT_FOUND, Reply, Request, invalid
from sandbox.queries import integer, texts
from sandbox.world.catalogue import DAY
from sandbox.world.model import ERROR, IN_PROGRESS, SUCCESS, Cluster
from sandbox.world.world import World

RECENT = 30 * DAY


class Actions:
    """Actions that were ordered, and the creations that the world began with."""

    def __init__(self, world: World) -> None:
        """Serve that world."""
        self._world = world
        oldest = world.founding.epoch - RECENT
        self._beginning = world.beginning()
        self._recent = tuple(each for each in self._beginning if each.created_at >= oldest)

    def search(self, request: Request) -> Reply:
        """GET /actions, oldest first."""
        statuses = texts(request.query, "statuses")
        if set(statuses) - {SUCCESS, IN_PROGRESS, ERROR}:
            raise invalid(field_name="statuses", why="must be of SUCCESS, IN_PROGRESS, ERROR")
        name = (request.query.get("resourceName") or [""])[-1].lower()
        resource_id = integer(request.query, "resourceId")
        service_id = integer(request.query, "serviceId")
        ordered = self._world.running() if statuses == [IN_PROGRESS] else self._world.actions.values()
        found = [
            answers.action_item(action)
            for action in ordered
            if (not statuses or action.status in statuses)
            and (not name or action.resource_name == name)
            and (resource_id is None or action.resource_id == resource_id)
            and (service_id is None or action.service_id == service_id)
        ]
        if not statuses or SUCCESS in statuses:
            found += [
                answers.founding_action(cluster)
                for cluster in self._founded(name, resource_id)
                if service_id is None or cluster.service_id == service_id
            ]
        return Reply(HTTPStatus.OK, sorted(found, key=_order))

    def read(self, action_id: int) -> Reply:
        """GET /actions/{actionId}."""
        action = self._world.actions.get(action_id)
        if action is not None:
            return Reply(HTTPStatus.OK, answers.action_item(action))
        place = action_id - answers.FIRST_FOUNDING_ACTION
        if 0 <= place < len(self._beginning):
            return Reply(HTTPStatus.OK, answers.founding_action(self._beginning[place]))
        return NOT_FOUND

    def _founded(self, name: str, resource_id: int | None) -> Iterable[Cluster]:
        """Clusters of the beginning whose creation is told: the recent ones, or the one that is asked for."""
        if not name and resource_id is None:
            return self._recent
        cluster = self._world.named(name) if name else self._world.with_id(resource_id or 0)
        if cluster is None or (resource_id is not None and cluster.id != resource_id):
            return ()
        founded = self._world.founded(cluster.number)
        return () if founded is None else (founded,)


def _order(item: dict[str, Any]) -> tuple[str, int]:
    return item["submittedAt"], item["id"]
