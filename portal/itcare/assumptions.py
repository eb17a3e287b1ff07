"""What API.md 17 assumes because nothing documents it, to be configured where a server differs.

Elsewhere: A8 (arrays, pages and single objects are all read) is `reading.entries`; A12: dry runs are not used; A16,
A17, A20: free words are shown as they are; A18: no write is resent, see `caller`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from portal.itcare.types import ResourceSummary


@dataclass(frozen=True)
class Assumptions:
    """The assumptions that the client and its callers make; the numbers are those of API.md 17.

    Attributes:
        resources_path: A1, the list of everything.
        resource_marker: A1, what category, type, family, resource type or path contain, in lower case.
        filter_by_name: A1, whether that list is asked to filter by `names`; it is filtered here in any case.
        services_path: A2.
        networks_path: A3.
        regions_path: A4.
        internal_id_first: A5, details are addressed by `internalResourceId`, by `id` where that is missing or unknown.
        first_page: A6, the number of the first page.
        page_size: A6, records asked for per page.
        ha_topology: A7, the wire word for high availability.
        standalone_topology: API.md 7.1, the wire word for a single instance.
        empty_answer_ends: A10, PATCH operations that an accepted answer without an action ends.
        product_code_pattern: A13, with the groups `os` and `version`.
        active_status: A15, the status of a cluster that runs.
        inactive_status: A15, the status of a cluster that is stopped.
        action_id_is_internal: A19, whether `/actions/{actionId}` takes `internalId` instead of `id`.
        delete_needs_stop: A21, whether only a stopped cluster can be deleted.
        production_environments: A22, the environments with the longer restore window.
        one_change_at_a_time: A24, whether a cluster takes one change at a time.
        restore_onto_itself: A25, whether the source of a restore may be its destination.
        accept: API.md 3, the media types asked for. The first is what most pages document, others document any.
    """

    resources_path: str = "/compute/resources"
    resource_marker: str = "postgres"
    filter_by_name: bool = True
    services_path: str = "/compute/services"
    networks_path: str = "/networks"
    regions_path: str = "/regions"
    internal_id_first: bool = True
    first_page: int = 0
    page_size: int = 200
    ha_topology: str = "HA"
    standalone_topology: str = "STANDALONE"
    empty_answer_ends: frozenset[str] = frozenset({"update_patch_party"})
    product_code_pattern: str = r"(?P<os>[a-z]+\d+)pg(?P<version>\d+)"
    active_status: str = "ACTIVE"
    inactive_status: str = "INACTIVE"
    action_id_is_internal: bool = False
    delete_needs_stop: bool = False
    production_environments: frozenset[str] = frozenset({"PRODUCTION"})
    one_change_at_a_time: bool = True
    restore_onto_itself: bool = True
    accept: str = "application/vnd.cegedim-it.v1+json, application/json;q=0.9, */*;q=0.1"

    @classmethod
    def changed(cls, changes: Mapping[str, str]) -> Self:
        """Build the assumptions from configured texts, e.g. {"first_page": "1", "ha_topology": "HIGH_AVAILABILITY"}.

        A set is written as words with blanks between.

        Raises:
            ValueError: a name is unknown, or its text does not fit.
        """
        values: dict[str, Any] = {name: cls._read(name, words) for name, words in changes.items()}
        return replace(cls(), **values)

    @classmethod
    def _read(cls, name: str, words: str) -> object:
        defaults = {known.name: known.default for known in fields(cls)}
        match defaults.get(name):
            case bool() if words.lower() in ("true", "false"):
                return words.lower() == "true"
            case int() if words.isdecimal() and not isinstance(defaults[name], bool):
                return int(words)
            case frozenset():
                return frozenset(words.split())
            case str() if words:
                return words
        message = f"{words!r} does not fit the assumption {name!r}, or there is no such assumption"
        raise ValueError(message)

    def is_postgresql(self, resource: ResourceSummary) -> bool:
        """Whether a resource is a PostgreSQL cluster (A1)."""
        told = (resource.category, resource.type, resource.family, resource.resource_type, resource.path)
        return any(self.resource_marker in words.lower() for words in told if words)

    def path_ids(self, internal_resource_id: int | None, other_id: int | None) -> tuple[int, ...]:
        """Return the numbers that may address a resource's details, in the order to try them (A5)."""
        order = (internal_resource_id, other_id) if self.internal_id_first else (other_id, internal_resource_id)
        return tuple(dict.fromkeys(number for number in order if number))

    def upgrade_versions(self, offered: Iterable[int], current: str | None) -> tuple[int, ...]:
        """Return the versions that one may upgrade to: those offered above its own (A11).

        Args:
            offered: what the cluster's `/versions` says.
            current: the cluster's own version; nothing is offered when it is unknown.
        """
        own = re.match(r"\d+", current or "")
        return tuple(sorted({version for version in offered if version > int(own[0])})) if own else ()

    def version_of(self, product_code: str) -> int | None:
        """Return the PostgreSQL version of a product code, None when it does not follow the pattern (A13)."""
        found = re.fullmatch(self.product_code_pattern, product_code)
        return int(found["version"]) if found else None

    def is_production(self, environment: str | None) -> bool:
        """Whether an environment is a production one (A22)."""
        return environment in self.production_environments
