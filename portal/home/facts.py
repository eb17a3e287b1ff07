"""What is worth a person's time of what ITCare tells about a cluster, with its labels."""

from datetime import datetime

from portal.inventory.models import Cluster


def facts(cluster: Cluster) -> list[tuple[str, str]]:
    """Return labels and values; what ITCare does not tell is left out."""
    area = f"area {cluster.area}" if cluster.area else ""
    zone = f"zone {cluster.zone}" if cluster.zone else ""
    place = [cluster.region, area, zone]
    told = [
        ("Version", f"PostgreSQL {cluster.version}" if cluster.version else cluster.product_name),
        ("Size", cluster.size_words),
        ("Topology", cluster.topology_words),
        ("Nodes", str(cluster.node_count or "")),
        ("Environment", cluster.environment.capitalize()),
        ("Place", ", ".join(part for part in place if part)),
        ("Data centre", cluster.data_center),
        ("Address", cluster.ip_address),
        ("TLS", _yes(cluster.tls_enabled, "on", "off")),
        ("Allowed replication lag", f"{cluster.allowed_replication_lag} MB" if cluster.allowed_replication_lag else ""),
        ("Backed up", _yes(cluster.backup_status)),
        ("Replicated", _yes(cluster.replication_status)),
        ("Monitored", _yes(cluster.monitoring_requested)),
        ("Product", cluster.product_code),
        ("Trigram", cluster.trigram),
        ("Support", " ".join(part for part in (cluster.support_phase, cluster.support_level) if part)),
        ("Created by", cluster.creation_user),
        ("Comment", cluster.comment),
    ]
    return [(label, value) for label, value in told if value]


def dates(cluster: Cluster) -> list[tuple[str, datetime]]:
    """Return the dates of its life and of its version's support."""
    told = [
        ("Created", cluster.creation_time),
        ("End of sale", cluster.end_of_sales_at),
        ("Extended support from", cluster.extended_support_at),
        ("Supported until", cluster.end_of_support_at),
    ]
    return [(label, at) for label, at in told if at is not None]


def connection(cluster: Cluster) -> str:
    """Return the psql line that leads to it, if its host is known (API.md 14)."""
    if not cluster.url or not all(character.isalnum() or character in ".-" for character in cluster.url):
        return ""
    mode = "verify-full" if cluster.tls_enabled else "prefer"
    return f'psql "host={cluster.url} port=5432 dbname=postgres sslmode={mode}"'


def _yes(value: bool | None, yes: str = "yes", no: str = "no") -> str:  # noqa: FBT001 - a fact, not a switch
    return "" if value is None else yes if value else no
