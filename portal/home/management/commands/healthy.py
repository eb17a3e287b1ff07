"""manage.py healthy: whether a loop works, for the health check of its container."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from portal.operations import heartbeat


class Command(BaseCommand):
    help = "Fail unless the loop noted its work lately: a process can live, answer pings and still do nothing."
    # Asked every minute: what the start-up checks look at does not change meanwhile.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("loop", choices=[heartbeat.WORKER, heartbeat.SWEEP])

    def handle(self, *, loop: str, **_options: Any) -> None:
        if not heartbeat.alive(loop):
            message = f"The {loop} was not heard of for {heartbeat.STALE.seconds} seconds."
            raise CommandError(message)
