"""Clusters and what belongs to them, and the resources of other products."""

from typing import Any

from sandbox.answers.moments import midnight, moment
from sandbox.answers.places import address, network_item
from sandbox.world.catalogue import (
    DAY,
    EXTENSIONS,
    LIFECYCLES,
    Lifecycle,
    capacity_of,
    debian_of,
    upgrades_of,
    version_of,
)
from sandbox.world.model import ACTIVE, HA, Cluster, Other
from sandbox.world.places import AREAS, DATA_CENTRES, NETWORKS, SERVICES, Service

KIND = "POSTGRESQL"
CATEGORY = "MANAGED_DATABASE"
PATH = "/databases/postgresql"
FORMATTED = 0.98  # share of a disk that is left after formatting


def summary(cluster: Cluster, *, epoch: float, now: float) -> dict[str, Any]:
    """One item of /compute/resources (API.md 8)."""
    version = version_of(cluster.product_code) or 0
    return {
        **_owner(SERVICES[cluster.service_id]),
        "id": cluster.id,
        "internalResourceId": cluster.number,
        "name": cluster.name,
        "category": CATEGORY,
        "type": KIND,
        "family": KIND,
        "resourceType": KIND,
        "path": PATH,
        "status": cluster.status,
        "productName": f"PostgreSQL {version}",
        "supportLevel": "24x7" if SERVICES[cluster.service_id].environment == "PRODUCTION" else "BUSINESS_HOURS",
        "supportPhase": LIFECYCLES[version].phase((now - epoch) / DAY),
        "comment": cluster.comment,
        "creationTime": moment(cluster.created_at),
        "creationUser": cluster.created_by,
    }


def other_summary(other: Other) -> dict[str, Any]:
    """One item of /compute/resources that is no PostgreSQL."""
    return {
        **_owner(SERVICES[other.service_id]),
        "id": other.id,
        "internalResourceId": other.number,
        "name": other.name,
        "category": other.category,
        "type": other.type,
        "family": other.family,
        "resourceType": other.type,
        "path": other.path,
        "status": ACTIVE,
        "productName": other.product_name,
        "creationTime": moment(other.created_at),
        "creationUser": "jdoe",
    }


def detail(cluster: Cluster, *, epoch: float, now: float) -> dict[str, Any]:
    """GET /databases/postgresql/{id} (API.md 7.4)."""
    version = version_of(cluster.product_code) or 0
    cpu, ram = capacity_of(cluster.sizing) or (0, 0)
    told = {
        **summary(cluster, epoch=epoch, now=now),
        **_place(cluster),
        **_lifecycle(LIFECYCLES[version], epoch),
        "label": cluster.name,
        "prettyLabel": f"{cluster.name} (PostgreSQL {version})",
        "technology": KIND,
        "internalType": KIND,
        "serviceKey": f"SVC{cluster.service_id}",
        "area": cluster.area,
        "networkId": cluster.network_id,
        "topology": cluster.topology,
        "version": str(version),
        "productCode": cluster.product_code,
        "productVersion": str(version),
        "nodeSizing": cluster.sizing,
        "sizing": cluster.sizing,
        "cpu": cpu,
        "ram": ram,
        "storage": cluster.disk,
        "instanceCount": cluster.nodes,
        "nodeCount": cluster.nodes,
        "tlsEnabled": cluster.tls,
        "trigram": cluster.trigram,
        "allowedReplicationLag": cluster.lag,
        "backupStatus": cluster.backed_up,
        "replicationStatus": cluster.topology == HA and cluster.status == ACTIVE,
        "monitoringRequested": cluster.monitored,
        "allowMonitoringDisplay": cluster.monitored,
        "metrologyUrl": f"https://metrology.example.com/{cluster.name}" if cluster.monitored else "",
    }
    if cluster.addressed:
        told["ipAddress"] = address(NETWORKS[cluster.network_id], cluster.address_index)
        told["url"] = f"{cluster.name}.pg.cegedim.cloud"
    return told


def nodes(cluster: Cluster, *, epoch: float) -> list[dict[str, Any]]:
    """The nodes that stand by now (API.md 7.5)."""
    return [_node(cluster, place, epoch) for place in range(1, cluster.nodes + 1)]


