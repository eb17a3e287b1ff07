"""How many queries each page takes: pinned, the same for three rows and for sixty, and under fifteen."""

import re
import uuid
from dataclasses import dataclass
from typing import TypeVar

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.accounts.models import Membership, Team, User
from portal.audit.models import Entry
from portal.changes.models import Change, Decision
from portal.changes.models import State as ChangeState
from portal.home.cluster_page import PARTS
from portal.inventory.models import Attachment, Cluster, Database, Extension, Grant, Network, Node, Part, Service
from portal.operations import concerns, heartbeat
from portal.operations.models import Action, ActionMessage, Attempt, Concern, Operation, Situation
from portal.operations.states import Proof, State
from tests.browsing import signed_in
from tests.cast import Cast, cluster, draft, pending, queued

SIZES = (3, 60)
MOST = 14
# The whole page; a poll that brings news; a poll that brings none. None: it does not refresh itself.
PINNED: dict[str, tuple[int, int | None, int | None]] = {
    "home": (11, 6, 5),
    "clusters": (13, 5, 5),
    "clusters, searched": (13, 5, 5),
    "cluster": (13, 8, 5),
    **dict.fromkeys((f"cluster, {part}" for part in ("nodes", "databases", "extensions", "networks")), (11, 6, 5)),
    "cluster, versions": (10, 5, 5),
    "cluster, history": (13, 8, 5),
    "requests": (9, 4, 3),
    # A poll asks what stands in the way, as the page does.
    "draft": (13, 8, 7),
    "request that waits": (13, 8, 7),
    "request that runs": (13, 8, 5),
    "request that is over": (12, None, None),
    "approvals": (9, 4, 3),
    "operations": (8, 3, 3),
    "operation that runs": (13, 8, 4),
    "operation that is over": (13, None, None),
    "needs a person": (13, 7, 7),
    "one matter": (13, 8, 8),
    "audit": (8, None, None),
    "audit, searched": (8, None, None),
    "form": (12, None, None),
    "form of a draft": (14, None, None),
}
SEEN = re.compile(r"seen=([0-9a-f]{16})")


@dataclass
class World:
    """A person who sees as much as one can, and what they see, of each sort as many as wanted."""

    cast: Cast
    person: User
    cluster: Cluster
    running: Operation
    succeeded: Operation
    concern: Concern
    addresses: dict[str, str]
    size: int = 0

    def grow(self, size: int) -> None:
        """Make it so many of everything that a page lists."""
        for number in range(self.size, size):
            self._of_the_cluster(number)
            self._of_the_running_one(number)
            self._of_the_form(number)
            self._of_the_lists(number)
        self.size = size

    def _of_the_cluster(self, number: int) -> None:
        for part in (Node, Database, Extension, Attachment):
            part._default_manager.create(cluster=self.cluster, name=f"part{number}")
        if number < len(PARTS):
            Part.objects.create(cluster=self.cluster, name=PARTS[number], read_at=timezone.now())
        another(self.succeeded, reference=uuid.uuid4())
        foreign = Action.objects.create(upstream_id=10_000 + number, cluster=self.cluster)
        ActionMessage.objects.create(action=foreign, text=f"Foreign {number}")

    def _of_the_running_one(self, number: int) -> None:
        action = Action.objects.create(upstream_id=number + 1, operation=self.running)
        self.concern.actions.add(action)
        other = Action.objects.create(upstream_id=20_000 + number, resource_name=self.running.name)
        ActionMessage.objects.create(action=other, text=f"Other {number}")
        ActionMessage.objects.create(action=action, text=f"Step {number}")
        Attempt.objects.create(
            operation=self.running, number=number + 1, fence=1, proof=Proof.REFUSED, ended_at=timezone.now()
        )

    def _of_the_form(self, number: int) -> None:
        service = Service.objects.create(upstream_id=1000 + number, name=f"Service {number}")
        team = Team.objects.create(slug=f"team{number}", name=f"Team {number}")
        Grant.objects.create(team=team, service=service)
        Membership.objects.create(user=self.person, team=team, role=Membership.Role.DEVELOPER)
        Network.objects.create(upstream_id=1000 + number, name=f"Network {number}", area="EB")

    def _of_the_lists(self, number: int) -> None:
        found = cluster(self.cast.service, number, read_at=timezone.now())
        operation = another(self.running, reference=uuid.uuid4(), cluster=found, name=f"busy{number}", reveal=None)
        matter = another(self.concern, operation=operation, service=operation.service)
        matter.actions.add(Action.objects.create(upstream_id=30_000 + number))
        Attempt.objects.create(operation=operation, number=1, fence=1, proof=Proof.UNKNOWN, ended_at=timezone.now())
        asked = Change.objects.get(operation=self.running)
        change = another(asked, reference=uuid.uuid4(), form_token=uuid.uuid4(), operation=operation)
        Decision.objects.create(change=change, requester=self.person, decider=self.cast.approver, verdict="approve")
        waits = {"operation": None, "ended_at": None, "state": ChangeState.PENDING, "requester": self.cast.colleague}
        another(asked, reference=uuid.uuid4(), form_token=uuid.uuid4(), **waits)
        # Entries are written one by one under a lock; a page shows fifty of them.
        entry = Entry.objects.latest("number")
        another(entry, number=entry.number + 1, previous_hash=entry.hash, hash=uuid.uuid4().hex)


