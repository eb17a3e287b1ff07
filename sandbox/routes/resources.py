"""GET /compute/resources and the history of one resource (API.md 6 and 8)."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from sandbox.answers import actions, clusters
from sandbox.exchange import Reply, Request
from sandbox.queries import Paging, Query, envelope, integer, integers, paging, texts, truth
from sandbox.world.model import Cluster, Other
from sandbox.world.places import SERVICES
from sandbox.world.world import World

Resource = Cluster | Other

_SORTS: dict[str, Callable[[Resource], Any]] = {
    "id": lambda each: each.id,
    "name": lambda each: each.name,
    "status": lambda each: getattr(each, "status", "ACTIVE"),
    "creationTime": lambda each: each.created_at,
    "serviceName": lambda each: SERVICES[each.service_id].name,
}


class Resources:
    """The list of resources of every kind."""

    def __init__(self, world: World) -> None:
        """Serve that world."""
        self._world = world
        self._narrowed: tuple[object, list[Resource]] = (None, [])

    def search(self, request: Request) -> Reply:
        """GET /compute/resources."""
        asked = paging(request.query, sortable=tuple(_SORTS))
        keep = _filter(request.query)
        if keep is None and asked.sort in {None, "id"} and not asked.descending:
            page, total = self._plain_page(asked)
        else:
            found = self._narrowed_list(request.query, keep, asked)
            page, total = found[asked.window], len(found)
        return Reply(HTTPStatus.OK, envelope([self._told(each) for each in page], total, asked))

    def history(self, listed_id: int) -> Reply:
        """GET /compute/resources/{id}/history: the id of lists, not internalResourceId (API.md 6)."""
        cluster = self._world.with_id(listed_id)
        if cluster is None:
            return Reply(HTTPStatus.NOT_FOUND)
        found = [actions.action_item(each) for each in self._world.actions.values() if each.resource_id == listed_id]
        founded = self._world.founded(cluster.number)
        if founded is not None:
            found.append(actions.founding_action(founded))
        return Reply(HTTPStatus.OK, sorted(found, key=lambda each: str(each["submittedAt"]), reverse=True))

    def _plain_page(self, asked: Paging) -> tuple[list[Resource], int]:
        """One page without a look at what is on the others."""
        others = self._world.others
        numbers = self._world.numbers()
        first, last = asked.page * asked.size, (asked.page + 1) * asked.size
        start, stop = max(first - len(others), 0), max(last - len(others), 0)
        page: list[Resource] = [*others[asked.window]]
        page += [self._world.clusters[number] for number in numbers[start:stop]]
        return page, len(others) + len(numbers)

    def _narrowed_list(self, query: Query, keep: Callable[[Resource], bool] | None, asked: Paging) -> list[Resource]:
        """Everything the query keeps, in its order; remembered while its other pages are asked for."""
        wording = sorted((name, tuple(values)) for name, values in query.items() if name not in {"page", "size"})
        key = (self._world.version, wording)
        if self._narrowed[0] != key:
            found = [each for each in self._candidates(query) if keep is None or keep(each)]
            found.sort(key=_SORTS[asked.sort or "id"], reverse=asked.descending)
            self._narrowed = (key, found)
        return self._narrowed[1]

    def _candidates(self, query: Query) -> Iterator[Resource]:
        wanted = {name.lower() for name in texts(query, "names") if not name.startswith("!")}
        yield from self._world.others
        if not wanted:
            yield from self._world.clusters.values()
            return
        for name in wanted:
            cluster = self._world.named(name)
            if cluster is not None:
                yield cluster

    def _told(self, resource: Resource) -> dict[str, Any]:
        if isinstance(resource, Other):
            return clusters.other_summary(resource)
        return clusters.summary(resource, epoch=self._world.founding.epoch, now=self._world.now())


def _filter(query: Query) -> Callable[[Resource], bool] | None:
    """What the query keeps, or None when it keeps everything."""
    names = [name.lower() for name in texts(query, "names")]
    wanted = {name for name in names if not name.startswith("!")}
    unwanted = {name[1:] for name in names if name.startswith("!")}
    services = set(integers(query, "services"))
    statuses, environments = set(texts(query, "statuses")), set(texts(query, "environments"))
    types, families = set(texts(query, "types")), set(texts(query, "families"))
    cloud, backed_up = integer(query, "clouds"), truth(query, "backupStatus")
    if not any((names, services, statuses, environments, types, families, cloud)) and backed_up is None:
        return None

    def keep(each: Resource) -> bool:
        service = SERVICES[each.service_id]
        other = isinstance(each, Other)
        checks = (
            not wanted or each.name.lower() in wanted,
            each.name.lower() not in unwanted,
            not services or each.service_id in services,
            not statuses or ("ACTIVE" if isinstance(each, Other) else each.status) in statuses,
            not environments or service.environment in environments,
            not types or (each.type if isinstance(each, Other) else clusters.KIND) in types,
            not families or (each.family if isinstance(each, Other) else clusters.KIND) in families,
            cloud is None or service.cloud_id == cloud,
            backed_up is None or (not other and getattr(each, "backed_up", False) == backed_up),
        )
        return all(checks)

    return keep
