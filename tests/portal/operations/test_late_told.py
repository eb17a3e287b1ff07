"""A late action is told once, whoever reads it at the same instant, and each further one by a mail of its own."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction
from pytest_django import Settings

from portal import itcare
from portal.operations import concerns, late, mails
from portal.operations.models import Concern, Operation, Situation
from portal.operations.states import Reason, State
from tests.cast import Cast
from tests.faults.transactions import counted
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import answering
from tests.portal.operations.needing import bare
from tests.portal.operations.poisoning import refusing
from tests.sandbox_server import until

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "cluster00001"


def seen(*numbers: int) -> list[itcare.Action]:
    """These actions, as ITCare's list tells them."""
    return [itcare.Action(id=number, status="IN_PROGRESS", resource_name=NAME) for number in numbers]


def given_up(cast: Cast) -> Operation:
    """One that a person ended, and whose action nobody knows."""
    return bare(cast, State.FAILED, name=NAME, reason=Reason.GIVEN_UP, settled_by=cast.approver)


@contextmanager
def all_have_looked(
    row: Operation, *readers: Callable[[], object], before: Callable[[], object] | None = None
) -> Iterator[None]:
    """Let them read at the same instant, each on a connection of its own: all have looked when the first may tell.

    Args:
        row: The operation that is held meanwhile.
        readers: What they do.
        before: Holds something else instead of it.
    """

    def run(reader: Callable[[], object]) -> None:
        try:
            reader()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(readers)) as pool:
        with transaction.atomic():
            before = before or partial(Operation.objects.select_for_update(of=("self",)).get, pk=row.pk)
            before()
            running = [pool.submit(run, reader) for reader in readers]
            until(lambda: waiting() == len(readers))
            yield
        for each in running:
            each.result(30)


def waiting() -> int:
    return counted(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
    )


def told() -> list[tuple[int, bool]]:
    """Of each concern how often its words tell of an action, and whether it is open."""
    rows = Concern.objects.order_by("pk").values_list("words", "closed_at")
    return [(words.count("ITCare shows action"), closed is None) for words, closed in rows]


def test_two_that_read_it_at_once_tell_it_once(cast: Cast) -> None:
    row = given_up(cast)
    with all_have_looked(row, lambda: late.heard(NAME, seen(177)), lambda: late.heard(NAME, seen(177))):
        pass
    assert told() == [(1, True)]


def test_what_a_person_has_noted_meanwhile_is_not_told_again(cast: Cast) -> None:
    row = given_up(cast)
    with all_have_looked(row, lambda: late.heard(NAME, seen(177, 178))):
        late.heard(NAME, seen(177))
        concerns.close_of(row, "Noted: deleted by hand.", by=cast.approver)
    assert told() == [(1, False), (1, True)]
    (concern,) = Concern.objects.open()
    assert list(concern.actions.values_list("upstream_id", flat=True)) == [178]


def test_each_further_one_is_mailed(cast: Cast) -> None:
    given_up(cast)
    sent = []
    for numbers in ([177], [177], [177, 178], [178]):
        late.heard(NAME, seen(*numbers))
        mails.tell()
        sent.append(len(mail.outbox))
    assert sent == [1, 1, 2, 2]
    assert "ITCare shows action 178" in mail.outbox[1].body
    assert told() == [(2, True)]


class Meanwhile(EmailBackend):
    """A mail server that takes its time: meanwhile another action shows up."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Send them."""
        late.heard(NAME, seen(178))
        return int(super().send_messages(messages))


def test_one_that_shows_up_while_the_mail_leaves_is_mailed_too(cast: Cast, settings: Settings) -> None:
    given_up(cast)
    late.heard(NAME, seen(177))
    settings.EMAIL_BACKEND = f"{__name__}.Meanwhile"
    assert [mails.tell() for _ in range(3)] == [1, 1, 0]
    assert ["178" in message.body for message in mail.outbox] == [False, True]
    assert Concern.objects.get().situation == Situation.LATE_ACTION


def test_one_that_cannot_be_judged_is_told_and_stops_no_other(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 1
    poison, other = given_up(cast), bare(cast, State.FAILED, name="other01", reason=Reason.GIVEN_UP)
    actions = [{"id": 90_001, "resourceName": NAME}, {"id": 90_002, "resourceName": "other01"}]
    with refusing("operations_action", "upstream_id <> 90001"), answering(settings, answer(200, actions)):
        assert late.watch() == 2
    asked = dict(Concern.objects.values_list("situation", "operation"))
    assert asked == {"stuck": None, "late_action": other.pk}
    words = Concern.objects.get(situation=Situation.STUCK).words
    assert words.startswith(f"Late actions of operation {poison.pk} ({poison}) could not be handled 1 times in a row")


def test_a_pass_that_itcare_refuses_blames_no_row(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 1
    for name in (NAME, "other01"):
        bare(cast, State.FAILED, name=name, reason=Reason.GIVEN_UP)
    with answering(settings, answer(403)) as api:
        assert late.watch() == 0
        assert len(api.received) == 1
    assert not Concern.objects.exists()
    assert Operation.objects.filter(searched_at=None).count() == 1
