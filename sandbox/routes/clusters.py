"""Below /databases/postgresql: six reads and three writes (API.md 7)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from sandbox.answers import clusters as answers
from sandbox.contract import Contract
from sandbox.exchange import NOT_FOUND, Refusal, Reply, Request, invalid
from sandbox.world.model import Cluster
from sandbox.world.stories import Order
from sandbox.world.world import World
from sandbox.writes import (
    create,
    delete,
    enable_ha,
    install_extension,
    resize,
    restore,
    start,
    stop,
    update_patch_party,
    upgrade,
)
from sandbox.writes.conditions import refuse_if_busy

DRY_RUN = "itcare-dryrun"

Carrier = Callable[[Order], Reply]

OPERATIONS: Mapping[str, Callable[[World, Cluster, Mapping[str, Any]], Order]] = {
    "start": start.order,
    "stop": stop.order,
    "resize": resize.order,
    "restore": restore.order,
    "enable_ha": enable_ha.order,
    "update_patch_party": update_patch_party.order,
    "install_extension": install_extension.order,
    "upgrade": upgrade.order,
}


class Clusters:
    """Reads and writes of clusters, found by their internalResourceId (API.md A5)."""

    def __init__(self, world: World, contract: Contract, *, account: str) -> None:
        """Serve that world; `account` stands as the creator of what is ordered."""
        self._world = world
        self._contract = contract
        self._account = account
        epoch = world.founding.epoch
        self._parts: dict[str, Callable[[Cluster], Any]] = {
            "databases": answers.databases,
            "extensions": answers.extensions,
            "networks": answers.network_of,
            "nodes": lambda cluster: answers.nodes(cluster, epoch=epoch),
            "versions": answers.versions,
        }

    def read(self, number: int) -> Reply:
        """GET /databases/postgresql/{id}."""
        world = self._world
        return Reply(HTTPStatus.OK, answers.detail(self._found(number), epoch=world.founding.epoch, now=world.now()))

    def read_part(self, number: int, part: str) -> Reply:
        """GET /databases/postgresql/{id}/{databases, extensions, networks, nodes, versions}."""
        cluster = self._found(number)
        return Reply(HTTPStatus.OK, self._parts[part](cluster)) if part in self._parts else NOT_FOUND

    def create(self, request: Request, carry: Carrier) -> Reply:
        """POST /databases/postgresql."""
        body = self._contract.check_create(request.payload)
        return self._answer(request, create.order(self._world, body, account=self._account), carry)

    def delete(self, number: int, request: Request, carry: Carrier) -> Reply:
        """DELETE /databases/postgresql/{id}: no body is documented (API.md 7.2), so none is taken."""
        if request.body:
            raise invalid(field_name="body", why="is not known")
        cluster = self._found(number)
        refuse_if_busy(self._world, cluster)
        return self._answer(request, delete.order(cluster), carry)

    def patch(self, number: int, request: Request, carry: Carrier) -> Reply:
        """PATCH /databases/postgresql/{id}: one of the operations."""
        cluster = self._found(number)
        body = self._contract.check_operation(request.payload)
        refuse_if_busy(self._world, cluster)
        ordered = OPERATIONS[body["operation"]](self._world, cluster, body.get("options", {}))
        return self._answer(request, ordered, carry)

    def _found(self, number: int) -> Cluster:
        cluster = self._world.clusters.get(number)
        if cluster is None:
            raise Refusal(NOT_FOUND)
        return cluster

    def _answer(self, request: Request, order: Order, carry: Carrier) -> Reply:
        """Carry the order out, or only echo the header of a dry run (API.md 1)."""
        if request.headers.get(DRY_RUN, "").lower() == "true":
            return Reply(HTTPStatus.ACCEPTED, headers={"ITCare-DryRun": "true"})
        return carry(order)
