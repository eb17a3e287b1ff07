"""Publishes the head of the chain outside the database: without it, cutting off the tail would be invisible."""

import json
import logging
from pathlib import Path

from django.conf import settings

from portal.audit.models import Entry

logger = logging.getLogger("portal.audit.heads")


def publish() -> None:
    """Write number, count and hash of the newest entry to the log, and to AUDIT_HEADS_FILE if it is set."""
    last = Entry.objects.order_by("-number").first()
    if last is None:
        return
    head = json.dumps({"number": last.number, "count": Entry.objects.count(), "hash": last.hash})
    logger.info("audit head %s", head)
    if settings.AUDIT_HEADS_FILE:
        with Path(settings.AUDIT_HEADS_FILE).open("a", encoding="utf-8") as heads:
            heads.write(head + "\n")
