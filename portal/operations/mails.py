"""Mails about what needs a person: one to those who can act on it, at least once, and not again and again."""

import logging
import time
import unicodedata
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string

from portal.accounts import rights
from portal.accounts.models import Team
from portal.operations.models import Concern

logger = logging.getLogger(__name__)

A_PASS: Final = 20
# Seconds of a pass: a mail server that takes its time must not hold up the sweep.
PASS_SECONDS: Final = 30.0
# After a try: one that a process did not survive, or that the mail server did not take, is repeated then.
AGAIN: Final = timedelta(minutes=5)
SUBJECT_LENGTH: Final = 150


def untold(*, late: bool = False) -> QuerySet[Concern]:
    """Open concerns about which a mail is due; only those that no worker has taken in time, if ``late``."""
    patience = timedelta(seconds=settings.SWEEP_PATIENCE_SECONDS if late else 0)
    rows = Concern.objects.open().filter(told_at=None, tell_at__lte=Now() - patience)
    return rows.select_related("operation", "cluster", "service").order_by("tell_at", "pk")


def tell(*, seconds: float = PASS_SECONDS) -> int:
    """Send the mails that are due; answers how many were sent.

    A mail server that does not answer is asked once a pass, so that it costs one time-out; the rest waits.

    Args:
        seconds: When so many are over, no other mail is begun.
    """
    told, end = 0, time.monotonic() + seconds
    for concern in untold()[:A_PASS]:
        if told and time.monotonic() > end:
            break
        again = _claimed(concern)
        if again is None:
            continue
        people = _people(concern)
        if not people:
            logger.warning("Nobody can be told about concern %s: no approver, no administrator.", concern.pk)
            continue
        try:
            _mail(concern, people).send()
            # What was added meanwhile is for another mail.
            Concern.objects.filter(pk=concern.pk, tell_at=again).update(told_at=Now())
        except (SMTPException, OSError) as error:
            logger.warning("The mail about concern %s was not sent: %s", concern.pk, error)
            break
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            # One that cannot be told is tried again as late as the others, and must not stop them.
            logger.exception("Concern %s could not be told.", concern.pk)
            continue
        told += 1
    return told


def _claimed(concern: Concern) -> datetime | None:
    """Move the time of the next try on before the mail leaves; answers it, or None where another was faster.

    Two passes at once send a mail once, and one that dies in between sends it later.
    """
    with transaction.atomic():
        mine = Concern.objects.filter(pk=concern.pk, told_at=None, tell_at=concern.tell_at)
        if not mine.update(tell_at=Now() + AGAIN):
            return None
        return Concern.objects.values_list("tell_at", flat=True).get(pk=concern.pk)


def tell_late() -> None:
    """Send the mails that no worker has sent in time."""
    if untold(late=True).exists():
        tell()


def _people(concern: Concern) -> list[str]:
    """Addresses of the approvers of the service's teams; of the administrators where there is no such approver."""
    teams = Team.objects.filter(grants__service=concern.service_id) if concern.service_id else Team.objects.none()
    people = rights.approvers_of(teams) or rights.administrators()
    return [user.email for user in people]


def _mail(concern: Concern, people: list[str]) -> EmailMessage:
    context = {
        "situation": str(concern),
        "subject": plain(concern.subject),
        "service": plain(str(concern.service or "")),
        "words": plain(concern.words),
        "raised_at": concern.raised_at,
        "address": f"{settings.PORTAL_URL}{concern.get_absolute_url()}",
    }
    subject = f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}Needs a person: {context['subject']}"
    body = render_to_string("emails/concern.txt", context).strip()
    return EmailMessage(subject[:SUBJECT_LENGTH], f"{body}\n", to=people)


def plain(text: str) -> str:
    """Return a text of strangers as one line of visible characters: no line breaks, nothing that turns the writing."""
    visible = "".join(" " if unicodedata.category(letter).startswith(("C", "Z")) else letter for letter in text)
    return " ".join(visible.split())
