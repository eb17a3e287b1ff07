"""The data that a world starts with.

Each cluster follows from the seed and its place in the row alone, so that a world can be asked for with more or fewer
clusters and the ones in common stay the same.
"""

import random
from collections import Counter
from collections.abc import Iterator

from sandbox.world.catalogue import DAY
from sandbox.world.model import ACTIVE, HA, INACTIVE, STANDALONE, Cluster, Other
from sandbox.world.places import AREAS, SERVICES, networks_for

FIRST_NUMBER, FIRST_ID = 500_000_000, 5_300_000
NUMBER_STEP = 10  # leaves room for the numbers of a cluster's nodes
ADDRESS_STEP = 4  # one for the cluster and one for each node

NOUNS = ("main", "orders", "users", "ledger", "audit", "events", "stock", "mail", "search", "report", "archive")
DATABASES = ("app", "reporting", "staging", "history", "metabase", "keycloak")
PEOPLE = ("jdoe", "asmith", "mdurand", "plefebvre", "knowak")
VERSIONS = (16, 16, 15, 12, 16, 14, 15, 13, 17, 16, 15, 14, 11)
DEBIAN = {10: 10, 11: 10, 12: 11, 13: 11, 14: 12, 15: 12, 16: 12, 17: 13}
YOUNGEST_DAYS = {10: 1600, 11: 1200, 12: 900, 13: 500, 14: 200, 15: 30, 16: 2, 17: 2}
OLDEST_DAYS = {10: 2500, 11: 2400, 12: 2200, 13: 1800, 14: 1500, 15: 1200, 16: 1000, 17: 600}
SIZINGS = ("2cpu4gb", "2cpu8gb", "4cpu8gb", "4cpu16gb", "8cpu16gb", "8cpu32gb")
DISKS = (40, 60, 80, 120, 250, 500, 1024)
LAGS = (10, 50, 100, 1024)
# Every so many: chosen so that forty clusters have some of each.
STOPPED_EVERY, HA_EVERY = 9, 3

OTHERS = (
    ("COMPUTE", "LINUX", "DEBIAN", "/compute/instances", "Debian 12", "web"),
    ("COMPUTE", "WINDOWS", "WINDOWS", "/compute/instances", "Windows Server 2022", "win"),
    ("MANAGED_DATABASE", "MARIADB", "MARIADB", "/databases/mariadb", "MariaDB 10.11", "maria"),
    ("MANAGED_DATABASE", "REDIS", "REDIS", "/databases/redis", "Redis 7", "cache"),
    ("CONTAINER", "KUBERNETES", "KUBERNETES", "/compute/containers/kubernetes", "Kubernetes 1.30", "kube"),
)


def clusters(seed: int, count: int, epoch: float) -> Iterator[Cluster]:
    """The first clusters of the world of this seed; ages are counted back from `epoch`, in seconds since 1970."""
    services = tuple(SERVICES.values())
    used: Counter[int] = Counter()
    for index in range(count):
        chance = random.Random(f"{seed}/{index}")  # noqa: S311 - made-up data, no secret
        service = services[index % len(services)]
        network = chance.choice(networks_for(service))
        topology = HA if index % HA_EVERY == 0 else STANDALONE
        version = VERSIONS[index % len(VERSIONS)]
        name = f"{service.application}{chance.choice(NOUNS)}{index + 1:02d}"
        address_index, used[network.id] = used[network.id], used[network.id] + ADDRESS_STEP
        yield Cluster(
            number=FIRST_NUMBER + NUMBER_STEP * index,
            id=FIRST_ID + index,
            name=name,
            product_code=f"deb{DEBIAN[version]}pg{version}",
            sizing=chance.choice(SIZINGS),
            disk=chance.choice(DISKS),
            service_id=service.id,
            network_id=network.id,
            topology=topology,
            trigram=service.application[:3],
            lag=chance.choice(LAGS),
            area=network.area,
            zone=chance.choice(AREAS[network.area].zones),
            tls=chance.random() < 0.8,  # noqa: PLR2004 - most have TLS
            node_prefix=f"{service.application[:3].upper()}PG{index + 1:02d}",
            status=INACTIVE if index % STOPPED_EVERY == STOPPED_EVERY - 1 else ACTIVE,
            created_at=round(epoch - DAY * chance.uniform(YOUNGEST_DAYS[version], OLDEST_DAYS[version]), 3),
            created_by=chance.choice(PEOPLE),
            address_index=address_index,
            nodes=3 if topology == HA else 1,
            databases=("postgres", *sorted(chance.sample(DATABASES, chance.randint(1, 4)))),
            backed_up=service.environment == "PRODUCTION" or chance.random() < 0.5,  # noqa: PLR2004 - a coin
            monitored=service.environment == "PRODUCTION" or chance.random() < 0.5,  # noqa: PLR2004 - a coin
        )


def others(seed: int, epoch: float) -> tuple[Other, ...]:
    """A few resources of other products."""
    services = tuple(SERVICES.values())
    made = []
    for index in range(14):
        chance = random.Random(f"{seed}/other/{index}")  # noqa: S311 - made-up data, no secret
        category, type_, family, path, product, word = OTHERS[index % len(OTHERS)]
        made.append(
            Other(
                number=400_000_000 + NUMBER_STEP * index,
                id=4_300_000 + index,
                name=f"{word}{index + 1:02d}",
                category=category,
                type=type_,
                family=family,
                path=path,
                product_name=product,
                service_id=services[index % len(services)].id,
                created_at=round(epoch - DAY * chance.uniform(20, 1500), 3),
            )
        )
    return tuple(made)
