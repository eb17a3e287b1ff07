"""What ITCare tells, as frozen values built from known keys (API.md 6 to 11).

Everything that the API does not promise is optional; `reading` builds these, and reads a wrong type as None.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# The documented words for how an action stands: its two ends, and on the way (API.md 6).
SUCCESS: Final = "SUCCESS"
ERROR: Final = "ERROR"
IN_PROGRESS: Final = "IN_PROGRESS"


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list that may span pages.

    Attributes:
        items: what was read.
        complete: False when a page was missing, short, repeated or odd, or an item could not be read. What is absent
            from an incomplete listing may exist all the same.
    """

    items: tuple[T, ...]
    complete: bool

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Action:
    """An asynchronous piece of work (API.md 6).

    Attributes:
        id: the number under which it is followed (A19).
        status: ITCare's own word; `succeeded`, `failed` and `running` judge it.
        process: code of the work; PostgreSQL's codes are unknown (A20), so nothing may hang on it.
    """

    id: int
    internal_id: int | None = None
    status: str = ""
    process: str | None = None
    family: str | None = None
    message: str | None = None
    resource_name: str | None = None
    resource_type: str | None = None
    submitted_at: datetime | None = None
    submitted_by: str | None = None
    last_updated_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it ended well: SUCCESS is the one documented word for it."""
        return self.status == SUCCESS

    @property
    def failed(self) -> bool:
        """Whether it ended badly."""
        return self.status == ERROR

    @property
    def running(self) -> bool:
        """Whether it goes on; a status never heard of counts as running."""
        return not (self.succeeded or self.failed)


@dataclass(frozen=True)
class Actions(Listing[Action]):
    """Actions, with the upstream's clock when it listed them (`Date` header), for watermarks (SAFETY 1 rule 6)."""

    server_time: datetime | None = None


@dataclass(frozen=True)
class Accepted:
    """A write that ITCare took.

    Attributes:
        status: the HTTP status, 200 and 202 alike (API.md 7).
        action: the work it started; None when the answer had no readable one: accepted all the same, never sent again.
        correlation_id: the `X-Correlation-ID` it was sent with.
        finished: the answer already tells of an end, good or bad; see `action`.
    """

    status: int
    action: Action | None
    correlation_id: str
    finished: bool = False


@dataclass(frozen=True)
class ResourceSummary:
    """An item of `GET /compute/resources` (API.md 8).

    Attributes:
        path_ids: the numbers that may address its details, in the order to try them (A5).
    """

    path_ids: tuple[int, ...]
    id: int | None = None
    internal_resource_id: int | None = None
    name: str | None = None
    category: str | None = None
    type: str | None = None
    family: str | None = None
    resource_type: str | None = None
    path: str | None = None
    status: str | None = None
    environment: str | None = None
    cloud_id: int | None = None
    cloud_name: str | None = None
    service_id: int | None = None
    service_name: str | None = None
    product_name: str | None = None
    support_level: str | None = None
    support_phase: str | None = None
    comment: str | None = None
    creation_time: datetime | None = None
    creation_user: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Resource:
    """What clusters and their nodes have in common (API.md 7.4, 7.5). `cpu` in virtual CPUs, `ram` in GB.

    Attributes:
        creation_time: the API documents a plain string; None when it is not a date.
    """

    id: int | None = None
    internal_resource_id: int | None = None
    name: str | None = None
    label: str | None = None
    pretty_label: str | None = None
    path: str | None = None
    category: str | None = None
    type: str | None = None
    family: str | None = None
    resource_type: str | None = None
    internal_type: str | None = None
    technology: str | None = None
    comment: str | None = None
    status: str | None = None
    backup_status: bool | None = None
    replication_status: bool | None = None
    monitoring_requested: bool | None = None
    metrology_url: str | None = None
    cpu: int | None = None
    ram: int | None = None
    label_area: str | None = None
    label_availability_zone: str | None = None
    label_data_center: str | None = None
    label_region: str | None = None
    ip_address: str | None = None
    service_id: int | None = None
    service_key: str | None = None
    service_name: str | None = None
    cloud_id: int | None = None
    cloud_name: str | None = None
    environment: str | None = None
    creation_user: str | None = None
    creation_time: datetime | None = None
    product_code: str | None = None
    product_name: str | None = None
    product_version: str | None = None
    released_at: datetime | None = None
    end_of_sales_at: datetime | None = None
    extended_support_at: datetime | None = None
    end_of_support_at: datetime | None = None
    support_level: str | None = None
    support_phase: str | None = None


