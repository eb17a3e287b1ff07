"""A generated password is shown once, to the person who asked, who signed in again just before."""

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.operations import reveal
from portal.operations.models import Operation, Secret, bound
from portal.operations.states import LostRaceError, State
from portal.sealing import SecretText
from tests.cast import PASSWORD, Cast
from tests.portal.operations.engine import at_once
from tests.states.rows import operation

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "Made-For-Showing-1"


def created(cast: Cast, state: State = State.SUCCEEDED) -> Operation:
    """A create whose password waits to be shown."""
    row = operation(cast, state)
    secret = Secret.seal(SecretText(TEXT), bound_to=bound(row.reference, "reveal"))
    secret.save()
    Operation.objects.update(reveal=secret)
    return Operation.objects.get()


def ask(row: Operation, user: User, *, again: bool = True) -> tuple[int, bool]:
    """Ask for it by the page, after signing in again; answers the status, and whether it was shown."""
    client = Client()
    client.force_login(user)
    if again:
        client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    answer = client.post(f"/operations/{row.pk}/reveal/")
    return answer.status_code, TEXT in answer.content.decode()


def test_it_is_shown_once(cast: Cast) -> None:
    row = created(cast)
    assert [ask(row, cast.developer) for _ in range(2)] == [(200, True), (409, False)]
    assert (Secret.objects.count(), Operation.objects.get().reveal_id) == (0, None)
    (entry,) = Entry.objects.filter(verb="password.revealed")
    assert (entry.actor_id, entry.subject_id, entry.service_id) == (cast.developer.pk, str(row.pk), cast.service.pk)


def test_not_without_signing_in_again(cast: Cast) -> None:
    assert (ask(created(cast), cast.developer, again=False), Secret.objects.count()) == ((302, False), 1)


@pytest.mark.parametrize(
    ("who", "status"),
    [("colleague", 403), ("approver", 403), ("support", 403), ("administrator", 403), ("stranger", 404)],
)
def test_nobody_else_sees_it(cast: Cast, who: str, status: int) -> None:
    row = created(cast)
    assert ask(row, getattr(cast, who)) == (status, False)
    with pytest.raises(LostRaceError):
        reveal.reveal(row, getattr(cast, who))
    assert Secret.objects.count() == 1
    assert not Entry.objects.filter(verb="password.revealed").exists()


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING, State.RUNNING, State.UNCLEAR])
def test_not_before_the_cluster_is_there(cast: Cast, state: State) -> None:
    row = created(cast, state)
    assert (ask(row, cast.developer), reveal.why_not(row, cast.developer)) == ((409, False), reveal.NOT_READY)
    assert Secret.objects.count() == 1


def test_not_after_its_time_even_before_the_sweep_comes(cast: Cast, settings: Settings) -> None:
    row = created(cast)
    assert settings.REVEAL_SECONDS == 72 * 3600
    assert (reveal.erase_overdue(), Secret.objects.count()) == (0, 1)
    Operation.objects.update(ended_at=Now() - timedelta(seconds=settings.REVEAL_SECONDS))
    assert ask(row, cast.developer) == (409, False)
    assert (reveal.erase_overdue(), Secret.objects.count(), Operation.objects.get().reveal_id) == (1, 0, None)
    assert reveal.erase_overdue() == 0


def test_leavers_reveal_nothing(cast: Cast) -> None:
    row = created(cast)
    client = Client()
    client.force_login(cast.developer)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    User.objects.filter(pk=cast.developer.pk).update(is_active=False)
    answer = client.post(f"/operations/{row.pk}/reveal/")
    assert (answer.status_code, answer["Location"].startswith("/accounts/login/")) == (302, True)
    with pytest.raises(LostRaceError):
        reveal.reveal(row, User.objects.get(pk=cast.developer.pk))
    assert Secret.objects.count() == 1


def test_two_clicks_at_once_show_it_once(cast: Cast) -> None:
    row = created(cast)
    done = at_once(*[lambda: reveal.reveal(row, cast.developer).reveal()] * 2)
    assert sorted(type(result).__name__ for result in done) == ["LostRaceError", "str"]
    assert TEXT in done


def test_one_that_cannot_be_opened_is_left_as_it_is(cast: Cast, settings: Settings) -> None:
    row = created(cast)
    before = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert (ask(row, cast.developer), Secret.objects.count()) == ((409, False), 1)
    settings.ENCRYPTION_KEYS = [*settings.ENCRYPTION_KEYS, *before]
    assert ask(row, cast.developer) == (200, True)
