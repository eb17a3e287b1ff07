"""Services, networks and regions."""

import ipaddress
from typing import Any

from sandbox.world.places import AREAS, REGION_LABELS, Network, Service

FIRST_HOST = 10  # the first addresses of a network belong to its routers


def address(network: Network, index: int) -> str:
    """The address at that place of the network; places come round again in a network that is full."""
    hosts = ipaddress.ip_network(network.cidr)
    return str(hosts[FIRST_HOST + index % (hosts.num_addresses - FIRST_HOST - 1)])


def network_item(network: Network) -> dict[str, Any]:
    """One item of /networks (API.md A3)."""
    hosts = ipaddress.ip_network(network.cidr)
    used = 20 + network.id % 50
    return {
        "id": network.id,
        "technicalId": network.technical_id,
        "cidr": network.cidr,
        "mask": str(hosts.netmask),
        "gateway": str(hosts[1]),
        "region": network.region,
        "area": network.area,
        "cloud": network.cloud,
        "environment": network.environment,
        "scope": network.scope,
        "description": f"{network.description} network of {network.cloud}, {network.environment.lower()}",
        "shortDescription": network.description,
        "networkShortDescription": network.description,
        "defaultNetwork": network.scope == "private",
        "isIpRangePublic": False,
        "ipFreeNumber": (hosts.num_addresses - 2) * (100 - used) // 100,
        "usedPercent": used,
    }


def service_item(service: Service) -> dict[str, Any]:
    """One item of /compute/services (API.md A2)."""
    return {
        "id": service.id,
        "name": service.name,
        "environment": service.environment,
        "cloudId": service.cloud_id,
        "cloudName": service.cloud_name,
    }


def regions() -> list[dict[str, Any]]:
    """All regions (API.md A4)."""
    return [
        {
            "name": name,
            "label": label,
            "areas": [
                {
                    "name": area.name,
                    "default": area.default,
                    "availabilityZones": [{"name": zone, "label": zone} for zone in area.zones],
                }
                for area in AREAS.values()
                if area.region == name
            ],
        }
        for name, label in REGION_LABELS.items()
    ]