@dataclass(frozen=True)
class PatchParty:
    """How a resource takes part in patching (API.md 7.4, 13)."""

    excluded: bool | None = None
    exclusion_reason: str | None = None
    patch_group: str | None = None
    patch_date: datetime | None = None
    patch_tag: str | None = None


@dataclass(frozen=True)
class Backup:
    """The last backup of a resource (API.md 7.4); its size has no documented unit and is left out."""

    backup_system: str | None = None
    type: str | None = None
    last_date: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Cluster(_Resource):
    """A PostgreSQL cluster (API.md 7.4). `allowed_replication_lag` in MB.

    Attributes:
        path_id: the number it was asked for by, which further calls take; `id` and `internal_resource_id` are what the
            answer says.
        storage: GB on each data node.
        patch_party, backup, backup_policies: told of instances, perhaps of clusters too.
    """

    path_id: int
    patch_party: PatchParty | None = None
    backup: Backup | None = None
    backup_policies: tuple[str, ...] | None = None
    url: str | None = None
    trigram: str | None = None
    allow_monitoring_display: bool | None = None
    storage: int | None = None
    sizing: str | None = None
    node_sizing: str | None = None
    node_count: int | None = None
    instance_count: int | None = None
    topology: str | None = None
    tls_enabled: bool | None = None
    allowed_replication_lag: int | None = None
    version: str | None = None
    area: str | None = None
    network_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Node(_Resource):
    """A virtual machine of a cluster (API.md 7.5); `storage` in GB after formatting.

    No field tells which one is primary.
    """

    parent_resource_type: str | None = None
    storage: float | None = None
    total_size_disks: str | None = None
    storage_move_in_progress: bool | None = None
    os_name: str | None = None
    os_type: str | None = None
    image_code: str | None = None
    authentication_domain: str | None = None
    ntp_servers: tuple[str, ...] = ()
    relay_host: str | None = None
    # The API spells it with a capital F.
    is_member_of_load_balancer: bool | None = field(default=None, metadata={"key": "isMemberOFLoadBalancer"})
    is_internal_ingress_node: bool | None = None
    is_external_ingress_node: bool | None = None
    firewall_enable: bool | None = None
    firewall_purge: bool | None = None
    firewall_block_intra_subnet_traffic: bool | None = None
    manage_sentinel_one: bool | None = None
    enable_profile_base_ntp: bool | None = None
    enable_profile_base_resolve: bool | None = None


@dataclass(frozen=True)
class Database:
    """A database of a cluster (API.md 7.5)."""

    name: str


@dataclass(frozen=True)
class Extension:
    """An extension that the cluster offers (API.md 7.5, A9)."""

    name: str
    version: str | None = None
    comment: str | None = None
    link: str | None = None
    requires_restarting: bool | None = None


@dataclass(frozen=True)
class Network:
    """A network (API.md 7.5, 10). `used_percent` from 0 to 100."""

    id: int
    cidr: str | None = None
    mask: str | None = None
    gateway: str | None = None
    ip_address: str | None = None
    area: str | None = None
    region: str | None = None
    cloud: str | None = None
    environment: str | None = None
    scope: str | None = None
    technical_id: str | None = None
    description: str | None = None
    short_description: str | None = None
    network_short_description: str | None = None
    default_network: bool | None = None
    is_ip_range_public: bool | None = None
    ip_free_number: int | None = None
    used_percent: int | None = None


@dataclass(frozen=True)
class Service:
    """A service, to which resources belong (API.md 9, A2)."""

    id: int
    name: str | None = None
    environment: str | None = None
    cloud_id: int | None = None
    cloud_name: str | None = None


@dataclass(frozen=True)
class AvailabilityZone:
    """A zone of an area (API.md 11, A4)."""

    name: str
    label: str | None = None


@dataclass(frozen=True)
class Area:
    """An area of a region (API.md 11, A4)."""

    name: str
    default: bool | None = None
    availability_zones: tuple[AvailabilityZone, ...] = ()


@dataclass(frozen=True)
class Region:
    """A region with its areas (API.md 11, A4)."""

    name: str
    label: str | None = None
    areas: tuple[Area, ...] = ()
