"""The people and things that tests play with: two teams with a service each, everybody of the demo, places, a form."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import Membership, Team, User
from portal.catalog.kinds import KINDS
from portal.changes import decide, submit
from portal.changes.models import Change
from portal.inventory.models import Area, Cluster, Grant, Network, Region, Service, Zone
from portal.operations import continuity
from portal.operations.models import Operation
from portal.operations.states import State
from tests import sandbox_server

PASSWORD = "demo-Portal-1"


@dataclass(frozen=True)
class Cast:
    """Everybody, and what they work on: service 123 belongs to team alpha, 201 to team beta."""

    developer: User
    colleague: User
    stranger: User
    approver: User
    approver2: User
    support: User
    administrator: User
    alpha: Team
    beta: Team
    service: Service
    other_service: Service


@pytest.fixture
def cast(db: None) -> Cast:
    """Make people, teams, services and places."""
    alpha, beta = Team.objects.bulk_create(Team(slug=slug, name=f"Team {slug.title()}") for slug in ("alpha", "beta"))
    service = Service.objects.create(upstream_id=123, name="ACME - BILLING - DEV", environment="DEVELOPMENT")
    other = Service.objects.create(upstream_id=201, name="GLOBEX - CLAIMS - DEV", environment="DEVELOPMENT")
    Grant.objects.bulk_create([Grant(team=alpha, service=service), Grant(team=beta, service=other)])
    region = Region.objects.create(name="EB", label="Boulogne-Billancourt")
    for name, zones in {"EB": "ABC", "EB-QA": "AB"}.items():
        area = Area.objects.create(region=region, name=name, is_default=name == "EB")
        Zone.objects.bulk_create(Zone(area=area, name=f"EB-{letter}") for letter in zones)
    Network.objects.bulk_create(
        Network(upstream_id=number, name=f"EB_{number}", area=area_name, region="EB", listed_at=timezone.now())
        for number, area_name in {132: "EB-QA", 142: "EB"}.items()
    )

    def person(name: str, **flags: bool) -> User:
        return User(email=f"{name}@example.com", password=hashed, **flags)

    hashed = make_password(PASSWORD)
    people = {
        "developer": person("developer"),
        "colleague": person("colleague"),
        "stranger": person("stranger"),
        "approver": person("approver"),
        "approver2": person("approver2"),
        "support": person("support", is_support=True),
        "administrator": person("admin", is_administrator=True),
    }
    # As create_user does, for all of them at once: nearly every test begins here.
    User.objects.bulk_create(people.values())
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in people.values()
    )
    role = Membership.Role
    Membership.objects.bulk_create(
        Membership(user=people[name], team=team, role=held)
        for name, team, held in [
            ("developer", alpha, role.DEVELOPER),
            ("colleague", alpha, role.DEVELOPER),
            ("stranger", beta, role.DEVELOPER),
            ("approver", alpha, role.APPROVER),
            ("approver2", alpha, role.APPROVER),
            ("approver2", beta, role.APPROVER),
        ]
    )
    # The portal is at work, as its clock says.
    continuity.begin()
    return Cast(**people, alpha=alpha, beta=beta, service=service, other_service=other)


def form_data(**changes: str | None) -> dict[str, str]:
    """What a browser sends for a valid standalone cluster; ``None`` leaves a field out."""
    data: dict[str, str | None] = {
        "form_token": str(uuid.uuid4()),
        "product_code": "deb12pg16",
        "service_id": "123",
        "node_sizing": "2cpu4gb",
        "network_id": "132",
        "area": "EB-QA",
        "az": "EB-A",
        "disk_size": "40",
        "adm_password": "",
        "allowed_replication_lag": "10",
        "topology": "STANDALONE",
        "trigram": "tri",
        "tls": "true",
        "name": "newpostgre01",
        "node_prefix": "",
        "reason": "A test needs it.",
        **changes,
    }
    return {name: value for name, value in data.items() if value is not None}


def draft(user: User, **changes: str | None) -> Change:
    """A person's draft, made as the page makes it."""
    entry = KINDS["create"]
    form = entry.form(form_data(**changes), user=user)
    assert form.is_valid(), form.errors
    return submit.save_draft(user=user, kind=entry, form=form, form_token=uuid.uuid4(), cluster=None, draft=None)


def pending(user: User, **changes: str | None) -> Change:
    """A person's request that waits for a decision."""
    change = draft(user, **changes)
    submit.submit(change, user)
    return change


def queued(user: User, approver: User, **changes: str | None) -> Operation:
    """An approved request, as queued."""
    return decide.approve(pending(user, **changes), approver, "")


def sending(operation: Operation) -> Operation:
    """Say of a queued operation that it is being sent, as the sender does."""
    operation.move(State.SENDING, lease_until=timezone.now(), sent_at=timezone.now())
    return operation


def cluster(service: Service, number: int, **fields: object) -> Cluster:
    """A cluster as the inventory knows one after reading it."""
    told: dict[str, object] = {
        "upstream_id": 500_000_000 + number,
        "name": f"cluster{number:05}",
        "service": service,
        "status": "ACTIVE",
        "environment": service.environment,
        "version": "16",
        "topology": "STANDALONE",
        "sizing": "2cpu4gb",
        "storage": 40,
    }
    return Cluster.objects.create(**{**told, **fields})


@pytest.fixture
def upstream(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[sandbox_server.Sandbox]:
    """Run the stand-in ITCare, quick, and let the portal in this process talk to it."""
    with sandbox_server.start(tmp_path_factory.mktemp("sandbox"), speed=200) as server:
        settings.ITCARE_BASE_URL = server.base_url
        settings.ITCARE_TOKEN_URL = server.token_url
        settings.ITCARE_CLIENT_ID = server.client_id
        settings.ITCARE_CLIENT_SECRET = server.client_secret
        yield server
