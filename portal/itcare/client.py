"""The ITCare API, as far as a PostgreSQL portal needs it (API.md 5 to 11).

Reads are repeated within a budget (`retry`); a write is sent at most once, on a connection of its own, and never again
by this package, whatever comes back (SAFETY 1 rules 3 to 5 and 12). No redirection is followed, and nothing is kept
between calls but connections.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Self, TypeVar
from urllib.parse import urlencode

from portal.itcare import judging, reading
from portal.itcare.ahead import HeldToken, Passed
from portal.itcare.assumptions import Assumptions
from portal.itcare.auth import TokenSource
from portal.itcare.caller import Caller
from portal.itcare.errors import ItcareError
from portal.itcare.paging import ActionPages, Pages, distinct, gather
from portal.itcare.retry import Retry
from portal.itcare.transport import Reply, Timeouts, Transport
from portal.itcare.types import (
    Accepted,
    Action,
    Actions,
    Cluster,
    Database,
    Extension,
    Listing,
    Network,
    Node,
    Region,
    ResourceSummary,
    Service,
)

T = TypeVar("T")
_Named = TypeVar("_Named", Cluster, Node)

_CLUSTERS = "/databases/postgresql"
# A longer filter of names makes an address that servers refuse; the list is filtered here in any case.
_LONGEST_FILTER = 1_500


def _open_gate() -> None:
    """Let every call through."""


def _keep_quiet(error: ItcareError) -> None:
    """Tell nobody."""


def _forget(trouble: str) -> None:
    """Keep no account of it."""


class Client:
    """Calls ITCare with one account. Safe to share between threads, not across a fork.

    Args:
        base_url: address of the API, e.g. https://api.cegedim.cloud/itcare.
        tokens: where the access token comes from.
        timeouts: limits of each call.
        assumptions: what the API leaves open.
        gate: called before every request; raises `Paused` to hold it back.
        noticed: told of every 401, 429 and 503, so that the caller can slow its whole traffic down.
        reached: told after every request what kept it from being answered in time; empty if nothing did.
        retry: rule for repeating reads; by default 3 tries within twice the total time-out.

    Raises:
        ValueError: the address is not one.
    """

    def __init__(
        self,
        *,
        base_url: str,
        tokens: TokenSource,
        timeouts: Timeouts | None = None,
        assumptions: Assumptions | None = None,
        gate: Callable[[], None] | None = None,
        noticed: Callable[[ItcareError], None] | None = None,
        reached: Callable[[str], None] | None = None,
        retry: Retry | None = None,
    ) -> None:
        timeouts = timeouts or Timeouts()
        self.assumptions = assumptions or Assumptions()
        self._caller = Caller(
            transport=Transport(base_url.rstrip("/"), timeouts),
            tokens=tokens,
            retry=retry or Retry(budget=2 * timeouts.total),
            total=timeouts.total,
            gate=gate or _open_gate,
            noticed=noticed or _keep_quiet,
            reached=reached or _forget,
            accept=self.assumptions.accept,
            as_action=self._action,
        )

    def within(self, seconds: float) -> Self:
        """Return this client, over the same connections, with less time for its reads.

        Args:
            seconds: for each read with its repetitions; more than this client gives changes nothing.
        """
        retry = self._caller.retry
        return self._calling(replace(self._caller, retry=replace(retry, budget=min(seconds, retry.budget))))

    def at_once(self, calls: int) -> list[Self]:
        """Return this client, over the same connections, for each of several reads that threads make at once.

        The gate is asked and a token had now, so that they need neither.

        Args:
            calls: how many reads.

        Raises:
            NotSent: ITCare is not to be asked now, or no token is to be had.
        """
        self._caller.gate()
        tokens = HeldToken(self._caller.tokens)
        return [
            self._calling(replace(self._caller, gate=Passed(self._caller.gate), tokens=tokens)) for _ in range(calls)
        ]

    def _calling(self, caller: Caller) -> Self:
        other = copy(self)
        other._caller = caller  # noqa: SLF001 - of the same class
        return other

    # Every read raises NotSent, Refused (with their kinds), Unauthenticated, Throttled, Unavailable or Unreadable.

    def resources(self, *, names: Sequence[str] = ()) -> Listing[ResourceSummary]:
        """List PostgreSQL clusters, all pages (API.md 8, A1, A5, A6).

        Args:
            names: only these, in any spelling of capitals; empty for all.
        """
        wanted = {name.lower() for name in names}
        query: dict[str, object] = {}
        # A comma or a leading "!" would mean something else in the filter.
        joined = ",".join(sorted(names))
        if self.assumptions.filter_by_name and len(joined) <= _LONGEST_FILTER and all(name.isalnum() for name in names):
            query = {"names": joined} if names else {}
        found = self._listing(self.assumptions.resources_path, query, self._resource, lambda known: known.path_ids)
        items = tuple(
            known
            for known in found.items
            if self.assumptions.is_postgresql(known) and (not wanted or (known.name or "").lower() in wanted)
        )
        return Listing(items, found.complete)

    def services(self) -> Listing[Service]:
        """List services (API.md 9, A2); NotFound when the guessed address is wrong."""
        path = self.assumptions.services_path
        return self._listing(path, {}, lambda value: reading.item(Service, value), lambda known: known.id)

    def networks(self) -> Listing[Network]:
        """List networks (API.md 10, A3); NotFound when the guessed address is wrong."""
        path = self.assumptions.networks_path
        return self._listing(path, {}, lambda value: reading.item(Network, value), lambda known: known.id)

    def regions(self) -> tuple[Region, ...]:
        """List regions with their areas and zones (API.md 11, A4); NotFound when the guessed address is wrong."""
        return self._parts(self.assumptions.regions_path, reading.region)

    def cluster(self, cluster_id: int) -> Cluster:
        """Read a cluster (API.md 7.4).

        Args:
            cluster_id: its number for addresses, see `ResourceSummary.path_ids`.
        """
        found = _named(reading.cluster(self._document(_address(cluster_id)), cluster_id))
        if found is None:
            raise judging.unreadable()
        return found

    def nodes(self, cluster_id: int) -> tuple[Node, ...]:
        """Read the virtual machines of a cluster (API.md 7.5)."""
        return self._parts(_address(cluster_id, "/nodes"), lambda value: _named(reading.item(Node, value)))

    def databases(self, cluster_id: int) -> tuple[Database, ...]:
        """Read the databases of a cluster (API.md 7.5)."""
        return self._parts(_address(cluster_id, "/databases"), lambda value: reading.item(Database, value))

    def extensions(self, cluster_id: int) -> tuple[Extension, ...]:
        """Read the extensions that a cluster offers (API.md 7.5, A9)."""
        return self._parts(_address(cluster_id, "/extensions"), lambda value: reading.item(Extension, value))

    def networks_of(self, cluster_id: int) -> tuple[Network, ...]:
        """Read the network of a cluster (API.md 7.5, A8)."""
        return self._parts(_address(cluster_id, "/networks"), lambda value: reading.item(Network, value))

    def versions(self, cluster_id: int) -> tuple[int, ...]:
        """Read the major versions that a cluster's address tells of (A11: see `Assumptions.upgrade_versions`)."""
        return self._parts(_address(cluster_id, "/versions"), reading.identity)

    def actions(
        self, *, resource_name: str | None = None, resource_id: int | None = None, statuses: Sequence[str] = ()
    ) -> Actions:
        """List actions (API.md 6), with the upstream's clock.

        Args:
            resource_name: only those of the resource with this name.
            resource_id: only those of the resource with this number.
            statuses: only those in one of these statuses.
        """
        query = {"resourceName": resource_name, "resourceId": resource_id, "statuses": ",".join(statuses)}
        pages, replies = self._pages_of_actions({name: value for name, value in query.items() if value})
        values = [value for page in pages for value in page]
        items, sound = distinct(values, self._action, lambda known: known.id)
        return Actions(items, pages.complete and sound, replies[0].server_time)

    def actions_by_page(self, *, statuses: Sequence[str] = ()) -> ActionPages:
        """List actions without holding more than a page of them; nothing is asked before the first page is taken.

        Args:
            statuses: only those in one of these statuses.
        """
        pages, _ = self._pages_of_actions({"statuses": ",".join(statuses)} if statuses else {})
        return ActionPages(pages, self._action)

    def action(self, action_id: int) -> Action:
        """Read an action (API.md 6, A19); an answer that is about another one is not readable.

        Args:
            action_id: the `id` of an `Action`.
        """
        found = self._action(self._document(f"/actions/{_number(action_id)}"))
        if found is None or found.id != action_id:
            raise judging.unreadable()
        return found

    # Every write raises NotSent, Refused (with their kinds), Unauthenticated, Throttled or Unclear.

    def create(self, options: Mapping[str, object]) -> Accepted:
        """Order a cluster (API.md 7.1).

        Args:
            options: the attributes by the API's names. A value with a `reveal()` is revealed into the body alone.
        """
        return self._caller.write("POST", _CLUSTERS, options)

    def delete(self, cluster_id: int) -> Accepted:
        """Delete a cluster (API.md 7.2)."""
        return self._caller.write("DELETE", _address(cluster_id), None)

    def patch(self, cluster_id: int, operation: str, options: Mapping[str, object] | None = None) -> Accepted:
        """Run one operation on a cluster (API.md 7.3).

        Args:
            cluster_id: its number for addresses.
            operation: the API's word for it.
            options: its parameters by the API's names; without them the body has none.
        """
        body = {"operation": operation} | ({"options": options} if options else {})
        return self._caller.write("PATCH", _address(cluster_id), body)

    # --- Reading ------------------------------------------------------------------------------------------------------

    def _resource(self, value: object) -> ResourceSummary | None:
        if not isinstance(value, Mapping):
            return None
        numbers = reading.identity(value.get("internalResourceId")), reading.identity(value.get("id"))
        path_ids = self.assumptions.path_ids(*numbers)
        return reading.item(ResourceSummary, value, path_ids=path_ids) if path_ids else None

    def _action(self, value: object) -> Action | None:
        found = reading.item(Action, value)
        if found and self.assumptions.action_id_is_internal and found.internal_id:
            return replace(found, id=found.internal_id)
        return found

    def _pages_of_actions(self, query: dict[str, object]) -> tuple[Pages, list[Reply]]:
        """The pages of a list of actions, and where the first answer will stand once it came."""
        first: list[Reply] = []

        def fetch(page: int) -> object:
            # The list is documented as a bare array without paging: a page is asked for only after an envelope.
            following = {"page": page} if page > self.assumptions.first_page else {}
            document, reply = self._read("/actions", {**query, **following})
            if not first:
                first.append(reply)
            return document

        return Pages(fetch, self.assumptions.first_page, self.assumptions.page_size), first

    def _listing(
        self, path: str, query: Mapping[str, object], build: Callable[[object], T | None], key: Callable[[T], object]
    ) -> Listing[T]:
        size = self.assumptions.page_size

        def fetch(page: int) -> object:
            return self._document(path, {**query, "page": page, "size": size})

        values, complete = gather(fetch, self.assumptions.first_page, size)
        items, sound = distinct(values, build, key)
        return Listing(items, complete and sound)

    def _parts(self, path: str, build: Callable[[object], T | None]) -> tuple[T, ...]:
        document = self._document(path)
        values = reading.entries(document)
        found = tuple(known for value in values if (known := build(value)))
        # Something was told, and nothing of it understood: that is not "there are none".
        if not found and (values or not isinstance(document, list | dict | None)):
            raise judging.unreadable()
        return found

    def _document(self, path: str, query: Mapping[str, object] | None = None) -> object:
        return self._read(path, query)[0]

    def _read(self, path: str, query: Mapping[str, object] | None = None) -> tuple[object, Reply]:
        # Commas stay: the API prints its lists with them.
        reply = self._caller.read(f"{path}?{urlencode(query, safe=',')}" if query else path)
        document = reading.document(reply.body)
        if document is reading.NOTHING:
            raise judging.unreadable(status=reply.status)
        return document, reply


def _address(cluster_id: int, part: str = "") -> str:
    return f"{_CLUSTERS}/{_number(cluster_id)}{part}"


def _number(value: int) -> int:
    """Return a number for an address; nothing else may become part of one."""
    if reading.identity(value) is None:
        message = "an identifier is a positive int64"
        raise ValueError(message)
    return value


def _named(found: _Named | None) -> _Named | None:
    """Return what can be told from others; without name and numbers it is some other object."""
    return found if found and (found.name or found.id or found.internal_resource_id) else None
