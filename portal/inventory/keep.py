"""Keeps what ITCare tells of clusters and services in their rows: what differs is written, what is left out stays."""

from django.db.models.functions import Now

from portal.inventory.models import Cluster, Service


def keep_cluster(cluster: Cluster, told: dict[str, object], **marks: object) -> None:
    """Update what differs, and the marks; what is known counts as changed only when something differs."""
    differing = {name: value for name, value in told.items() if getattr(cluster, name) != value}
    came_back = cluster.gone_at is not None
    if {name for name in differing if name != "wanted_at"} or came_back:
        marks["changed_at"] = Now()
    Cluster.objects.filter(pk=cluster.pk).update(**differing, **marks)
    for name, value in differing.items():
        if name != "wanted_at":
            setattr(cluster, name, value)


def keep_service(number: int | None, name: str | None, environment: str | None, cloud: str | None) -> int | None:
    """Note a service by its upstream number, and what was not known of it; answers our number, None without one."""
    if number is None:
        return None
    service, _ = Service.objects.get_or_create(upstream_id=number)
    told = known_of(name=text(name, 200), environment=text(environment, 40), cloud_name=text(cloud, 200))
    missing = {key: value for key, value in told.items() if not getattr(service, key)}
    if missing:
        Service.objects.filter(pk=service.pk).update(**missing)
    return service.pk


def text(value: str | None, length: int) -> str:
    """Return a text of ITCare cut to what its column takes; empty for none."""
    return (value or "")[:length]


def known_of(**told: object) -> dict[str, object]:
    """Return what ITCare really told: what is null or empty is left out, so that it erases nothing that is known."""
    return {name: value for name, value in told.items() if value not in (None, "")}
