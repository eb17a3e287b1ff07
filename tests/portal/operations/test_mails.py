"""Mails about what needs a person: to whom, what they say, and that a mail server that is down slows nothing."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.core import mail
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal.accounts.models import Membership, Team, User
from portal.home.management.commands.sweep import jobs
from portal.inventory.models import Grant, Service
from portal.operations import concerns, mails
from portal.operations.models import Concern, Situation
from portal.operations.sweep import once
from tests.cast import Cast, cluster
from tests.portal.operations.engine import at_once
from tests.portal.operations.needing import bare, concern_of

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "mails about what needs a person"


def time_passes(span: timedelta = mails.AGAIN) -> None:
    Concern.objects.update(tell_at=F("tell_at") - span)


def to() -> list[list[str]]:
    return [sorted(message.to) for message in mail.outbox]


@pytest.fixture
def no_mail_server(settings: Settings) -> Iterator[socket.socket]:
    """A mail server that takes a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
        settings.EMAIL_TIMEOUT = 0.3
        yield server


def test_the_approvers_of_the_service_get_one_plain_mail(cast: Cast, settings: Settings) -> None:
    settings.PORTAL_URL = "https://portal.example.com"
    concern = concern_of(bare(cast, title="Resize cluster00001"))
    assert mails.tell() == 1
    (sent,) = mail.outbox
    assert sorted(sent.to) == ["approver2@example.com", "approver@example.com"]
    assert sent.subject == "[PostgreSQL portal] Needs a person: Resize cluster00001"
    assert sent.body.split("\n\n")[:2] == ["The portal needs a person.", "Unclear, and ITCare shows nothing of it"]
    for words in ("About: Resize cluster00001", "Service: ACME - BILLING - DEV", "A person must look."):
        assert words in sent.body.splitlines()
    assert f"https://portal.example.com/attention/{concern.pk}/" in sent.body
    assert (sent.content_subtype, sent.attachments) == ("plain", [])


def test_a_mail_is_sent_once_however_often_the_matter_is_looked_at(cast: Cast) -> None:
    row = bare(cast)
    concern_of(row)
    for _ in range(3):
        mails.tell()
        time_passes()
        concerns.raise_concern(Situation.NOTHING_FOUND, "Other words.", operation=row)
    assert len(mail.outbox) == 1
    concern_of(row, situation=Situation.OVERDUE)
    mails.tell()
    assert len(mail.outbox) == 2


def test_what_was_settled_before_anybody_could_be_told_is_told_to_nobody(cast: Cast) -> None:
    row = bare(cast)
    concern_of(row)
    concerns.close_of(row, "Settled.")
    assert (mails.tell(), mail.outbox) == (0, [])


def test_administrators_are_told_what_no_approver_can_act_on(cast: Cast) -> None:
    concerns.raise_concern(Situation.UNKNOWN_ACTION, "Odd.")
    nobodys = Service.objects.create(upstream_id=999, name="Nobody's")
    concerns.raise_concern(Situation.DRIFT, "Odd.", cluster=cluster(nobodys, 1))
    assert mails.tell() == 2
    assert to() == [["admin@example.com"]] * 2


def test_leavers_and_other_teams_are_not_told(cast: Cast) -> None:
    User.objects.filter(pk=cast.approver.pk).update(is_active=False)
    gamma = Team.objects.create(slug="gamma", name="Team Gamma")
    Membership.objects.create(user=cast.stranger, team=gamma, role=Membership.Role.APPROVER)
    Grant.objects.create(team=gamma, service=cast.other_service)
    concern_of(bare(cast))
    mails.tell()
    assert to() == [["approver2@example.com"]]


def test_where_nobody_is_there_it_is_tried_later(cast: Cast) -> None:
    User.objects.filter(pk__in=[cast.approver.pk, cast.approver2.pk, cast.administrator.pk]).update(is_active=False)
    concern_of(bare(cast))
    assert (mails.tell(), mails.tell()) == (0, 0)
    User.objects.filter(pk=cast.administrator.pk).update(is_active=True)
    assert mails.tell() == 0
    time_passes()
    assert (mails.tell(), to()) == (1, [["admin@example.com"]])


def test_texts_of_strangers_break_no_line_and_turn_no_writing(cast: Cast) -> None:
    hostile = "x\r\nBcc: victim@example.com\n\n\u202egnp.exe\u2028\x00<b>&amp;"
    there = cluster(cast.service, 1, name=hostile.replace("\0", ""))
    concerns.raise_concern(Situation.DRIFT, hostile.replace("\0", "\x01") * 30, cluster=there)
    assert mails.tell() == 1
    (sent,) = mail.outbox
    assert sent.subject == "[PostgreSQL portal] Needs a person: x Bcc: victim@example.com gnp.exe <b>&amp;"
    assert sorted(sent.recipients()) == ["approver2@example.com", "approver@example.com"]
    assert not set(sent.body) & set("\r\u202e\u2028\x00\x01")
    assert "Bcc" not in [name for name, _ in sent.message().items()]
    assert sent.body.count("\n\n") == 5


def test_a_server_that_is_down_is_asked_once_a_pass_and_again_later(
    cast: Cast, no_mail_server: socket.socket, settings: Settings
) -> None:
    for number in range(5):
        concern_of(bare(cast, name=f"cluster{number:05}"))
    began = time.monotonic()
    assert mails.tell() == 0
    assert time.monotonic() - began < 2
    assert mails.untold().count() == 4
    no_mail_server.close()
    # Now it refuses.
    assert [mails.tell() for _ in range(4)] == [0] * 4
    assert mails.untold().count() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert mails.tell() == 0
    time_passes()
    assert (mails.tell(), len(mail.outbox), mails.tell()) == (5, 5, 0)


def test_two_passes_at_once_send_one_mail(cast: Cast) -> None:
    concern_of(bare(cast))
    assert sorted(at_once(mails.tell, mails.tell, mails.tell), key=str) == [0, 0, 1]
    assert len(mail.outbox) == 1


def test_a_process_that_dies_while_it_sends_leaves_the_mail_to_the_next(cast: Cast) -> None:
    concern = concern_of(bare(cast))
    # As far as the claim, and no further.
    Concern.objects.filter(pk=concern.pk).update(tell_at=Now() + mails.AGAIN)
    assert mails.tell() == 0
    time_passes()
    assert mails.tell() == 1


def test_the_sweep_nudges_a_worker_and_sends_what_no_worker_has_sent(cast: Cast, broker: str) -> None:
    concern_of(bare(cast))
    once([job for job in jobs() if job.name == NAME])
    with redis.Redis.from_url(broker) as client:
        names = [json.loads(message)["headers"]["task"] for message in client.lrange("celery", 0, -1)]
    assert (names, mail.outbox) == (["portal.operations.tasks.tell_people"], [])
    time_passes(timedelta(minutes=1))
    once([job for job in jobs() if job.name == NAME])
    assert len(mail.outbox) == 1


def test_without_a_broker_the_sweep_sends_it(cast: Cast) -> None:
    concern_of(bare(cast))
    time_passes(timedelta(minutes=1))
    once([job for job in jobs() if job.name == NAME])
    assert len(mail.outbox) == 1
