"""The catalogue: every kind of operation by the API's word for it."""

from typing import Final

from portal.catalog.base import Kind
from portal.catalog.create import Create

KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (Create(),)}
