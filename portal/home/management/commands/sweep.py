"""manage.py sweep: the portal's clock. Two of them are harmless."""

import signal
from argparse import ArgumentParser
from threading import Event
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import BaseCommand

from portal.audit import heads
from portal.changes import expire
from portal.inventory.jobs import Reading
from portal.operations import drift, follow, history, late, origins, reveal, send, watch
from portal.operations.catch_up import CatchUp
from portal.operations.sweep import Job, Nudges, at_work, once, sweep
from portal.web.hints import Nudger


def jobs() -> list[Job]:
    """Everything that the portal does by itself, with how often it is looked at, in seconds."""
    nudger = Nudger()
    nudges, reading, catch_up = Nudges(nudger), Reading(nudger, at_work), CatchUp()
    pace = settings.SWEEP_SECONDS
    return [
        Job("heartbeat", nudges.beat, 10, between=True),
        # Before anything is sent, whatever the portal missed.
        Job("continuity", catch_up.run, 10, between=True),
        Job("lapsed leases", send.lapse, pace),
        Job("due operations", nudges.send, pace),
        Job("running operations", nudges.follow, pace),
        Job("clusters of creates", follow.link, pace),
        Job("unclear operations", nudges.settle, pace),
        Job("late actions", late.watch, 60),
        Job("operations that take too long", watch.watch, 30),
        Job("mails about what needs a person", nudges.tell, 10),
        Job("clusters that somebody waits for", reading.clusters, pace),
        Job("histories that somebody waits for", history.read_late, 10),
        Job("lists of ITCare", reading.lists, pace),
        Job("clusters to be compared", drift.ask, 10),
        Job("clusters that drifted", drift.compare, 30),
        Job("clusters that appeared", origins.settle_origins, 10),
        Job("expired requests", expire.expire, 30),
        Job("requests of leavers", expire.withdraw_leavers, 30),
        Job("requests on moved clusters", expire.lapse, 60),
        Job("passwords past their time", reveal.erase_overdue, 60),
        Job("expired sessions", SessionStore.clear_expired, 3600),
        Job("head of the audit chain", heads.publish, 300),
    ]


class Command(BaseCommand):
    help = "Run the portal's clock until it is told to stop (SIGTERM, SIGINT), or one pass with --once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="run every job one time and end")

    def handle(self, **options: Any) -> None:
        if options["once"]:
            once(jobs())
            return
        stop = Event()

        def end(_signal: int, _frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        self.stdout.write("The sweep runs.")
        sweep(jobs(), stop)
        self.stdout.write("The sweep has stopped.")
