"""How long it takes to read the list of resources into the inventory, for each cluster in it.

The list stands ready in memory, as the client answers it, so that only the portal's own work counts. The first reading
notes for every cluster that it was seen; later ones find nothing new, which is what happens again and again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks.ground import SIZES, model, on


@dataclass(frozen=True)
class _Told:
    """Answers a list that was made before, in the place of a client."""

    listing: Any

    def resources(self) -> Any:  # noqa: ANN401 - its class cannot be imported before the settings stand
        """Answer it."""
        return self.listing


def per_cluster() -> dict[str, list[float]]:
    """Milliseconds for each cluster of the list, at both sizes: of the first reading, and of one that finds no news."""
    read = import_module("portal.inventory.resources").read_resources
    taken: dict[str, list[float]] = {}
    for size in SIZES:
        with on(size):
            client = _Told(_listing())
            for words in ("first reading, a cluster", "reading again, a cluster"):
                taken.setdefault(words, []).append(_timed(read, client) / size * 1000)
    return taken


def _timed(read: Callable[[Any], None], client: _Told) -> float:
    """Seconds that a reading takes."""
    began = time.perf_counter()
    read(client)
    return time.perf_counter() - began


def _listing() -> Any:  # noqa: ANN401 - as above
    """The list that tells what the inventory has."""
    itcare = import_module("portal.itcare")
    rows = model("inventory", "Cluster").objects.select_related("service").order_by("pk")
    items = tuple(
        itcare.ResourceSummary(
            path_ids=(row.upstream_id,),
            id=row.resource_id,
            name=row.name,
            status=row.status,
            environment=row.environment,
            service_id=row.service.upstream_id,
            service_name=row.service.name,
            support_phase=row.support_phase,
        )
        for row in rows
    )
    return itcare.Listing(items, complete=True)
