"""Signing in: who is let in, who is not, and what they are told."""

import re
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import User
from tests.portal.accounts.conftest import PASSWORD, Person, SignedIn

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"
WRONG = "The email address and/or password you specified are not correct."


def sign_in(client: Client, email: str, password: str = PASSWORD) -> tuple[int, str]:
    """Return the status and what the form says, or where it leads."""
    answer = client.post(LOGIN, {"login": email, "password": password})
    if answer.status_code == HTTPStatus.FOUND:
        return answer.status_code, answer["Location"]
    form = answer.context["form"]
    return answer.status_code, " ".join(error for errors in form.errors.values() for error in errors)


def signed_in_as(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


@pytest.mark.parametrize("email", ["dana@example.com", "Dana@Example.COM"])
def test_the_right_password_signs_in(client: Client, person: Person, email: str) -> None:
    user = person("dana")
    assert sign_in(client, email) == (302, "/")
    assert signed_in_as(client) == str(user.pk)


def test_one_comes_back_to_where_one_was_going_and_never_elsewhere(client: Client, person: Person) -> None:
    person("dana")
    credentials = {"login": "dana@example.com", "password": PASSWORD}
    assert client.post(LOGIN, {**credentials, "next": "/approvals/?q=1"})["Location"] == "/approvals/?q=1"
    client.logout()
    assert client.post(LOGIN, {**credentials, "next": "https://evil.example.com/"})["Location"] == "/"


def test_a_wrong_password_and_a_stranger_read_the_same(client: Client, person: Person) -> None:
    person("dana")
    assert sign_in(client, "dana@example.com", "wrong-Horse-7") == (200, WRONG)
    assert sign_in(client, "nobody@example.com") == (200, WRONG)
    assert signed_in_as(client) is None


def test_a_person_without_a_password_cannot_sign_in_by_one(client: Client) -> None:
    User.objects.create_user("dana@example.com")
    assert sign_in(client, "dana@example.com", "") == (200, "This field is required.")
    assert sign_in(client, "dana@example.com", "!") == (200, WRONG)


def test_a_leaver_cannot_sign_in(client: Client, person: Person) -> None:
    person("dana", is_active=False)
    assert sign_in(client, "dana@example.com") == (302, "/accounts/inactive/")
    assert signed_in_as(client) is None
    assert client.get("/accounts/inactive/").status_code == HTTPStatus.OK


def test_a_leavers_session_is_nobodys_from_the_next_request_on(person: Person, signed_in: SignedIn) -> None:
    user = person("dana")
    client = signed_in(user)
    assert client.get("/accounts/password/change/").status_code == HTTPStatus.OK
    User.objects.filter(pk=user.pk).update(is_active=False)
    answer = client.get("/accounts/password/change/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/accounts/password/change/")


def test_nobody_signs_up(client: Client) -> None:
    answer = client.get("/accounts/signup/")
    assert (answer.status_code, answer.templates[0].name) == (200, "account/signup_closed.html")
    client.post(
        "/accounts/signup/", {"email": "new@example.com", "password1": "new-Horse-77", "password2": "new-Horse-77"}
    )
    assert User.objects.count() == 0


def test_too_many_failures_are_refused_even_with_the_right_password(
    client: Client, person: Person, settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "100/m/ip,3/5m/key"}
    person("dana")
    for _ in range(3):
        assert sign_in(client, "dana@example.com", "wrong-Horse-7") == (200, WRONG)
    late = "Too many failed login attempts. Try again later."
    assert sign_in(client, "dana@example.com") == (200, late)
    assert signed_in_as(client) is None


def test_many_sign_ins_from_one_address_are_refused(client: Client, person: Person, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "2/m/ip"}
    for number in range(2):
        assert sign_in(client, f"nobody{number}@example.com") == (200, WRONG)
    person("dana")
    answer = client.post(LOGIN, {"login": "dana@example.com", "password": PASSWORD})
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert signed_in_as(client) is None


def test_a_forwarded_address_does_not_get_around_the_limit(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    statuses = [
        client.post(LOGIN, {"login": "a@b.fr", "password": "x"}, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(2)
    ]
    assert statuses == [200, 429]


def test_signing_in_is_one_session_in_the_database_and_signing_out_ends_it(person: Person, signed_in: SignedIn) -> None:
    user = person("dana")
    client = signed_in(user)
    assert [session.user for session in UserSession.objects.all()] == [user]
    assert client.get("/accounts/logout/").status_code == HTTPStatus.OK
    assert signed_in_as(client) == str(user.pk)
    client.post("/accounts/logout/")
    assert signed_in_as(client) is None
    assert Session.objects.count() == 0


def test_a_forgotten_password_is_set_through_a_mail(client: Client, person: Person) -> None:
    user = person("dana")
    client.post("/accounts/password/reset/", {"email": "dana@example.com"})
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["dana@example.com"], "[PostgreSQL portal] Password Reset Email")
    link = re.search(r"http://testserver(/\S+)", str(letter.body))
    assert link
    page = client.get(link[1], follow=True)
    client.post(page.request["PATH_INFO"], {"password1": "quite-New-8-words", "password2": "quite-New-8-words"})
    user.refresh_from_db()
    assert user.check_password("quite-New-8-words")


def test_asking_for_a_mail_does_not_tell_who_exists(client: Client, person: Person) -> None:
    person("dana")
    person("leaver", is_active=False)
    answers = [
        client.post("/accounts/password/reset/", {"email": f"{name}@example.com"})["Location"]
        for name in ("dana", "nobody", "leaver")
    ]
    assert answers == ["/accounts/password/reset/done/"] * 3
    links = [letter.to[0] for letter in mail.outbox if "/password/reset/key/" in letter.body]
    assert links == ["dana@example.com"]


def test_nobody_gives_themselves_another_address(person: Person, signed_in: SignedIn) -> None:
    user = person("dana")
    client = signed_in(user)
    client.post("/accounts/email/", {"action_add": "", "email": "other@example.com"})
    assert list(EmailAddress.objects.values_list("user", "email")) == [(user.pk, "dana@example.com")]
    client.post("/accounts/email/", {"action_remove": "", "email": "dana@example.com"})
    assert list(EmailAddress.objects.values_list("user", "email")) == [(user.pk, "dana@example.com")]


def test_a_changed_password_ends_the_other_sessions(person: Person, signed_in: SignedIn) -> None:
    user = person("dana")
    here, there = signed_in(user), signed_in(user)
    new = "quite-New-8-words"
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert here.get("/accounts/password/change/").status_code == HTTPStatus.OK
    assert there.get("/accounts/password/change/").status_code == HTTPStatus.FOUND


def test_pages_of_an_account_write_no_row_each(person: Person, signed_in: SignedIn) -> None:
    client = signed_in(person("dana"))
    before = UserSession.objects.get().last_seen_at
    client.get("/accounts/sessions/")
    assert UserSession.objects.get().last_seen_at == before


def test_one_who_was_signed_out_comes_back_to_the_page_of_the_form(client: Client) -> None:
    page = "http://testserver/requests/7/"
    answer = client.post("/requests/7/approve/", {"comment": "yes"}, headers={"referer": page})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/login/?next=/requests/7/")
    page = "http://testserver/requests/new/resize/?cluster=7"
    answer = client.post("/requests/new/resize/?cluster=7", headers={"referer": page})
    assert answer.headers["Location"] == "/accounts/login/?next=/requests/new/resize/%3Fcluster%3D7"
    elsewhere = client.post("/requests/7/approve/", headers={"referer": "http://elsewhere.example/requests/7/"})
    assert elsewhere.headers["Location"] == "/accounts/login/?next=/"
