"""What exists at ITCare, as last read: services, places, networks, clusters and their parts."""

from portal.inventory.models.clusters import ACTIVE, INACTIVE, Cluster, ClusterQuerySet
from portal.inventory.models.parts import Attachment, Database, Extension, Node
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
    "INACTIVE",
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
    "Region",
    "Service",
    "ServiceQuerySet",
    "Sync",
    "Zone",
    "granted",
]
