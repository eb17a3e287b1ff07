"""What several operations ask of a cluster before they begin. Refusals that follow from its state answer 422."""

from http import HTTPStatus

from sandbox.exchange import Refusal, invalid, refusal
from sandbox.world.model import Cluster
from sandbox.world.world import World


def unfit(*, field_name: str, why: str) -> Refusal:
    """The refusal of a value that is well formed and does not fit the cluster."""
    return invalid(field_name=field_name, why=why, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def refuse_if_busy(world: World, cluster: Cluster) -> None:
    """One action at a time on a cluster (API.md A24).

    Raises:
        Refusal: 409, an action is running on it.
    """
    if world.busy(cluster.number):
        raise refusal(
            HTTPStatus.CONFLICT,
            code="OPERATION_IN_PROGRESS",
            field_name="",
            why="another operation is running on this resource",
        )


def need_status(cluster: Cluster, status: str, *, field_name: str = "status") -> None:
    """The cluster has to have that status.

    Raises:
        Refusal: 422, it has another.
    """
    if cluster.status != status:
        raise unfit(field_name=field_name, why=f"the cluster is not {status}")
