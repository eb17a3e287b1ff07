"""Sending: one write upstream, and what each class of answer makes of the operation (SAFETY 2)."""

import socket
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from portal.audit.models import Entry
from portal.inventory.models import Cluster
from portal.operations.models import Action, ActionMessage, Attempt, Operation, Secret, bound
from portal.upstream.models import Pause
from tests.cast import Cast, queued
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import (
    answering,
    due_now,
    everybody_tries,
    evidence,
    fault,
    in_seconds,
    posts,
    sent,
    tells,
    time_passes,
)
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

REFUSAL = {"errorCode": "INVALID_FIELD_VALUE", "errorDesc": "name", "errorMessage": "must be something else"}
TYPED = "Typed-Password-1"


def new(cast: Cast, **changes: str | None) -> Operation:
    return queued(cast.developer, cast.approver, **changes)


def test_the_upstream_receives_the_form_and_nothing_else(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)
    assert operation.reveal is not None
    password = operation.reveal.open(bound_to=bound(operation.reference, "reveal")).reveal()
    sent(operation)
    (write,) = upstream.writes()
    assert (write["method"], write["path"]) == ("POST", "/databases/postgresql")
    assert write["body"] == {
        "productCode": "deb12pg16",
        "serviceId": 123,
        "nodeSizing": "2cpu4gb",
        "networkId": 132,
        "area": "EB-QA",
        "az": "EB-A",
        "diskSize": 40,
        "admPassword": password,
        "allowedReplicationLag": 10,
        "topology": "STANDALONE",
        "trigram": "tri",
        "tls": True,
        "name": "newpostgre01",
    }


def test_accepted_with_an_id_it_runs(cast: Cast, upstream: Sandbox) -> None:
    row = sent(new(cast))
    (write,) = Attempt.objects.all()
    assert (row.state, row.last_proof, row.message, row.failures) == ("running", "accepted", "", 0)
    assert row.upstream_action_id == write.upstream_action_id == Action.objects.get(operation=row).upstream_id
    assert (evidence(row), write.number, write.fence, row.fence) == ([("accepted", 202)], 1, 1, 1)
    assert (row.lease_until, row.sent_at is not None, in_seconds(row)) == (None, True, 10.0)
    assert ActionMessage.objects.get().text == "Order received"
    assert list(Entry.objects.filter(subject_type="operation").values_list("verb", flat=True)) == [
        "operation.queued",
        "operation.sending",
        "operation.running",
    ]


def test_an_empty_202_was_accepted_and_is_never_sent_again(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("empty"))
    row = sent(new(cast))
    assert (row.state, row.last_proof, row.upstream_action_id, row.password_id) == ("running", "accepted", None, None)
    assert evidence(row) == [("accepted", 202)]
    everybody_tries(row)
    assert posts(upstream) == 1
    assert Operation.objects.get().upstream_action_id is not None


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"status": 400, "body": REFUSAL}, "must be something else (name)"),
        ({"status": 403}, ""),
        ({"status": 404}, ""),
        ({"status": 409, "body": {"errorMessage": "busy"}}, "busy"),
        ({"status": 422}, ""),
        ({"status": 307, "headers": {"Location": "/itcare/databases/postgresql"}}, ""),
    ],
)
def test_a_refusal_ends_it_with_its_reason(cast: Cast, upstream: Sandbox, rule: dict[str, Any], said: str) -> None:
    upstream.set_faults(fault("refuse", times=None, **rule))
    row = sent(new(cast))
    assert (row.state, row.reason, row.last_proof) == ("failed", "refused", "refused")
    assert evidence(row) == [("refused", rule["status"])]
    assert row.message == Attempt.objects.get().message
    assert row.message.startswith("ITCare")
    assert row.message.partition(" ITCare says: ")[2] == said
    assert (Secret.objects.count(), row.password_id, row.reveal_id) == (0, None, None)
    upstream.set_faults()
    everybody_tries(row)
    assert posts(upstream) == 1


