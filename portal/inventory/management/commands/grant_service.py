"""manage.py grant_service TEAM_SLUG SERVICE_ID...: gives a team services."""

from argparse import ArgumentParser
from typing import Final

from django.core.management import BaseCommand, CommandError
from django.db import transaction

from portal.accounts.models import Team
from portal.audit.record import record
from portal.inventory.models import Grant, Service

# ITCare's numbers are 64 bits wide (API.md 7).
LARGEST: Final = 2**63 - 1


class Command(BaseCommand):
    """Gives a team services by their numbers at ITCare, also ones that have not been read yet."""

    help = "Give a team services, by ITCare's numbers. One that is not known yet gets its name when it is read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the team's slug and the services' numbers."""
        parser.add_argument("team", metavar="TEAM_SLUG")
        parser.add_argument("services", metavar="SERVICE_ID", type=int, nargs="+")

    def handle(self, *, team: str, services: list[int], **_options: object) -> None:
        """Make the grants, all or none.

        Raises:
            CommandError: no team has that slug, or a number is none that ITCare can have.
        """
        found = Team.objects.filter(slug=team).first()
        if found is None:
            message = f"No team has the slug {team!r}. Make it in the administration, or look the slug up there."
            raise CommandError(message)
        if min(services) < 1 or max(services) > LARGEST:
            message = f"Service numbers are positive, and at most {LARGEST}."
            raise CommandError(message)
        with transaction.atomic():
            made = []
            for number in services:
                service, _ = Service.objects.get_or_create(upstream_id=number)
                if Grant.objects.get_or_create(team=found, service=service)[1]:
                    made.append(service)
            for service in made:
                record(
                    "grant.made",
                    actor="manage.py grant_service",
                    subject_type="service",
                    subject_id=service.pk,
                    subject=f"{found.name}: {service}",
                    service_id=service.pk,
                )
        self.stdout.write(f"{found.name}: {len(made)} granted, {len(services) - len(made)} already were.")
