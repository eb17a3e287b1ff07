"""What people may do. The only module that knows roles; everything else asks it.

A flag gives no right in any team: support staff and administrators read everything, and ask or decide nothing by it.
"""

from django.db.models import QuerySet

from portal.accounts.models import Membership, Team, User


def reads_everything(user: User) -> bool:
    """Whether the person sees the services of all teams: support staff and administrators."""
    return user.is_active and (user.is_support or user.is_administrator)


def administers(user: User) -> bool:
    """Whether the person manages people, teams and services."""
    return user.is_active and user.is_administrator


def teams_of(user: User) -> QuerySet[Team]:
    """Teams in which the person is anything at all."""
    return _teams(user)


def teams_asking(user: User) -> QuerySet[Team]:
    """Teams for which the person may file requests: as a developer."""
    return _teams(user, Membership.Role.DEVELOPER)


def teams_deciding(user: User) -> QuerySet[Team]:
    """Teams whose requests the person may decide: as an approver who is no administrator.

    Administrators hand out roles, so one who could also decide would need nobody else.
    """
    if user.is_administrator:
        return Team.objects.none()
    return _teams(user, Membership.Role.APPROVER)


def approvers_of(teams: QuerySet[Team]) -> list[User]:
    """Those who may decide for one of the teams, to be told what waits for them."""
    members = Membership.objects.filter(team__in=teams, role=Membership.Role.APPROVER)
    return list(User.objects.filter(pk__in=members.values("user"), is_active=True, is_administrator=False))


def administrators() -> list[User]:
    """Those who administer the portal, to be told what nobody else can act on."""
    return list(User.objects.filter(is_administrator=True, is_active=True))


def role_words(user: User) -> str:
    """Say in a few words what the person is, for the frame of the pages."""
    words = [word for flag, word in ((user.is_administrator, "Administrator"), (user.is_support, "Support")) if flag]
    roles = user.memberships.select_related("team").order_by("role", "team__name")
    words += [f"{membership.get_role_display()} in {membership.team}" for membership in roles]
    return ", ".join(words) or "No role yet"


def _teams(user: User, *roles: str) -> QuerySet[Team]:
    if not user.is_active:
        return Team.objects.none()
    mine = Membership.objects.filter(user=user)
    if roles:
        mine = mine.filter(role__in=roles)
    return Team.objects.filter(pk__in=mine.values("team"))
