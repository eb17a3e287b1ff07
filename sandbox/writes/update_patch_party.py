"""PATCH with `update_patch_party` (API.md 7.3): done at once (A10), and seen nowhere in the API."""

from collections.abc import Mapping
from typing import Any

from sandbox.exchange import invalid
from sandbox.world.model import SUCCESS, Cluster, Step
from sandbox.world.stories import Order, changing
from sandbox.world.world import World
from sandbox.writes.conditions import unfit

PARTY = "options.patchParty"


def order(_world: World, cluster: Cluster, options: Mapping[str, Any]) -> Order:
    """The order to take that cluster into the patch plan or out of it; its action has ended when it is answered.

    Raises:
        Refusal: 400, excluded without a reason; 422, a group for a cluster of several members.
    """
    party = options["patchParty"]
    excluded, group, reason = party["excluded"], party.get("patchGroup"), party.get("exclusionReason", "").strip()
    if excluded and not reason:
        raise invalid(field_name=f"{PARTY}.exclusionReason", why="is missing")
    if group is not None and cluster.nodes != 1:
        raise unfit(field_name=f"{PARTY}.patchGroup", why="is only allowed for a cluster of one member")
    changes = {
        "patch_excluded": excluded,
        "patch_group": cluster.patch_group if group is None else group,
        "exclusion_reason": reason if excluded else "",
    }
    told = f"Cluster {cluster.name} is {'excluded from' if excluded else 'part of'} the patch party"
    return changing(cluster, "postgresql_update_patch_party", (Step(0.0, told, changes, status=SUCCESS),))
