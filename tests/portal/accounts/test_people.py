"""People are made in one way, whoever makes them, and never twice."""

import getpass
import io
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.management.commands import createsuperuser
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from portal.accounts.models import Membership, Team, User
from portal.accounts.people import add_person, confirm_address
from portal.audit.models import Entry

pytestmark = pytest.mark.django_db

PASSWORD = "correct-Horse-7"


def addresses(user: User) -> list[tuple[str, bool, bool]]:
    return list(EmailAddress.objects.filter(user=user).values_list("email", "verified", "primary"))


def test_a_person_is_made_with_a_confirmed_address_and_an_audit_entry() -> None:
    user = add_person(
        email=" Dana@Example.COM ", password=PASSWORD, name="Dana", actor="admin@x.fr", actor_id=9, is_support=True
    )
    assert (user.email, user.name, str(user)) == ("dana@example.com", "Dana", "dana@example.com")
    assert (user.is_active, user.is_support, user.is_administrator, user.is_staff) == (True, True, False, False)
    assert user.check_password(PASSWORD)
    assert addresses(user) == [("dana@example.com", True, True)]
    entry = Entry.objects.get()
    assert (entry.verb, entry.actor, entry.actor_id) == ("person.added", "admin@x.fr", 9)
    assert (entry.subject_type, entry.subject_id, entry.subject) == ("person", str(user.pk), "dana@example.com")
    assert entry.detail == {"support": True, "administrator": False}


def test_without_a_password_nobody_can_sign_in_by_one() -> None:
    assert add_person(email="a@b.fr", password=None, actor="x").has_usable_password() is False


def test_a_name_for_screens_is_the_address_where_there_is_none() -> None:
    assert User(email="a@b.fr").get_full_name() == "a@b.fr"
    assert User(email="a@b.fr", name="Ada").get_full_name() == "Ada"


def test_a_second_person_with_the_address_leaves_nothing_behind() -> None:
    add_person(email="a@b.fr", password=None, actor="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        add_person(email="A@B.fr", password=None, actor="x")
    assert (User.objects.count(), EmailAddress.objects.count(), Entry.objects.count()) == (1, 1, 1)


@pytest.mark.parametrize("email", ["", "  "])
def test_a_person_needs_an_address(email: str) -> None:
    with pytest.raises(ValueError, match="needs an e-mail address"):
        User.objects.create_user(email)
    assert User.objects.count() == 0


@pytest.mark.parametrize(
    ("email", "constraint"),
    [("A@b.fr", "user_email_in_small_letters"), ("", "user_has_email"), ("a@b.fr", "accounts_user_email_key")],
)
def test_the_database_holds_addresses_to_one_spelling(email: str, constraint: str) -> None:
    User.objects.create_user("a@b.fr")
    with pytest.raises(IntegrityError, match=constraint):
        User.objects.create(email=email)


def test_people_are_found_whatever_the_capitals() -> None:
    user = User.objects.create_user("dana@example.com")
    assert User.objects.get_by_natural_key(" DANA@example.com") == user


def test_a_role_is_known_and_held_once() -> None:
    user, team = User.objects.create_user("a@b.fr"), Team.objects.create(slug="alpha", name="Alpha")
    Membership.objects.create(user=user, team=team, role="developer")
    with pytest.raises(IntegrityError, match="membership_once"), transaction.atomic():
        Membership.objects.create(user=user, team=team, role="developer")
    with pytest.raises(IntegrityError, match="membership_role_known"), transaction.atomic():
        Membership.objects.create(user=user, team=team, role="owner")
    Membership.objects.create(user=user, team=team, role="approver")
    assert [str(held) for held in Membership.objects.all()] == [
        "a@b.fr, approver in Alpha",
        "a@b.fr, developer in Alpha",
    ]


def test_a_changed_address_is_the_only_one_known() -> None:
    user = User.objects.create_user("old@example.com")
    user.email = "new@example.com"
    user.save()
    confirm_address(user)
    assert addresses(user) == [("new@example.com", True, True)]


def secret_file(folder: Path, text: str = PASSWORD) -> str:
    file = folder / "password"
    file.write_text(text + "\n")
    return str(file)


def test_the_first_administrator_is_made_by_a_command(tmp_path: Path) -> None:
    out = io.StringIO()
    command = ["create_administrator", "Admin@Example.com", "--name", "Alex", "--password-file", secret_file(tmp_path)]
    call_command(*command, stdout=out)
    user = User.objects.get()
    assert (user.email, user.name, user.is_administrator, user.is_support) == ("admin@example.com", "Alex", True, False)
    assert user.check_password(PASSWORD)
    assert addresses(user) == [("admin@example.com", True, True)]
    assert out.getvalue() == "admin@example.com is an administrator.\n"
    entry = Entry.objects.get()
    assert (entry.verb, entry.actor) == ("person.added", "manage.py create_administrator")
    assert entry.detail == {"support": False, "administrator": True}


def test_the_command_asks_for_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt="Password: ": PASSWORD)
    call_command("create_administrator", "admin@example.com", stdout=io.StringIO())
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize(
    ("email", "password", "sentence"),
    [
        ("admin", PASSWORD, "Enter a valid email address."),
        ("taken@example.com", PASSWORD, "taken@example.com is already here."),
        ("admin@example.com", "short-7", "This password is too short."),
        ("admin@example.com", "password1234", "This password is too common."),
        ("admin@example.com", "Admin@example.com", "The password is too similar to the e-mail address."),
    ],
)
def test_the_command_refuses_what_the_pages_would(tmp_path: Path, email: str, password: str, sentence: str) -> None:
    User.objects.create_user("taken@example.com")
    with pytest.raises(CommandError) as refusal:
        call_command("create_administrator", email, "--password-file", secret_file(tmp_path, password))
    assert str(refusal.value).startswith(sentence)
    assert password not in str(refusal.value)
    assert User.objects.filter(is_administrator=True).count() == 0


def test_the_command_tells_what_is_wrong_with_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match=r"cannot be read from .*: FileNotFoundError"):
        call_command("create_administrator", "a@b.fr", "--password-file", str(tmp_path / "none"))
    answers = iter([PASSWORD, "another-Horse-8"])
    monkeypatch.setattr(getpass, "getpass", lambda prompt="": next(answers))
    with pytest.raises(CommandError, match="The two passwords differ"):
        call_command("create_administrator", "a@b.fr")

    def nobody_there(prompt: str = "") -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", nobody_there)
    with pytest.raises(CommandError, match="use --password-file"):
        call_command("create_administrator", "a@b.fr")
    assert User.objects.count() == 0


def test_djangos_own_command_makes_an_administrator_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command(createsuperuser.Command(), "--no-input", "--email", "Admin@Example.com", stdout=io.StringIO())
    user = User.objects.get()
    assert (user.email, user.is_administrator, user.is_staff) == ("admin@example.com", True, True)
    assert user.check_password(PASSWORD)
    assert addresses(user) == [("admin@example.com", True, True)]
    entry = Entry.objects.get()
    assert (entry.verb, entry.actor, entry.subject) == (
        "person.added",
        "manage.py createsuperuser",
        "admin@example.com",
    )
