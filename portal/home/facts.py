"""What is worth a person's time of what ITCare tells about a cluster, grouped, with its labels (API.md 7.4)."""

from portal.inventory.models import Cluster
from portal.web.facts import Facts, Link, Told, known
from portal.web.looks import words_of


def groups(cluster: Cluster) -> list[Facts]:
    """Return what ITCare tells, in groups; what it does not tell is left out, and so is a group without anything."""
    told: list[tuple[str, list[Told]]] = [
        ("Identity", _identity(cluster)),
        ("Place", _place(cluster)),
        ("Size", _size(cluster)),
        ("Version and support", _version(cluster)),
        ("Network", _network(cluster)),
        ("Backup", _backup(cluster)),
        ("Patching", _patching(cluster)),
        ("Replication", _replication(cluster)),
        ("Monitoring", _monitoring(cluster)),
    ]
    found = [known(title, rows) for title, rows in told]
    return [group for group in found if group.rows]


def _identity(cluster: Cluster) -> list[Told]:
    numbers = [str(cluster.upstream_id), str(cluster.resource_id or "")]
    return [
        ("Service", str(cluster.service or "")),
        ("Cloud", cluster.service.cloud_name if cluster.service else ""),
        ("Environment", words_of(cluster.environment)),
        ("Trigram", cluster.trigram),
        ("Numbers at ITCare", ", ".join(number for number in dict.fromkeys(numbers) if number)),
        ("Created", cluster.creation_time),
        ("Created by", cluster.creation_user),
        ("Comment", cluster.comment),
        ("Protected from deletion", "yes" if cluster.protected else ""),
    ]


def _place(cluster: Cluster) -> list[Told]:
    return [
        ("Region", cluster.region),
        ("Area", cluster.area),
        ("Availability zone", cluster.zone),
        ("Data centre", cluster.data_center),
    ]


def _size(cluster: Cluster) -> list[Told]:
    return [
        ("Size", cluster.sizing),
        ("CPU", str(cluster.cpu or "")),
        ("Memory", _gb(cluster.ram)),
        ("Disk of each data node", _gb(cluster.storage)),
        ("Nodes", str(cluster.node_count or "")),
    ]


def _version(cluster: Cluster) -> list[Told]:
    return [
        ("Version", f"PostgreSQL {cluster.version}" if cluster.version else cluster.product_name),
        ("Product", cluster.product_code),
        ("Support", ", ".join(words_of(part) for part in (cluster.support_phase, cluster.support_level) if part)),
        ("Released", cluster.released_at),
        ("End of sale", cluster.end_of_sales_at),
        ("Extended support from", cluster.extended_support_at),
        ("Supported until", cluster.end_of_support_at),
        ("Support now", cluster.support_look if cluster.support_ended else None),
    ]


def _network(cluster: Cluster) -> list[Told]:
    return [
        ("Host", cluster.url),
        ("Address", cluster.ip_address),
        ("TLS", _yes(cluster.tls_enabled, "on", "off")),
        ("Number of the network", str(cluster.network_id or "")),
    ]


def _backup(cluster: Cluster) -> list[Told]:
    return [
        ("Backed up", _yes(cluster.backup_status)),
        ("Last backup", cluster.backup_at),
        ("System", cluster.backup_system),
        ("Type", cluster.backup_type),
        ("Policies", cluster.backup_policies),
    ]


def _patching(cluster: Cluster) -> list[Told]:
    return [
        ("Patching", _yes(cluster.patch_excluded, "left out", "takes part")),
        ("Why it is left out", cluster.exclusion_reason if cluster.patch_excluded else ""),
        ("Patch group", cluster.patch_group),
        ("Patched", cluster.patched_at),
        ("Patch tag", cluster.patch_tag),
    ]


def _replication(cluster: Cluster) -> list[Told]:
    lag = cluster.allowed_replication_lag
    return [
        ("Topology", cluster.topology_words),
        ("Replicated", _yes(cluster.replication_status)),
        ("Allowed lag", f"{lag} MB" if lag else ""),
    ]


def _monitoring(cluster: Cluster) -> list[Told]:
    link = cluster.safe_metrology_url
    return [
        ("Monitored", _yes(cluster.monitoring_requested)),
        ("Measurements", Link("At cegedim.cloud", link) if link else None),
    ]


def _gb(size: int | None) -> str:
    return f"{size} GB" if size else ""


def _yes(value: bool | None, yes: str = "yes", no: str = "no") -> str:  # noqa: FBT001 - a fact, not a switch
    return "" if value is None else yes if value else no
