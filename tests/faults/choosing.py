"""What people of a soak ask for next: of what is possible at that moment rather what came through least so far."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.portal.catalog.asking import ago

VERSION: Final = "17"
# Clusters that were made here and are not busy, the few stopped ones first, with what tells what can be asked of them.
FREE: Final = f"""
    SELECT its.id, its.name, its.upstream_id, its.status, its.version_major, its.topology,
        coalesce(its.backup_status, false), its.offered_versions @> '[{VERSION}]',
        EXISTS (SELECT FROM inventory_database WHERE cluster_id = its.id)
        AND EXISTS (SELECT FROM inventory_extension WHERE cluster_id = its.id),
        its.parts_read_at IS NOT NULL
    FROM inventory_cluster AS its JOIN operations_operation AS made ON made.cluster_id = its.id
    WHERE made.kind = 'create' AND made.state = 'succeeded' AND its.gone_at IS NULL AND its.read_at IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM operations_operation WHERE cluster_id = its.id AND ended_at IS NULL
        )
    ORDER BY its.status = 'INACTIVE' DESC, its.id DESC LIMIT 30
"""  # noqa: S608 - our own words


@dataclass(frozen=True)
class There:
    """A cluster as the portal's database tells of it."""

    pk: int
    name: str
    number: int
    status: str
    version: str
    topology: str
    backed_up: bool
    upgradable: bool
    told_of: bool
    looked_at: bool

    @property
    def active(self) -> bool:
        """Whether it runs."""
        return self.status == "ACTIVE"


@dataclass(frozen=True)
class Wish:
    """Something that is asked of a cluster.

    Attributes:
        typed: into the form.
        possible: whether the portal will take it.
        named: whether the name is typed once more.
    """

    typed: Mapping[str, str]
    possible: Callable[[There], bool]
    named: bool = False


WISHES: Final[Mapping[str, Wish]] = {
    "resize": Wish({"sizing": "4cpu8gb"}, lambda its: its.active),
    "stop": Wish({}, lambda its: its.active),
    "delete": Wish({}, lambda _its: True, named=True),
    "enable_ha": Wish({"replication_lag": "33"}, lambda its: its.active and its.topology.upper() == "STANDALONE"),
    "update_patch_party": Wish({"excluded": "true", "exclusion_reason": "We patch it."}, lambda _its: True),
    "install_extension": Wish({"dbname": "postgres", "extensions": "hstore"}, lambda its: its.active and its.told_of),
    "start": Wish({}, lambda its: its.status == "INACTIVE"),
    "upgrade": Wish({"target_version": VERSION}, lambda its: its.active and its.upgradable and its.version < VERSION),
    "restore": Wish({"stop": "BEFORE"}, lambda its: its.active and its.backed_up, named=True),
}


def choose(
    free: Sequence[There], came_through: Mapping[str, int], chance: random.Random
) -> tuple[str, There, dict[str, str]]:
    """Choose a kind, a cluster, and what is typed.

    Args:
        free: Clusters that are not busy, at least one.
        came_through: How often each kind did, so far.
        chance: Decides; what came through half as often is four times as likely.
    """
    possible = {kind: [its for its in free if wish.possible(its)] for kind, wish in WISHES.items()}
    kinds = [kind for kind, those in possible.items() if those]
    (kind,) = chance.choices(kinds, [1 / (1 + came_through.get(kind, 0)) ** 2 for kind in kinds])
    its, wish = chance.choice(possible[kind]), WISHES[kind]
    typed = {**wish.typed, **({"confirm_name": its.name} if wish.named else {})}
    if kind == "restore":
        sources = [each for each in possible[kind] if each.version == its.version]
        typed |= {"source_id": str(chance.choice(sources).number), "timestamp": ago(hours=1)}
    return kind, its, typed
