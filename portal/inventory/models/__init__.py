"""What exists at ITCare, as last read: services, places, networks, clusters and their parts."""

from portal.inventory.models.clusters import (
    ACTIVE,
    GONE,
    INACTIVE,
    MAJOR_DIGITS,
    MINORS,
    NO_END,
    Cluster,
    ClusterQuerySet,
    Origin,
)
from portal.inventory.models.parts import Attachment, Database, Extension, Node, Part, PartName
from portal.inventory.models.places import (
    PRODUCTION,
    Area,
    Grant,
    Network,
    Region,
    Service,
    ServiceQuerySet,
    Zone,
    granted,
)
from portal.inventory.models.syncs import Sync

__all__ = [
    "ACTIVE",
    "GONE",
    "INACTIVE",
    "MAJOR_DIGITS",
    "MINORS",
    "NO_END",
    "PRODUCTION",
    "Area",
    "Attachment",
    "Cluster",
    "ClusterQuerySet",
    "Database",
    "Extension",
    "Grant",
    "Network",
    "Node",
    "Origin",
    "Part",
    "PartName",
    "Region",
    "Service",
    "ServiceQuerySet",
    "Sync",
    "Zone",
    "granted",
]
