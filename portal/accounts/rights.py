"""The only module that knows roles. The default is no."""

from django.db.models import QuerySet

from portal.accounts.models import Membership, Team, User


def reads_everything(user: User) -> bool:
    """Whether the person sees every service: support and administrators."""
    return user.is_active and (user.is_support or user.is_administrator)


def administers(user: User) -> bool:
    """Whether the person manages people, teams and services."""
    return user.is_active and user.is_administrator


def teams_of(user: User) -> QuerySet[Team]:
    """Teams in which the person has any role."""
    return _teams(user, *Membership.Role.values)


def teams_asking(user: User) -> QuerySet[Team]:
    """Teams for whose services the person may ask."""
    return _teams(user, Membership.Role.DEVELOPER)


def teams_deciding(user: User) -> QuerySet[Team]:
    """Teams for whose services the person may decide."""
    return _teams(user, Membership.Role.APPROVER)


def _teams(user: User, *roles: str) -> QuerySet[Team]:
    if not user.is_active:
        return Team.objects.none()
    return Team.objects.filter(pk__in=Membership.objects.filter(user=user, role__in=roles).values("team"))


def role_words(user: User) -> str:
    """What the person is, in words."""
    words = [word for word, holds in (("Support", user.is_support), ("Administrator", user.is_administrator)) if holds]
    held = Membership.objects.filter(user=user).select_related("team").order_by("role", "team__name")
    words += [f"{membership.get_role_display()}, {membership.team}" for membership in held]
    return " · ".join(words)
