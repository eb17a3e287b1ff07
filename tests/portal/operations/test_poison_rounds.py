"""The rounds of the sweep go past a row that nobody can handle: it slows down, stops no other, and is shown."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, LiteralString

import pytest
from django.core import mail
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from pytest_django import Settings

from portal.changes.models import Change
from portal.changes.models import State as ChangeState
from portal.home.management.commands.sweep import jobs
from portal.inventory.models import Cluster, Sync
from portal.operations import mails, send
from portal.operations.acts import Act
from portal.operations.models import Concern, Operation, Situation
from portal.operations.states import State
from portal.operations.sweep import once
from tests.browsing import signed_in
from tests.cast import Cast, cluster, pending
from tests.faults.judge import judge
from tests.faults.table import Row, told
from tests.markup import Page
from tests.portal.operations.deciding import acted
from tests.portal.operations.needing import bare, concern_of
from tests.portal.operations.poisoning import NAMES, refusing, states
from tests.sandbox_server import Sandbox
from tests.states.rows import change as change_of
from tests.states.rows import operation as row_of
from tests.states.rows import secret

pytestmark = pytest.mark.django_db(transaction=True)

AGO: Final = timedelta(days=30)


def sending(cast: Cast) -> list[Operation]:
    """Three whose sender died."""
    rows = [row_of(cast, State.SENDING, name=name) for name in NAMES]
    for row in rows:
        row.attempts.create(number=1, fence=0)
    return rows


def test_calling_unclear_goes_past_it(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    rows = sending(cast)
    with refusing("operations_operation", "name <> 'poison01' OR state = 'sending'"):
        assert send.lapse() == 2
        assert states() == [("unclear", 0), ("sending", 1), ("unclear", 0)]
        # It is tried again later, and not at each look.
        assert Operation.objects.filter(pk=rows[1].pk, lease_until__gt=Now(), look_at=F("lease_until")).exists()
        assert (send.lapse(), states()[1], Concern.objects.count()) == (0, ("sending", 1), 0)
        Operation.objects.filter(pk=rows[1].pk).update(lease_until=Now())
        assert send.lapse() == 0
    (concern,) = Concern.objects.all()
    assert (concern.situation, concern.operation) == ("stuck", rows[1])
    assert concern.words.endswith("That nobody knows its outcome could not be written down (IntegrityError).")
    assert list(rows[1].attempts.values_list("proof", flat=True)) == [""]
    Operation.objects.filter(pk=rows[1].pk).update(lease_until=Now())
    assert (send.lapse(), states()[1]) == (1, ("unclear", 0))
    assert rows[1].attempts.get().proof == "unknown"
    once([job for job in jobs() if job.name == "operations that take too long"])
    assert not Concern.objects.open().filter(situation=Situation.STUCK).exists()


def overdue(cast: Cast) -> None:
    for name in NAMES:
        row_of(cast, State.RUNNING, name=name, sent_at=Now() - AGO, queued_at=Now() - AGO)


def over(cast: Cast) -> None:
    for name in NAMES:
        concern_of(bare(cast, State.FAILED, name=name), situation=Situation.OVERDUE)


def appeared(cast: Cast) -> None:
    Sync.objects.update_or_create(name="resources", defaults={"read_at": Now()})
    for number, name in enumerate(NAMES):
        cluster(cast.service, number, name=name, origin="")


def unfetched(cast: Cast) -> None:
    for name in NAMES:
        row_of(cast, State.SUCCEEDED, name=name, reveal=secret(), ended_at=Now() - AGO)


def expired(cast: Cast) -> None:
    for name in NAMES:
        pending(cast.developer, name=name)
    Change.objects.update(expires_at=Now())


def left(cast: Cast) -> None:
    for name in NAMES:
        pending(cast.developer, name=name)
    cast.developer.is_active = False
    cast.developer.save()


def moved(cast: Cast) -> None:
    for number, name in enumerate(NAMES):
        there = cluster(cast.service, number, name=name)
        change_of(cast, ChangeState.PENDING, name=name, cluster=there, kind="stop", revision="before")


def untold(cast: Cast) -> None:
    for name in NAMES:
        concern_of(bare(cast, name=name))


def made(cast: Cast) -> None:
    for number, name in enumerate(NAMES):
        row_of(cast, State.RUNNING, name=name)
        cluster(cast.service, number, name=name)


def names(rows: QuerySet[Any], column: str = "name") -> list[str]:
    return sorted(rows.values_list(column, flat=True))


@dataclass(frozen=True)
class Case:
    """A round of the sweep.

    Attributes:
        job: its name.
        begin: makes three that it has to do with.
        table: where the database refuses what it does with one of them.
        condition: what it refuses; {} stands for the number of the operation.
        done: the names of those for which it was done.
    """

    job: str
    begin: Callable[[Cast], None]
    table: LiteralString
    condition: LiteralString
    done: Callable[[], list[str]]

    def __str__(self) -> str:
        return self.job


CASES: Final = {
    "overdue": Case(
        "operations that take too long",
        overdue,
        "operations_concern",
        "operation_id <> {}",
        lambda: names(Concern.objects.all(), "operation__name"),
    ),
    "over": Case(
        "operations that take too long",
        over,
        "operations_concern",
        "operation_id <> {} OR closed_at IS NULL",
        lambda: names(Concern.objects.filter(closed_at__isnull=False), "operation__name"),
    ),
    "appeared": Case(
        "clusters that appeared",
        appeared,
        "inventory_cluster",
        "name <> 'poison01' OR origin = ''",
        lambda: names(Cluster.objects.exclude(origin="")),
    ),
    "made": Case(
        "clusters of creates",
        made,
        "operations_operation",
        "id <> {} OR cluster_id IS NULL",
        lambda: names(Operation.objects.exclude(cluster=None)),
    ),
    "unfetched": Case(
        "passwords past their time",
        unfetched,
        "operations_operation",
        "id <> {} OR reveal_id IS NOT NULL",
        lambda: names(Operation.objects.filter(reveal=None)),
    ),
    "expired": Case(
        "expired requests",
        expired,
        "changes_change",
        "name <> 'poison01' OR state = 'pending'",
        lambda: names(Change.objects.filter(state="expired")),
    ),
    "leavers": Case(
        "requests of leavers",
        left,
        "changes_change",
        "name <> 'poison01' OR state = 'pending'",
        lambda: names(Change.objects.filter(state="withdrawn")),
    ),
    "moved": Case(
        "requests on moved clusters",
        moved,
        "changes_change",
        "name <> 'poison01' OR state = 'pending'",
        lambda: names(Change.objects.filter(state="lapsed")),
    ),
    "mails": Case(
        "mails about what needs a person",
        untold,
        "operations_concern",
        "operation_id <> {} OR told_at IS NULL",
        lambda: names(Concern.objects.filter(told_at__isnull=False), "operation__name"),
    ),
}


@told(
    Row(
        "Rows that nobody can handle",
        "a poison row in a round of the sweep",
        "the database refuses what is to be done with one operation, cluster, request or concern",
        "the others go on; it rests, longer after each failure, and the log tells of it; an administrator is told when "
        "it has failed often",
        "*Needs a person*, for administrators: Looking at it keeps failing",
    )
)
def test_requests_that_nobody_can_end(
    cast: Cast, upstream: Sandbox, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.STUCK_FAILURES = 1
    the_others_go_on_and_the_log_tells_of_it(cast, CASES["expired"], caplog, settings)
    (concern,) = Concern.objects.all()
    number = Change.objects.get(name="poison01").pk
    assert (concern.situation, concern.subject, concern.service) == ("stuck", "The portal itself", None)
    assert concern.words == (
        f"Request {number} (Create poison01) could not be handled 1 times in a row or more (IntegrityError); the log "
        "of the sweep says why. It is tried again by itself."
    )
    for person, sees in ((cast.administrator, True), (cast.approver, False)):
        page = Page.of(signed_in(person).get("/attention/").content).one("main")
        assert bool(page.all("h2", id=f"concern-{concern.pk}")) == sees
    mails.tell()
    assert [message.to for message in mail.outbox] == [[cast.administrator.email]]
    acted(Act.NOTED, concern, cast.administrator)
    assert not Concern.objects.open().exists()
    judge(upstream)


@pytest.mark.parametrize("case", [case for name, case in CASES.items() if name != "expired"], ids=str)
def test_rows_that_nobody_can_handle(
    cast: Cast, case: Case, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    the_others_go_on_and_the_log_tells_of_it(cast, case, caplog, settings)


def the_others_go_on_and_the_log_tells_of_it(
    cast: Cast, case: Case, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.SWEEP_PATIENCE_SECONDS = 0
    case.begin(cast)
    poison = Operation.objects.filter(name="poison01").first()
    (job,) = (job for job in jobs() if job.name == case.job)
    with refusing(case.table, case.condition, poison.pk if poison else 0):
        once([job])
    assert case.done() == ["first01", "third01"]
    logged = [record for record in caplog.records if record.exc_info and "could not be" in record.getMessage()]
    assert len(logged) == 1
