"""Which method and path lead where."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

from sandbox.exchange import NOT_FOUND, Reply, Request, invalid
from sandbox.routes import places
from sandbox.routes.actions import Actions
from sandbox.routes.clusters import Carrier, Clusters
from sandbox.routes.resources import Resources

LARGEST_ID = 2**63 - 1
GUESSED = {"services": "/compute/services", "networks": "/networks", "regions": "/regions"}
CLUSTER = "/databases/postgresql"
PART = r"/(?P<part>[a-z]+)"
NUMBER = r"/(?P<number>\d{1,20})"


@dataclass(frozen=True)
class Call:
    """A request with what its path says, and the means to carry out a write."""

    request: Request
    carry: Carrier
    number: int = 0
    part: str = ""


@dataclass(frozen=True)
class Route:
    """One method of one address."""

    method: str
    path: re.Pattern[str]
    answer: Callable[[Call], Reply]


class Router:
    """The addresses of the API."""

    def __init__(
        self, *, clusters: Clusters, resources: Resources, actions: Actions, without: Iterable[str] = ()
    ) -> None:
        """Lead to these; `without` names guessed lists that are not there."""
        missing = {GUESSED[name] for name in without}
        self._routes = [
            Route(method, re.compile(path), answer)
            for method, path, answer in (
                ("POST", CLUSTER, lambda call: clusters.create(call.request, call.carry)),
                ("GET", CLUSTER + NUMBER, lambda call: clusters.read(call.number)),
                ("PATCH", CLUSTER + NUMBER, lambda call: clusters.patch(call.number, call.request, call.carry)),
                ("DELETE", CLUSTER + NUMBER, lambda call: clusters.delete(call.number, call.request, call.carry)),
                (
                    "GET",
                    CLUSTER + NUMBER + "/(?P<part>[a-z]+)",
                    lambda call: clusters.read_part(call.number, call.part),
                ),
                ("GET", "/compute/resources", lambda call: resources.search(call.request)),
                ("GET", "/compute/resources" + NUMBER + "/history", lambda call: resources.history(call.number)),
                ("GET", "/actions", lambda call: actions.search(call.request)),
                ("GET", "/actions" + NUMBER, lambda call: actions.read(call.number)),
                ("GET", GUESSED["services"], lambda call: places.services(call.request)),
                ("GET", GUESSED["networks"], lambda call: places.networks(call.request)),
                ("GET", GUESSED["regions"], lambda _call: places.regions()),
            )
            if path not in missing
        ]

    def answer(self, request: Request, carry: Carrier) -> Reply:
        """What the request leads to; 404 for an unknown path, 405 for an unknown method of a known one.

        Raises:
            Refusal: what it leads to refuses it.
        """
        refused = NOT_FOUND
        for route in self._routes:
            found = route.path.fullmatch(request.path)
            if found is None:
                continue
            if route.method == request.method:
                return route.answer(_call(request, carry, found))
            refused = Reply(HTTPStatus.METHOD_NOT_ALLOWED)
        return refused


def _call(request: Request, carry: Carrier, found: re.Match[str]) -> Call:
    said = found.groupdict()
    number = int(said.get("number") or 0)
    if number > LARGEST_ID:
        raise invalid(field_name="id", why="is too large")
    return Call(request, carry, number, said.get("part") or "")
