"""Networks and places where ITCare lists none: those lists are guesses (API.md A3, A4), what clusters tell is not."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from django.conf import settings
from django.db import transaction

from portal.inventory.models import Area, Attachment, Cluster, Network, Region, Zone

# Codes as they are printed (API.md 11); a label in words would be refused in a request.
_CODE: Final = re.compile(r"[A-Z0-9]+(?:-[A-Z0-9]+)*")
_TOLD: Final = ("name", "cidr", "region", "area", "scope")


def networks() -> None:
    """Note the networks that clusters are attached to; one that ITCare has listed before stays as it was listed."""
    attached = Attachment.objects.filter(upstream_id__isnull=False, cluster__gone_at=None)
    rows = {
        part.upstream_id: Network(upstream_id=part.upstream_id, **{name: getattr(part, name) for name in _TOLD})
        for part in attached.order_by("upstream_id", "-pk").distinct("upstream_id")
        if part.upstream_id is not None
    }
    placed = Cluster.objects.present().filter(network_id__isnull=False).order_by("network_id", "-pk")
    for number, area in placed.distinct("network_id").values_list("network_id", "area"):
        if number is not None:
            rows.setdefault(number, Network(upstream_id=number, area=area[:40]))
    listed = set(Network.objects.filter(listed_at__isnull=False).values_list("upstream_id", flat=True))
    fresh = [row for number, row in rows.items() if number not in listed]
    Network.objects.bulk_create(fresh, update_conflicts=True, unique_fields=["upstream_id"], update_fields=_TOLD)


def places() -> None:
    """Note the areas and zones of the settings, and those that clusters tell of."""
    with transaction.atomic():
        for name, zones in (*_configured(settings.ITCARE_AREAS), *_told()):
            # Codes of areas and zones begin with their region's (API.md 11).
            region, _ = Region.objects.get_or_create(name=name.partition("-")[0])
            area, _ = Area.objects.get_or_create(name=name, defaults={"region": region})
            for zone in zones:
                Zone.objects.get_or_create(area=area, name=zone)


def _configured(areas: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Read "EB-QA:EB-A|EB-B" as an area with its zones; what is no code is left out."""
    for words in areas:
        name, _, zones = words.partition(":")
        if _CODE.fullmatch(name.strip()):
            yield name.strip()[:40], [zone.strip()[:40] for zone in zones.split("|") if _CODE.fullmatch(zone.strip())]


def _told() -> Iterator[tuple[str, list[str]]]:
    pairs = Cluster.objects.present().order_by("area", "zone").values_list("area", "zone").distinct()
    for area, zone in pairs:
        if _CODE.fullmatch(area):
            yield area[:40], [zone[:40]] if _CODE.fullmatch(zone) else []
