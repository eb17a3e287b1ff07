"""Reads the lists of ITCare that are due: services, networks, regions, resources (API.md 8 to 11)."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from portal import itcare
from portal.audit.record import record
from portal.inventory import fallback
from portal.inventory.keep import known_of, text
from portal.inventory.models import Area, Cluster, Network, Origin, Region, Service, Sync, Zone
from portal.inventory.resources import read_resources

logger = logging.getLogger(__name__)

# What whole lists have been lacking for this long is offered no more: one that was cut short unnoticed does no harm.
UNLISTED_AFTER: Final = timedelta(days=1)
LISTS: Final = ("services", "networks", "regions", "resources")
# Places change rarely: they are read this many times less often than the list of resources.
PLACES_FACTOR: Final = 10
# Seconds of a pass of a worker: one more list must not run into its time limit.
PASS_SECONDS: Final = 30.0
# What is listed was not missed.
_HERE: Final = {"listed_at": Now(), "missed_at": None, "unlisted_at": None}
# Addresses that are guesses (API.md A3, A4): without them choices come from what clusters tell and from the settings.
# Services need none: each cluster names its own.
_FALLBACKS: Final[dict[str, Callable[[], None]]] = {"networks": fallback.networks, "regions": fallback.places}


def sync_lists(client: itcare.Client, *, seconds: float = PASS_SECONDS) -> None:
    """Read the lists that are due: services, networks, regions, resources (API.md 8 to 11).

    A list that cannot be read keeps its rows and notes why; the others go on.

    Args:
        client: Asks ITCare.
        seconds: When so many are over, no other list is begun: the rest stays due.
    """
    readers: dict[str, Callable[[itcare.Client], None]] = {
        "services": read_services,
        "networks": read_networks,
        "regions": read_regions,
        "resources": read_resources,
    }
    end, begun = time.monotonic() + seconds, 0
    for name in LISTS:
        if begun and time.monotonic() > end:
            break
        pace = settings.SYNC_SECONDS * (1 if name == "resources" else PLACES_FACTOR)
        if not _claim(name, pace):
            continue
        begun += 1
        try:
            readers[name](client)
        except itcare.ItcareError as error:
            logger.warning("The list of %s was not read: %s", name, error.sentence)
            Sync.objects.filter(name=name).update(failed=error.sentence[:300])
            if isinstance(error, itcare.NotFound):
                _forget_missing(name)
            if isinstance(error, itcare.NotFound) and name in _FALLBACKS:
                _FALLBACKS[name]()
                # Clusters are read meanwhile, and tell more.
                Sync.objects.filter(name=name).update(look_at=Now() + timedelta(seconds=settings.SYNC_SECONDS))
        except DatabaseError:
            # One list that cannot be written down must not keep the others from being read.
            logger.exception("The list of %s was not kept.", name)
            Sync.objects.filter(name=name).update(failed="The portal could not keep what ITCare told.")
        else:
            first = Sync.objects.filter(name=name, read_at=None)
            if name == "resources" and first.exists():
                Cluster.objects.filter(origin="").update(origin=Origin.KNOWN)
            Sync.objects.filter(name=name).update(failed="", read_at=Now())


def lists_due(*, late: float = 0) -> bool:
    """Whether any list waits to be read, for at least so many seconds; one never read waits since it was asked for."""
    if Sync.objects.count() < len(LISTS):
        Sync.objects.bulk_create([Sync(name=name) for name in LISTS], ignore_conflicts=True)
    return Sync.objects.filter(look_at__lte=Now() - timedelta(seconds=late)).exists()


def hurry(seconds: float) -> None:
    """Have the list of resources read soon, if it was not read in the last so many seconds."""
    waits = Sync.objects.filter(name="resources", look_at__gt=Now(), read_at__lte=Now() - timedelta(seconds=seconds))
    waits.update(look_at=Now())


def read_services(client: itcare.Client) -> None:
    """Read the services one may create in (API.md A2)."""
    listing = client.services()
    for service in listing.items:
        told = known_of(
            name=text(service.name, 200),
            environment=text(service.environment, 40),
            cloud_name=text(service.cloud_name, 200),
        )
        Service.objects.update_or_create(upstream_id=service.id, defaults=told | _HERE)
    if listing.complete:
        _miss(Service, [service.id for service in listing.items])


def read_networks(client: itcare.Client) -> None:
    """Read the networks one may place a cluster in (API.md A3)."""
    listing = client.networks()
    for network in listing.items:
        told = known_of(
            name=text(network.technical_id or network.network_short_description, 200),
            description=text(network.short_description or network.description, 500),
            cidr=text(network.cidr, 64),
            region=text(network.region, 40),
            area=text(network.area, 40),
            environment=text(network.environment, 40),
            scope=text(network.scope, 40),
            free_addresses=network.ip_free_number,
        )
        Network.objects.update_or_create(upstream_id=network.id, defaults=told | _HERE)
    if listing.complete:
        _miss(Network, [network.id for network in listing.items])


def read_regions(client: itcare.Client) -> None:
    """Read regions with their areas and zones (API.md A4)."""
    regions = client.regions()
    if not regions:
        fallback.places()
    with transaction.atomic():
        for region in regions:
            row, _ = Region.objects.update_or_create(
                name=region.name[:40], defaults=known_of(label=text(region.label, 200))
            )
            for area in region.areas:
                place, _ = Area.objects.update_or_create(
                    name=area.name[:40], defaults={"region": row, **known_of(is_default=area.default)}
                )
                names = [zone.name[:40] for zone in area.availability_zones]
                place.zones.exclude(name__in=names).delete()
                for name in names:
                    Zone.objects.get_or_create(area=place, name=name)


def _forget_missing(name: str) -> None:
    """Offer again what a list lacked that is not to be had any more (API.md A2, A3): it may have been another list."""
    models: dict[str, type[Service | Network]] = {"services": Service, "networks": Network}
    if name in models:
        models[name].objects.filter(missed_at__isnull=False).update(missed_at=None, unlisted_at=None)


def _miss(model: type[Service | Network], listed: Sequence[int]) -> None:
    """Note what a whole list lacks; what whole lists have been lacking for long is offered no more.

    An empty list proves nothing.
    """
    if not listed:
        return
    lacking = model.objects.filter(listed_at__isnull=False, unlisted_at=None)
    lacking = lacking.exclude(upstream_id__in=listed)
    for row in lacking.filter(missed_at__lte=Now() - UNLISTED_AFTER):
        with transaction.atomic():
            if model.objects.filter(pk=row.pk, unlisted_at=None, missed_at=row.missed_at).update(unlisted_at=Now()):
                record(
                    f"{model._meta.model_name}.unlisted",  # noqa: SLF001 - _meta is Django's documented interface
                    actor="portal",
                    subject_type=str(model._meta.model_name),  # noqa: SLF001
                    subject_id=row.pk,
                    subject=str(row),
                    service_id=row.pk if isinstance(row, Service) else None,
                    detail={"upstream_id": row.upstream_id},
                )
    lacking.filter(missed_at=None).update(missed_at=Now())


def _claim(name: str, seconds: float) -> bool:
    Sync.objects.get_or_create(name=name)
    due = Sync.objects.filter(name=name, look_at__lte=Now())
    return due.update(look_at=Now() + timedelta(seconds=seconds)) == 1
