"""The catalogue: every kind of operation by the API's word for it."""

from typing import Final

from portal.catalog.base import Kind
from portal.catalog.create import Create
from portal.catalog.delete import Delete
from portal.catalog.enable_ha import EnableHa
from portal.catalog.install_extension import InstallExtension
from portal.catalog.on_cluster import ClusterKind
from portal.catalog.resize import Resize
from portal.catalog.restore import Restore
from portal.catalog.start import Start
from portal.catalog.stop import Stop
from portal.catalog.update_patch_party import UpdatePatchParty
from portal.catalog.upgrade import Upgrade

# What can be asked of a cluster, in the order in which its page offers it.
ON_CLUSTER: Final[tuple[ClusterKind, ...]] = (
    Resize(),
    InstallExtension(),
    EnableHa(),
    Upgrade(),
    UpdatePatchParty(),
    Start(),
    Stop(),
    Restore(),
    Delete(),
)
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (Create(), *ON_CLUSTER)}
