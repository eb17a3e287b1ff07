"""manage.py demo_data: the people, teams and services of the demo. Run again, it changes nothing."""

from typing import Any, Final

from django.core.management import BaseCommand, call_command
from django.db import transaction

from portal.accounts.models import Membership, Team, User
from portal.accounts.people import add_person

PASSWORD: Final = "demo-Portal-1"  # noqa: S105 - printed by the demo, which listens on loopback only
TEAMS: Final = {
    "alpha": ("Team Alpha", [123, 124, 125, 126, 127, 128]),
    "beta": ("Team Beta", [201, 202, 203, 204, 205, 206]),
}
DEVELOPER, APPROVER = Membership.Role.DEVELOPER, Membership.Role.APPROVER
PEOPLE: Final[list[tuple[str, str, dict[str, bool], list[tuple[str, str]]]]] = [
    ("developer@example.com", "Dana Developer", {}, [("alpha", DEVELOPER)]),
    ("developer2@example.com", "Dario Developer", {}, [("beta", DEVELOPER)]),
    ("approver@example.com", "Ada Approver", {}, [("alpha", APPROVER), ("beta", APPROVER)]),
    ("approver2@example.com", "Adam Approver", {}, [("alpha", APPROVER), ("beta", APPROVER)]),
    ("support@example.com", "Sam Support", {"is_support": True}, []),
    ("admin@example.com", "Alex Admin", {"is_administrator": True}, []),
]


class Command(BaseCommand):
    help = "Make the people, teams and grants of the demo, where they are missing."

    def handle(self, **_options: Any) -> None:
        with transaction.atomic():
            teams = {
                slug: Team.objects.get_or_create(slug=slug, defaults={"name": name})[0]
                for slug, (name, _) in TEAMS.items()
            }
            for email, name, flags, roles in PEOPLE:
                user = User.objects.filter(email=email).first()
                if user is None:
                    user = add_person(email=email, password=PASSWORD, name=name, actor="manage.py demo_data", **flags)
                for team, role in roles:
                    Membership.objects.get_or_create(user=user, team=teams[team], role=role)
        for slug, (_, services) in TEAMS.items():
            call_command("grant_service", slug, *services, stdout=self.stdout)
