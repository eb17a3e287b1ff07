"""The client of the settings, against a server: token, pause and assumptions together."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import transaction
from pytest_django import Settings

from portal.checks import assumptions_are_known
from portal.itcare import NotSent, Paused, Throttled, TokenUnavailable, Unauthenticated
from portal.upstream.assumed import assumptions
from portal.upstream.client import client
from portal.upstream.status import status
from tests.portal.itcare.scripted import Scripted, answer, drop, scripted

pytestmark = pytest.mark.django_db(transaction=True)

ACCESS = {"access_token": "secret-token", "expires_in": 1200, "token_type": "bearer"}
ACTIONS = answer(200, [])


@dataclass
class Upstream:
    api: Scripted
    accounts: Scripted


@pytest.fixture
def upstream(settings: Settings) -> Iterator[Upstream]:
    with scripted(ACTIONS) as api, scripted(answer(200, ACCESS)) as accounts:
        settings.ITCARE_BASE_URL = api.url
        settings.ITCARE_TOKEN_URL = accounts.url
        settings.ITCARE_CLIENT_ID = "portal"
        settings.ITCARE_CLIENT_SECRET = "secret"
        settings.ITCARE_TOTAL_SECONDS = 5.0
        yield Upstream(api, accounts)


def test_clients_share_one_token(upstream: Upstream) -> None:
    client().actions()
    client().actions()
    assert [known.headers["authorization"] for known in upstream.api.received] == ["Bearer secret-token"] * 2
    (asked,) = upstream.accounts.received
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"portal:secret").decode()
    assert status().ok


def test_a_request_to_slow_down_holds_every_client_back(upstream: Upstream) -> None:
    upstream.api.script = [answer(429, Retry_After="60")]
    with pytest.raises(Throttled):
        client().actions()
    with pytest.raises(Paused):
        client().delete(7)
    assert [known.method for known in upstream.api.received] == ["GET"]
    assert (status().ok, "slow down" in status().words) == (False, True)


def test_an_account_that_is_refused_is_not_tried_for_ever(upstream: Upstream) -> None:
    upstream.api.script = [answer(401)]
    with pytest.raises(Unauthenticated):
        client().actions()
    with pytest.raises(Paused):
        client().actions()
    assert (len(upstream.api.received), len(upstream.accounts.received)) == (2, 2)


def test_a_write_after_a_refused_token_is_the_callers_decision(upstream: Upstream) -> None:
    upstream.api.script = [answer(401), answer(202, {"id": 5})]
    with pytest.raises(Unauthenticated):
        client().delete(7)
    accepted = client().delete(7)
    assert accepted.action is not None
    assert accepted.action.id == 5
    assert (len(upstream.api.received), len(upstream.accounts.received)) == (2, 2)


def test_without_a_token_nothing_is_sent(upstream: Upstream) -> None:
    upstream.accounts.script = [drop]
    with pytest.raises(TokenUnavailable):
        client().delete(7)
    assert (upstream.api.received, status().ok) == ([], False)
    assert issubclass(TokenUnavailable, NotSent)


def test_no_call_within_a_transaction(upstream: Upstream) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        client().actions()
    assert (upstream.api.received, upstream.accounts.received) == ([], [])


def test_assumptions_are_settings(settings: Settings) -> None:
    settings.ITCARE_HA_TOPOLOGY = "HIGH_AVAILABILITY"
    settings.ITCARE_ASSUMPTIONS = {"first_page": "1"}
    assert (assumptions().ha_topology, assumptions().first_page) == ("HIGH_AVAILABILITY", 1)
    assert assumptions_are_known() == []
    settings.ITCARE_ASSUMPTIONS = {"frist_page": "1"}
    assert [(found.id, "frist_page" in found.msg) for found in assumptions_are_known()] == [("portal.E009", True)]
