"""Services, networks, regions, areas and zones: fixed, so that their ids can be written down (README.md)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """Owner of resources; its name reads `CLOUD - APPLICATION - ENV` (API.md 8)."""

    id: int
    name: str
    environment: str
    cloud_id: int
    cloud_name: str

    @property
    def application(self) -> str:
        """The middle part of the name, in small letters."""
        return self.name.split(" - ")[1].lower()


@dataclass(frozen=True)
class Network:
    """A network that a cluster can be placed in (API.md 7.5 and 10)."""

    id: int
    technical_id: str
    cidr: str
    region: str
    area: str
    environment: str
    cloud: str
    scope: str = "private"
    description: str = "Backend"


@dataclass(frozen=True)
class Area:
    """A low-latency area of a region, with its availability zones (API.md 11)."""

    name: str
    region: str
    default: bool
    zones: tuple[str, ...]

    def zone_of(self, place: int, *, first: str) -> str:
        """Zone of the node at that place, counted from 1: the nodes of a cluster are spread over the area."""
        return self.zones[(self.zones.index(first) + place - 1) % len(self.zones)]


REGION_LABELS = {"EB": "Boulogne-Billancourt", "ET": "Labege"}
DATA_CENTRES = {"EB-A": "EB4", "EB-B": "EB5", "EB-C": "EB4", "ET-A": "ET1", "ET-B": "ET2"}

AREAS = {
    area.name: area
    for area in (
        Area("EB", "EB", default=True, zones=("EB-A", "EB-B", "EB-C")),
        Area("EB-QA", "EB", default=False, zones=("EB-A", "EB-B")),
        Area("ET", "ET", default=True, zones=("ET-A", "ET-B")),
    )
}

SERVICES = {
    service.id: service
    for service in (
        Service(123, "ACME - BILLING - DEV", "DEVELOPMENT", 11, "ACME"),
        Service(124, "ACME - BILLING - QA", "QA", 11, "ACME"),
        Service(125, "ACME - BILLING - PROD", "PRODUCTION", 11, "ACME"),
        Service(126, "ACME - SHOP - DEV", "DEVELOPMENT", 11, "ACME"),
        Service(127, "ACME - SHOP - TEST", "TEST", 11, "ACME"),
        Service(128, "ACME - SHOP - PROD", "PRODUCTION", 11, "ACME"),
        Service(201, "GLOBEX - CLAIMS - DEV", "DEVELOPMENT", 12, "GLOBEX"),
        Service(202, "GLOBEX - CLAIMS - QA", "QA", 12, "GLOBEX"),
        Service(203, "GLOBEX - CLAIMS - PROD", "PRODUCTION", 12, "GLOBEX"),
        Service(204, "GLOBEX - LEDGER - TEST", "TEST", 12, "GLOBEX"),
        Service(205, "GLOBEX - LEDGER - PROD", "PRODUCTION", 12, "GLOBEX"),
        Service(206, "GLOBEX - REPORTS - DEV", "DEVELOPMENT", 12, "GLOBEX"),
    )
}

NETWORKS = {
    network.id: network
    for network in (
        Network(132, "EB_1125_DMZ8", "10.59.13.0/24", "EB", "EB-QA", "DEVELOPMENT", "ACME"),
        Network(133, "EB_1126_QA1", "10.59.16.0/20", "EB", "EB-QA", "QA", "ACME"),
        Network(134, "EB_1127_TST1", "10.59.32.0/20", "EB", "EB-QA", "TEST", "ACME"),
        Network(141, "EB_1201_PRD1", "10.60.0.0/20", "EB", "EB", "PRODUCTION", "ACME"),
        Network(142, "EB_1202_DEV1", "10.60.16.0/20", "EB", "EB", "DEVELOPMENT", "ACME"),
        Network(151, "ET_2101_PRD1", "10.70.0.0/20", "ET", "ET", "PRODUCTION", "ACME"),
        Network(231, "EB_1301_PRD2", "10.61.0.0/20", "EB", "EB", "PRODUCTION", "GLOBEX"),
        Network(232, "EB_1302_QA2", "10.61.16.0/20", "EB", "EB-QA", "QA", "GLOBEX"),
        Network(233, "EB_1303_DEV2", "10.61.32.0/20", "EB", "EB-QA", "DEVELOPMENT", "GLOBEX"),
        Network(234, "ET_2201_TST2", "10.71.0.0/20", "ET", "ET", "TEST", "GLOBEX"),
        Network(251, "ET_2202_PRD2", "10.71.16.0/20", "ET", "ET", "PRODUCTION", "GLOBEX"),
        Network(190, "EB_1900_INTERCO1", "10.90.0.0/24", "EB", "EB", "PRODUCTION", "ACME", "interco", "Interlink"),
    )
}


def networks_for(service: Service) -> list[Network]:
    """Private networks of the service's cloud and environment, in the order of their ids; never empty."""
    return [
        network
        for network in sorted(NETWORKS.values(), key=lambda each: each.id)
        if (network.cloud, network.environment, network.scope) == (service.cloud_name, service.environment, "private")
    ]


def default_area(region: str) -> Area:
    """The area meant when a create names none (API.md 11)."""
    return next(area for area in AREAS.values() if area.region == region and area.default)
