"""The three lists that are guesses: services, networks and regions (API.md A2 to A4)."""

from http import HTTPStatus

from sandbox.answers import places as answers
from sandbox.exchange import Reply, Request
from sandbox.queries import envelope, integer, paging, texts
from sandbox.world.places import NETWORKS, SERVICES


def services(request: Request) -> Reply:
    """GET /compute/services."""
    asked = paging(request.query, sortable=("id", "name"))
    names = [name.lower() for name in texts(request.query, "names")]
    wanted = {name for name in names if not name.startswith("!")}
    environments = texts(request.query, "environments")
    cloud = integer(request.query, "clouds")
    found = [
        answers.service_item(service)
        for service in SERVICES.values()
        if (not wanted or service.name.lower() in wanted)
        and f"!{service.name.lower()}" not in names
        and (not environments or service.environment in environments)
        and (cloud is None or service.cloud_id == cloud)
    ]
    found.sort(key=lambda item: item[asked.sort or "id"], reverse=asked.descending)
    return Reply(HTTPStatus.OK, envelope(found[asked.window], len(found), asked))


def networks(request: Request) -> Reply:
    """GET /networks, as a page."""
    asked = paging(request.query, sortable=("id", "technicalId"))
    found = [
        item
        for item in map(answers.network_item, NETWORKS.values())
        if all(
            item[name] in texts(request.query, name)
            for name in ("region", "area", "environment", "scope")
            if texts(request.query, name)
        )
    ]
    found.sort(key=lambda item: item[asked.sort or "id"], reverse=asked.descending)
    return Reply(HTTPStatus.OK, envelope(found[asked.window], len(found), asked))


def regions() -> Reply:
    """GET /regions, a bare array."""
    return Reply(HTTPStatus.OK, answers.regions())