def test_a_refused_token_is_renewed_and_the_write_made_once_more(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("refuse", status=401))
    operation = new(cast)
    row = sent(operation)
    assert (row.state, row.last_proof, row.reason) == ("queued", "refused", "")
    assert (due_now(row), row.password_id) == (True, operation.password_id)
    row = sent(row)
    assert (row.state, evidence(row)) == ("running", [("refused", 401), ("accepted", 202)])
    # The first one was not executed: there is one cluster, and one action.
    assert Action.objects.count() == 1


def test_an_account_that_is_refused_again_stops_all_sending(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("refuse", times=None, status=401))
    row = sent(sent(new(cast)))
    assert (row.state, evidence(row), in_seconds(row)) == ("queued", [("refused", 401)] * 2, 60.0)
    assert "administrator" in Pause.objects.get().reason
    Operation.objects.update(look_at=row.queued_at)
    other = sent(new(cast, name="another01"))
    sent(row)
    assert (posts(upstream), evidence(other), other.state) == (2, [], "queued")
    upstream.set_faults()
    time_passes()
    assert [sent(row).state, sent(other).state] == ["running", "running"]


def test_429_waits_as_long_as_the_upstream_asks(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("refuse", status=429, headers={"Retry-After": "77"}))
    operation = new(cast)
    row = sent(operation)
    assert (row.state, row.last_proof, in_seconds(row)) == ("queued", "refused", 77.0)
    assert (evidence(row), row.password_id) == ([("refused", 429)], operation.password_id)
    Operation.objects.update(look_at=row.queued_at)
    # The pause holds for everything, so that not even the reads before a write are made.
    assert (evidence(sent(row)), posts(upstream)) == ([("refused", 429)], 1)
    time_passes()
    assert sent(row).state == "running"


@pytest.mark.parametrize(
    ("rule", "status", "acted"),
    [
        (fault("status_after", status=500), 500, True),
        (fault("status_after", status=503, body={"errorMessage": "later"}), 503, True),
        (fault("refuse", status=500), 500, False),
        (fault("refuse", status=408), 408, False),
        (fault("drop"), None, True),
        (fault("drop_before"), None, False),
        (fault("late", seconds=5), None, True),
    ],
)
def test_what_nobody_can_tell_is_unclear_and_never_sent_again(
    cast: Cast, upstream: Sandbox, settings: Settings, rule: dict[str, Any], status: int | None, *, acted: bool
) -> None:
    if rule["fault"]["kind"] == "late":
        settings.ITCARE_READ_SECONDS = 1.0
    upstream.set_faults(rule)
    row = sent(new(cast))
    assert (row.state, row.last_proof, row.message) == ("unclear", "unknown", Attempt.objects.get().message)
    assert evidence(row) == [("unknown", status)]
    # Nobody could send it a second time if they wanted to.
    assert (row.password_id, Secret.objects.count(), row.reveal_id is not None) == (None, 1, True)
    everybody_tries(row)
    assert posts(upstream) == 1
    assert Operation.objects.get().state == ("running" if acted else "unclear")


def test_a_refused_connection_is_not_sent_and_waits(cast: Cast, settings: Settings) -> None:
    """ITCare goes away between the reads and the write: not one byte of it leaves."""
    with answering(settings, answer(200, [])) as api:

        def last_words(connection: socket.socket) -> None:
            api.stop()
            connection.sendall(answer(200, []))

        api.script = [answer(200, []), last_words, answer(202, {"id": 7})]
        operation = new(cast)
        row = sent(operation)
    assert [call.method for call in api.received] == ["GET", "GET"]
    assert (row.state, row.last_proof, row.password_id) == ("queued", "not_sent", operation.password_id)
    assert evidence(row) == [("not_sent", None)]


def test_an_upstream_that_is_down_costs_no_attempt(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)
    upstream.stop()
    row = sent(operation)
    assert (row.state, evidence(row), row.failures, row.lease_until) == ("queued", [], 1, None)
    assert row.message == "The sign-in service of ITCare cannot be reached."
    assert not due_now(row)
    upstream.start()
    time_passes()
    row = sent(row)
    assert (row.state, evidence(row), row.failures) == ("running", [("accepted", 202)], 0)
    assert row.message == ""