def databases(cluster: Cluster) -> list[dict[str, Any]]:
    """The databases (API.md 7.5)."""
    return [{"name": name} for name in cluster.databases]


def extensions(cluster: Cluster) -> list[dict[str, Any]]:
    """A catalogue for the cluster's version (API.md A9); empty until PostgreSQL is there."""
    version = version_of(cluster.product_code)
    if not cluster.databases:
        return []
    beyond = [
        {"name": name, "version": "1.0", "comment": "", "link": "", "requiresRestarting": False}
        for name in cluster.offered
    ]
    return beyond + [
        {
            "name": name,
            "version": f"1.{place + (version or 0) % 10}",
            "comment": comment,
            "link": f"https://www.postgresql.org/docs/{version}/{page}.html",
            "requiresRestarting": restart,
        }
        for place, (name, comment, restart, page) in enumerate(EXTENSIONS)
    ]


def network_of(cluster: Cluster) -> dict[str, Any]:
    """The network as one object (API.md A8), with the cluster's own address once it has one."""
    network = NETWORKS[cluster.network_id]
    told = network_item(network)
    if cluster.addressed:
        told["ipAddress"] = address(network, cluster.address_index)
    return told


def versions(cluster: Cluster) -> list[int]:
    """The versions one may upgrade to (API.md A11)."""
    return list(upgrades_of(cluster.product_code))


def _owner(service: Service) -> dict[str, Any]:
    return {
        "serviceId": service.id,
        "serviceName": service.name,
        "environment": service.environment,
        "cloudId": service.cloud_id,
        "cloudName": service.cloud_name,
    }


def _place(cluster: Cluster) -> dict[str, Any]:
    return {
        "labelRegion": AREAS[cluster.area].region,
        "labelArea": cluster.area,
        "labelAvailabilityZone": cluster.zone,
        "labelDataCenter": DATA_CENTRES[cluster.zone],
    }


def _lifecycle(lifecycle: Lifecycle, epoch: float) -> dict[str, Any]:
    return {
        "releasedAt": midnight(epoch + DAY * lifecycle.released),
        "endOfSalesAt": midnight(epoch + DAY * lifecycle.end_of_sales),
        "extendedSupportAt": midnight(epoch + DAY * lifecycle.extended),
        "endOfSupportAt": midnight(epoch + DAY * lifecycle.end_of_support),
    }


def _node(cluster: Cluster, place: int, epoch: float) -> dict[str, Any]:
    version, debian = version_of(cluster.product_code) or 0, debian_of(cluster.product_code)
    cpu, ram = capacity_of(cluster.node_sizing(place)) or (0, 0)
    name = cluster.node_name(place)
    zone = AREAS[cluster.area].zone_of(place, first=cluster.zone)
    return {
        **_owner(SERVICES[cluster.service_id]),
        **_place(cluster),
        **_lifecycle(LIFECYCLES[version], epoch),
        "labelAvailabilityZone": zone,
        "labelDataCenter": DATA_CENTRES[zone],
        "id": cluster.id * 10 + place,
        "internalResourceId": cluster.number + place,
        "name": name,
        "label": name,
        "prettyLabel": f"{name} ({cluster.name})",
        "category": CATEGORY,
        "type": "LINUX",
        "family": "DEBIAN",
        "resourceType": "INSTANCE",
        "parentResourceType": KIND,
        "path": "/compute/instances",
        "status": cluster.node_status(place),
        "cpu": cpu,
        "ram": ram,
        "storage": round(cluster.disk * FORMATTED, 1),
        "ipAddress": address(NETWORKS[cluster.network_id], cluster.address_index + place),
        "osType": "LINUX",
        "osName": f"Debian {debian}",
        "imageCode": f"deb{debian}",
        "productCode": f"deb{debian}",
        "productName": f"Debian {debian}",
        "productVersion": debian,
        "ntpServers": ["ntp1.example.com", "ntp2.example.com"],
        "backupStatus": cluster.backed_up,
        "replicationStatus": cluster.topology == HA,
        "monitoringRequested": cluster.monitored,
        "storageMoveInProgress": False,
        "isMemberOFLoadBalancer": False,
        "firewallEnable": True,
        "manageSentinelOne": True,
        "creationTime": moment(cluster.created_at),
        "creationUser": cluster.created_by,
    }
