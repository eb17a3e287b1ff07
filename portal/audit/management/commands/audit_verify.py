"""manage.py audit_verify: checks that nobody altered the audit log."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from portal.audit.verify import verify


class Command(BaseCommand):
    help = "Check the audit log's chain, its protection and the published heads. Exits with 1 when something is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--heads", metavar="FILE", type=Path, help="published heads; default: AUDIT_HEADS_FILE")

    def handle(self, *, heads: Path | None, **_options: Any) -> None:
        file = heads or (Path(settings.AUDIT_HEADS_FILE) if settings.AUDIT_HEADS_FILE else None)
        verdict = verify(file)
        if verdict.problems:
            raise CommandError("The audit log is NOT whole.\n" + "\n".join(verdict.problems))
        agree = f"{verdict.heads} published heads agree" if file else "no published heads were compared"
        self.stdout.write(f"The audit log is whole: {verdict.entries} entries, head {verdict.head}, {agree}.")