Row = TypeVar("Row", bound=Model)


def another(row: Row, **values: object) -> Row:
    """A second row like the first, but for these values."""
    copied = type(row)(**{f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields if not f.primary_key})
    for name, value in values.items():
        setattr(copied, name, value)
    copied.save(force_insert=True)
    return copied


@pytest.fixture
def world(cast: Cast) -> World:
    """Make the person, and one thing of each sort."""
    person = cast.developer
    for role, team in ((Membership.Role.APPROVER, cast.alpha), (Membership.Role.DEVELOPER, cast.beta)):
        Membership.objects.create(user=person, team=team, role=role)
    for process in (heartbeat.SWEEP, heartbeat.WORKER):
        heartbeat.beat(process)
    now = timezone.now()
    shown = cluster(cast.service, 99_999, read_at=now, tried_at=now, parts_read_at=now)
    running, succeeded = (queued(person, cast.approver, name=f"named0{number}") for number in (1, 2))
    Operation.objects.filter(pk=running.pk).update(state=State.RUNNING, last_proof=Proof.ACCEPTED, password=None)
    Operation.objects.filter(pk=succeeded.pk).update(
        state=State.SUCCEEDED, look_at=None, sent_at=now, ended_at=now, password=None, reveal=None, cluster=shown
    )
    for operation in (running, succeeded):
        operation.refresh_from_db()
    concerns.raise_concern(Situation.OVERDUE, "It takes too long.", operation=running)
    concern = Concern.objects.get()
    mine, theirs = draft(person, name="named03"), pending(cast.colleague, name="named04")
    addresses = {
        "home": "/",
        "clusters": "/clusters/",
        "clusters, searched": "/clusters/?q=cluster",
        "cluster": shown.get_absolute_url(),
        **{f"cluster, {part}": f"{shown.get_absolute_url()}{part}/" for part in PARTS},
        "requests": "/requests/",
        "draft": mine.get_absolute_url(),
        "request that waits": theirs.get_absolute_url(),
        "request that runs": Change.objects.get(operation=running).get_absolute_url(),
        "request that is over": Change.objects.get(operation=succeeded).get_absolute_url(),
        "approvals": "/approvals/",
        "operations": "/operations/",
        "operation that runs": running.get_absolute_url(),
        "operation that is over": succeeded.get_absolute_url(),
        "needs a person": "/attention/",
        "one matter": concern.get_absolute_url(),
        "audit": "/audit/",
        "audit, searched": "/audit/?q=named",
        "form": "/requests/new/create/",
        "form of a draft": f"/requests/new/create/?draft={mine.pk}",
    }
    return World(cast, person, shown, running, succeeded, concern, addresses)


def ask(browser: Client, address: str, status: int, **headers: str) -> tuple[int, str]:
    """How many queries it takes, and what comes."""
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(address, headers=headers)
    assert answer.status_code == status, address
    return len(queries), answer.content.decode()


def counts(world: World, browser: Client) -> dict[str, tuple[int, int | None, int | None]]:
    """What each page takes: as a whole, as a poll with news, as a poll without."""
    taken: dict[str, tuple[int, int | None, int | None]] = {}
    for name, address in world.addresses.items():
        whole, text = ask(browser, address, 200)
        stamp = SEEN.search(text)
        if stamp is None:
            taken[name] = (whole, None, None)
            continue
        asked = f"{address}{'&' if '?' in address else '?'}seen="
        news, _ = ask(browser, f"{asked}old", 200, hx_request="true")
        nothing, _ = ask(browser, f"{asked}{stamp[1]}", 204, hx_request="true")
        taken[name] = (whole, news, nothing)
    return taken


def test_the_number_of_queries_is_pinned_whatever_the_number_of_rows(world: World) -> None:
    browser = signed_in(world.person)
    browser.get("/")
    taken = {}
    for size in SIZES:
        world.grow(size)
        taken[size] = counts(world, browser)
    assert taken[SIZES[0]] == taken[SIZES[1]]
    assert taken[SIZES[0]] == PINNED
    assert {name: most for name, each in PINNED.items() if (most := max(filter(None, each))) > MOST} == {}


def test_pages_of_that_size_do_show_their_rows_and_a_form_with_errors_takes_few_queries_too(world: World) -> None:
    world.grow(SIZES[1])
    browser = signed_in(world.person)
    browser.get("/")
    with CaptureQueriesContext(connection) as queries:
        answer = browser.post("/requests/new/create/", {"name": "pg01", "area": "EB"})
    assert (answer.status_code, len(queries) <= MOST) == (422, True)
    shown = {name: browser.get(address).content.decode() for name, address in world.addresses.items()}
    rows = {name: len(re.findall(r"<tr\s+data-", text)) for name, text in shown.items()}
    assert {name: number for name, number in rows.items() if number} == {
        "clusters": 50,
        "clusters, searched": 50,
        "requests": 25,
        "approvals": 25,
        "operations": 25,
        "audit": 50,
        "audit, searched": 50,
    }
    for part in ("nodes", "databases", "extensions", "networks"):
        assert [f"part{number}<" in re.sub(r"\s+<", "<", shown[f"cluster, {part}"]) for number in (0, 59)] == [
            True,
            True,
        ]
    assert [f"Step {number}" in shown["operation that runs"] for number in (0, 59)] == [True, True]
    assert [f"Network {number}" in shown["form"] for number in (0, 59)] == [True, True]
