"""What the inventory says about the cluster that is asked for."""

from portal.inventory.models import Cluster


def name_taken(name: str) -> str:
    """Return a sentence if a known cluster has that name, whatever its capitals; otherwise an empty one.

    It does not tell whose cluster it is: names are unique over all of ITCare.
    """
    taken = Cluster.objects.present().named(name).exists()
    return f"A cluster named {name} exists already: choose another name." if taken else ""
