"""POST /databases/postgresql (API.md 7.1)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sandbox.exchange import invalid, refusal
from sandbox.world.catalogue import OLDEST_OFFERED, capacity_of, debian_of, version_of
from sandbox.world.model import ACTIVE, CREATING, HA, SUCCESS, Cluster, Step
from sandbox.world.places import AREAS, NETWORKS, SERVICES, Network, default_area
from sandbox.world.stories import Order
from sandbox.world.world import World

UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY


def order(world: World, body: Mapping[str, Any], *, account: str) -> Order:
    """The order of a new cluster.

    Raises:
        Refusal: 409 for a name that is taken, 422 for something that does not exist or does not fit together.
    """
    if world.named(body["name"]) is not None:
        raise refusal(HTTPStatus.CONFLICT, code="ALREADY_EXISTS", field_name="name", why="a resource has this name")
    version = version_of(body["productCode"])
    if version is None or version < OLDEST_OFFERED:
        raise invalid(field_name="productCode", why="no such product is offered", status=UNPROCESSABLE)
    if capacity_of(body["nodeSizing"]) is None:
        raise invalid(field_name="nodeSizing", why="no such size is offered", status=UNPROCESSABLE)
    if body["serviceId"] not in SERVICES:
        raise invalid(field_name="serviceId", why="no such service", status=UNPROCESSABLE)
    network = NETWORKS.get(body["networkId"])
    if network is None:
        raise invalid(field_name="networkId", why="no such network", status=UNPROCESSABLE)
    area, zone = _place(network, body.get("area"), body.get("az"))
    number, listed_id = world.next_identity()
    production = SERVICES[body["serviceId"]].environment == "PRODUCTION"
    cluster = Cluster(
        number=number,
        id=listed_id,
        name=body["name"].lower(),
        product_code=body["productCode"],
        sizing=body["nodeSizing"],
        disk=body["diskSize"],
        service_id=body["serviceId"],
        network_id=network.id,
        topology=body["topology"],
        trigram=body["trigram"],
        lag=body["allowedReplicationLag"],
        area=area,
        zone=zone,
        tls=body.get("tls", False),
        node_prefix=body.get("nodePrefix", body["name"].upper()),
        status=CREATING,
        created_at=round(world.now(), 3),
        created_by=account,
        address_index=world.next_address_index(network.id),
        addressed=False,
        nodes=0,
        databases=(),
        backed_up=False,
        monitored=False,
    )
    return Order(
        process="postgresql_create",
        cluster=cluster,
        steps=_story(cluster, network, monitored=production),
        undone={},
        removed_when_undone=True,
    )


def _place(network: Network, area_name: str | None, zone: str | None) -> tuple[str, str]:
    """Area and zone; the region's default area stands in for one that is not given (API.md 7.1 and 11)."""
    if area_name is not None and area_name not in AREAS:
        raise invalid(field_name="area", why="no such area", status=UNPROCESSABLE)
    if zone is not None and not any(zone in area.zones for area in AREAS.values()):
        raise invalid(field_name="az", why="no such availability zone", status=UNPROCESSABLE)
    # A network lies in one area: without a word on it, a zone that the network's area has is meant there.
    own = AREAS[network.area]
    implied = own if zone in own.zones else default_area(network.region)
    area = AREAS[area_name] if area_name is not None else implied
    if network.area != area.name:
        raise invalid(field_name="networkId", why=f"the network is not in area {area.name}", status=UNPROCESSABLE)
    if zone is not None and zone not in area.zones:
        raise invalid(field_name="az", why=f"the zone is not in area {area.name}", status=UNPROCESSABLE)
    return area.name, zone if zone is not None else area.zones[0]


def _story(cluster: Cluster, network: Network, *, monitored: bool) -> tuple[Step, ...]:
    version, debian = version_of(cluster.product_code), debian_of(cluster.product_code)
    cpu, ram = capacity_of(cluster.sizing) or (0, 0)
    node = f"{cpu} vCPU, {ram} GB of memory, {cluster.disk} GB of disk"
    steps = [
        Step(0.0, "Order received"),
        Step(4.0, f"Checking capacity in {cluster.zone}"),
        Step(10.0, f"Allocating addresses in network {network.technical_id}", {"addressed": True}),
    ]
    steps += [
        Step(8.0 + 10.0 * count, f"Creating node {cluster.node_prefix}{count:02d}: {node}", {"nodes": count})
        for count in range(1, cluster.size + 1)
    ]
    at = steps[-1].after
    if cluster.topology == HA:
        words = f"Installing PostgreSQL {version} on Debian {debian}, replication with at most {cluster.lag} MB of lag"
        steps.append(Step(at + 12.0, words, {"databases": ["postgres"]}))
    else:
        steps.append(Step(at + 14.0, f"Installing PostgreSQL {version} on Debian {debian}"))
        steps.append(
            Step(at + 34.0, "Creating database postgres and the administrator's role", {"databases": ["postgres"]})
        )
    kept = {"backed_up": True, "monitored": monitored}
    steps.append(Step(steps[-1].after + 12.0, "Setting up backup and monitoring", kept))
    steps.append(Step(steps[-1].after + 10.0, f"Cluster {cluster.name} is ready", {"status": ACTIVE}, status=SUCCESS))
    return tuple(steps)
