"""Whether a cluster shows that an operation was carried out (SAFETY 3)."""

from portal import itcare
from portal.catalog.kinds import KINDS
from portal.inventory import reading, resources
from portal.inventory.models import Cluster
from portal.operations.fitting import after
from portal.operations.models import Attempt, Operation


def seen(client: itcare.Client, operation: Operation, attempt: Attempt) -> tuple[Cluster | None, str]:
    """Read the cluster; answers it with what it shows of the effect, in words that are empty where it shows none.

    What is shown came after the write. The cluster is read here, and the operation is looked for only once its call
    has been made. Before each call the sender reads the cluster too, and goes on only if the revision is the one that
    was approved and no condition is broken: name, version, size and topology were then those of before, and for start
    and stop, which the revision does not tell apart, the condition was the opposite status. A name that is to be
    created belonged to no cluster, and the cluster was made after the watermark, by ITCare's own clock.

    Raises:
        ItcareError: it was not read.
    """
    kind = KINDS[operation.kind]
    if not kind.effect_shows:
        return None, ""
    cluster = _made(client, operation, attempt) if operation.cluster is None else _now(client, operation.cluster)
    return cluster, kind.effect(operation.parameters, cluster) if cluster else ""


def _made(client: itcare.Client, operation: Operation, attempt: Attempt) -> Cluster | None:
    """The cluster of that name, if its own page could be read and it is newer than the watermark."""
    cluster = resources.find(client, name=operation.name, service=operation.service)
    if cluster is None or not cluster.read_at or cluster.read_failed:
        return None
    return cluster if cluster.creation_time and after(cluster.creation_time, attempt) else None


def _now(client: itcare.Client, cluster: Cluster) -> Cluster | None:
    try:
        reading.read_now(client, cluster)
    except itcare.NotFound:
        # The first of two answers that it does not exist; only the second one counts.
        return None
    return Cluster.objects.select_related("service").get(pk=cluster.pk)