def test_without_a_whole_list_of_actions_it_waits_and_says_why(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(tells([{"status": "SUCCESS", "resourceName": "newpostgre01"}]))
    row = sent(new(cast))
    assert (row.state, evidence(row), row.failures, posts(upstream)) == ("queued", [], 1, 0)
    assert row.message == "ITCare's list of actions cannot be read in whole."


def test_without_a_token_nothing_is_tried(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("refuse", match={"path": "/auth"}, times=None, status=503))
    row = sent(new(cast))
    assert (row.state, evidence(row), row.failures, posts(upstream)) == ("queued", [], 1, 0)


def test_a_name_that_the_upstream_has_already_is_not_sent(cast: Cast, upstream: Sandbox) -> None:
    assert sent(new(cast)).state == "running"
    # As if another account had ordered it: nothing here knows of that name.
    Operation.objects.update(name="renamed01")
    assert not Cluster.objects.exists()
    row = sent(new(cast))
    assert (row.state, row.reason, evidence(row)) == ("failed", "condition", [])
    assert row.message == "A cluster named newpostgre01 exists already: choose another name."
    assert (posts(upstream), Secret.objects.filter(operation_to_send=row).exists()) == (1, False)
    assert Cluster.objects.get().name == "newpostgre01"


@pytest.mark.parametrize(
    "altered",
    [
        {"digest": "e" * 64},
        {"parameters": {"name": "newpostgre01", "network_id": 132, "disk_size": 1024}},
        {"reference": "00000000-0000-4000-8000-000000000000"},
        {"revision": "r"},
    ],
)
def test_what_was_not_approved_is_not_sent(cast: Cast, upstream: Sandbox, altered: dict[str, Any]) -> None:
    operation = new(cast)
    Operation.objects.update(**altered)
    row = sent(operation)
    assert (row.state, row.reason, evidence(row)) == ("failed", "moved", [])
    assert (posts(upstream), Secret.objects.count()) == (0, 0)


@told(
    Row(
        "Secrets",
        "an encryption key removed while a password waits",
        "the key is taken out of the settings before sending",
        "failed unsent; the sealed password is destroyed",
        "It was not sent: the sealed administrator password could not be opened.",
    )
)
def test_a_password_under_a_key_that_was_removed_is_not_sent(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    operation = new(cast)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    row = sent(operation)
    assert (row.state, row.reason, evidence(row)) == ("failed", "secret_lost", [("not_sent", None)])
    assert (posts(upstream), Secret.objects.count()) == (0, 0)
    settle_down()
    judge(upstream)


@told(
    Row(
        "Secrets",
        "an encryption key rotated while a password waits",
        "a new key is put in front of the one under which it was sealed",
        "it is opened with the old one, and sent",
        "nothing out of the ordinary",
    )
)
def test_a_password_under_a_rotated_key_is_sent_all_the_same(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    operation = new(cast, adm_password=TYPED)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    row = sent(operation)
    (write,) = upstream.writes()
    assert (row.state, write["body"]["admPassword"], Secret.objects.count()) == ("running", TYPED, 0)
    settle_down()
    judge(upstream)


def test_a_password_of_another_request_does_not_open(cast: Cast, upstream: Sandbox) -> None:
    one, other = new(cast), new(cast, name="another01")
    stolen = Secret.objects.values("wrapped_key", "ciphertext").get(operation_to_send=other)
    Secret.objects.filter(operation_to_send=one).update(**stolen)
    row = sent(one)
    assert (row.state, row.reason, posts(upstream)) == ("failed", "secret_lost", 0)


def test_too_short_a_lease_is_no_leave_to_send(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.LEASE_SECONDS = settings.ITCARE_TOTAL_SECONDS
    row = sent(new(cast))
    assert (row.state, evidence(row), posts(upstream)) == ("queued", [], 0)
    settings.LEASE_SECONDS = 75.0
    time_passes()
    assert sent(row).state == "running"
