"""What tests do to clusters behind the API's back: /_sandbox/clusters/<internalResourceId>."""

import dataclasses
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, get_type_hints

from jsonschema import Draft202012Validator

from sandbox.exchange import Reply, Request
from sandbox.world.catalogue import LIFECYCLES, capacity_of, version_of
from sandbox.world.model import ACTIVE, HA_NODES, STANDALONE, Cluster
from sandbox.world.places import AREAS, NETWORKS, SERVICES
from sandbox.world.world import World

_TYPES: Mapping[object, Mapping[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": 0},
    float: {"type": "number"},
    tuple[str, ...]: {"type": "array", "items": {"type": "string"}},
}
_LIMITS: Mapping[str, Mapping[str, Any]] = {
    "name": {"minLength": 1},
    "nodes": {"maximum": HA_NODES},
    "service_id": {"enum": list(SERVICES)},
    "network_id": {"enum": list(NETWORKS)},
    "area": {"enum": list(AREAS)},
}
_FIELDS = Draft202012Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {**_TYPES[kind], **_LIMITS.get(name, {})}
            for name, kind in get_type_hints(Cluster).items()
            if name != "number"
        },
    }
)


class Interventions:
    """Shows, places, changes and removes clusters at once. Fields are those of `world.model.Cluster`."""

    def __init__(self, world: World) -> None:
        """Do it to that world."""
        self._world = world

    def answer(self, request: Request, number: int) -> Reply:
        """GET shows a cluster, PUT places one, PATCH changes some fields, DELETE takes it away."""
        world = self._world
        cluster = world.clusters.get(number)
        match request.method:
            case "PUT":
                return self._place(self._beginning(number), request.payload)
            case _ if cluster is None:
                return _plain(HTTPStatus.NOT_FOUND, {"error": "no such cluster"})
            case "GET":
                return _plain(HTTPStatus.OK, dataclasses.asdict(cluster))
            case "PATCH":
                return self._place(cluster, request.payload)
            case "DELETE":
                world.remove(number)
                return _plain(HTTPStatus.OK, {})
        return _plain(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "no such method"})

    def _place(self, cluster: Cluster, fields: Any) -> Reply:  # noqa: ANN401 - any JSON
        wrong = next((f"{error.json_path}: {error.message}" for error in _FIELDS.iter_errors(fields)), None)
        if wrong is None:
            cluster = cluster.changed(fields)
            wrong = self._unlikely(cluster)
        if wrong is not None:
            return _plain(HTTPStatus.BAD_REQUEST, {"error": wrong})
        self._world.place(cluster)
        return _plain(HTTPStatus.OK, dataclasses.asdict(cluster))

    def _unlikely(self, cluster: Cluster) -> str | None:
        """Why nothing could be told of such a cluster."""
        named, listed = self._world.named(cluster.name), self._world.with_id(cluster.id)
        checks = (
            (version_of(cluster.product_code) in LIFECYCLES, "product_code: no such product"),
            (capacity_of(cluster.sizing) is not None, "sizing: nobody sells it"),
            (cluster.zone in AREAS[cluster.area].zones, "zone: not in the area"),
            (named is None or named.number == cluster.number, "name: taken"),
            (listed is None or listed.number == cluster.number, "id: taken"),
            (len(cluster.node_statuses) in {0, cluster.nodes}, "node_statuses: one for each node, or none"),
            (len(cluster.node_sizings) in {0, cluster.nodes}, "node_sizings: one for each node, or none"),
            (all(map(capacity_of, cluster.node_sizings)), "node_sizings: nobody sells one of them"),
        )
        return next((why for holds, why in checks if not holds), None)

    def _beginning(self, number: int) -> Cluster:
        """What a placed cluster is where nothing else is said: small, standalone, in service 123."""
        return Cluster(
            number=number,
            id=9_000_000 + number,
            name=f"placed{number}",
            product_code="deb12pg16",
            sizing="2cpu4gb",
            disk=40,
            service_id=123,
            network_id=132,
            topology=STANDALONE,
            trigram="tri",
            lag=10,
            area="EB-QA",
            zone="EB-A",
            tls=True,
            node_prefix=f"PG{number}",
            status=ACTIVE,
            created_at=self._world.founding.epoch,
            created_by="jdoe",
            address_index=self._world.next_address_index(132),
        )


def _plain(status: HTTPStatus, body: object) -> Reply:
    return Reply(status, body, media_type="application/json")
