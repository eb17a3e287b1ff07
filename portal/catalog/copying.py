"""Who may let data of one service be copied into another: the right to the cluster alone is not enough."""

from portal.accounts.models import User
from portal.catalog.base import Kind, Parameters
from portal.inventory.models import Service


def why_not_asked(kind: Kind, parameters: Parameters, requester: User) -> str:
    """Return why the requester may not have the data that is copied, or not any more; empty if they may."""
    number = kind.copies_from(parameters)
    if number is None or Service.objects.askable_by(requester).filter(upstream_id=number).exists():
        return ""
    return "The person who asked may no longer ask for the source's service, whose data would be copied."
