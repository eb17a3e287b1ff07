"""What the pages of changes show, each list in a fixed number of queries."""

from portal.accounts.models import User
from portal.changes.models import Change, ChangeQuerySet, Decision


def with_people(changes: ChangeQuerySet) -> ChangeQuerySet:
    """Join what a line of a list shows."""
    return changes.select_related("requester", "service", "operation")


def listed(user: User) -> ChangeQuerySet:
    """Changes that the person may see, the newest first."""
    return with_people(Change.objects.visible_to(user)).order_by("-pk")


def waiting_for(user: User) -> ChangeQuerySet:
    """Changes that wait for the person's decision, the oldest first."""
    return with_people(Change.objects.decidable_by(user)).order_by("pk")


def mine(user: User) -> ChangeQuerySet:
    """Changes that the person asked for, the newest first."""
    return listed(user).filter(requester=user)


def decision_of(change: Change) -> Decision | None:
    """The decision, with who made it."""
    return change.decisions.select_related("decider").last()
