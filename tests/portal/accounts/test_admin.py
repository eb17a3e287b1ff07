"""Django's administration: for administrators alone, through the portal's sign-in, and audited."""

from http import HTTPStatus
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from portal.accounts.admin_base import site
from portal.accounts.models import Membership, Team, User
from portal.audit.models import Entry
from tests.portal.accounts.conftest import PASSWORD, Person, SignedIn

pytestmark = pytest.mark.django_db

NEW = "quite-New-8-words"
NO_ROLES = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


@pytest.fixture
def dana(person: Person) -> User:
    return person("dana", roles={"alpha": ["developer"]})


def own_fields(user: User, **changes: str | None) -> dict[str, str]:
    """What the form of a person sends; a box that is not ticked is not sent."""
    data: dict[str, str | None] = {"email": user.email, "name": user.name, "is_active": "on", **NO_ROLES, **changes}
    return {name: value for name, value in data.items() if value is not None}


def page_of(user: User, page: str = "change") -> str:
    return reverse(f"admin:accounts_user_{page}", args=[user.pk])


def entries() -> list[tuple[str, str, str, dict[str, Any]]]:
    return list(Entry.objects.order_by("number").values_list("verb", "actor", "subject", "detail"))


def form_errors(answer: Any) -> dict[str, list[str]]:  # noqa: ANN401 - the test client's answers are untyped
    return {name: list(errors) for name, errors in answer.context["adminform"].form.errors.items()}


def pages(user: User) -> list[str]:
    team = Team.objects.get()
    return [
        reverse("admin:index"),
        reverse("admin:app_list", args=["accounts"]),
        reverse("admin:accounts_user_changelist"),
        reverse("admin:accounts_user_changelist") + "?q=dana&is_active__exact=1",
        reverse("admin:accounts_user_add"),
        page_of(user),
        page_of(user, "history"),
        reverse("admin:auth_user_password_change", args=[user.pk]),
        reverse("admin:accounts_team_changelist") + "?q=alpha",
        reverse("admin:accounts_team_add"),
        *(reverse(f"admin:accounts_team_{page}", args=[team.pk]) for page in ("change", "history", "delete")),
        reverse("admin:jsi18n"),
    ]


def test_every_page_opens_for_administrators(browser: Client, dana: User) -> None:
    # Something for the histories to show.
    browser.post(page_of(dana), own_fields(dana, name="Dana"))
    assert {page: browser.get(page).status_code for page in pages(dana)} == dict.fromkeys(pages(dana), 200)


def test_every_page_is_refused_to_everybody_else(person: Person, signed_in: SignedIn, dana: User) -> None:
    support = person("support", is_support=True)
    approver = person("approver", roles={"alpha": ["approver"]})
    for user in (dana, support, approver):
        client = signed_in(user)
        refused = {page: client.get(page).status_code for page in [*pages(dana), "/admin/login/"]}
        assert refused == dict.fromkeys([*pages(dana), "/admin/login/"], 403), user
        assert client.post(page_of(dana), own_fields(dana, is_administrator="on")).status_code == HTTPStatus.FORBIDDEN
    dana.refresh_from_db()
    assert dana.is_administrator is False


def test_who_is_not_signed_in_is_led_to_the_portals_sign_in(client: Client, dana: User) -> None:
    answer = client.get("/admin/accounts/user/", follow=True)
    assert [url for url, _ in answer.redirect_chain] == [
        "/admin/login/?next=/admin/accounts/user/",
        "/accounts/login/?next=%2Fadmin%2Faccounts%2Fuser%2F",
    ]


def test_ones_own_password_is_changed_on_the_portals_page(browser: Client) -> None:
    assert browser.get("/admin/password_change/")["Location"] == "/accounts/password/change/"


def test_an_administrator_who_left_is_led_out(browser: Client, administrator: User, dana: User) -> None:
    User.objects.filter(pk=administrator.pk).update(is_active=False)
    assert browser.get(page_of(dana)).status_code == HTTPStatus.FOUND


def test_only_the_portals_own_models_are_administered() -> None:
    assert {model._meta.label.partition(".")[0] for model in site._registry} <= {"accounts", "inventory"}
    assert {User, Team} <= set(site._registry)


def test_a_person_is_added_with_password_and_confirmed_address(browser: Client, administrator: User) -> None:
    page = reverse("admin:accounts_user_add")
    data = {"email": "New@Example.com", "name": "Nora", "usable_password": "true", "password1": NEW, "password2": NEW}
    answer = browser.post(page, {**data, **NO_ROLES})
    user = User.objects.get(email="new@example.com")
    assert (answer.status_code, answer["Location"]) == (302, page_of(user))
    assert user.check_password(NEW)
    assert list(EmailAddress.objects.filter(user=user).values_list("email", "verified", "primary")) == [
        ("new@example.com", True, True)
    ]
    (entry,) = Entry.objects.all()
    assert (entry.verb, entry.actor, entry.actor_id) == ("person.added", administrator.email, administrator.pk)
    assert (entry.subject_type, entry.subject_id, entry.subject) == ("person", str(user.pk), "new@example.com")
    assert entry.detail == {"email": "new@example.com", "name": "Nora"}


def test_a_person_is_added_without_a_password(browser: Client) -> None:
    data = {"email": "new@example.com", "usable_password": "false", **NO_ROLES}
    assert browser.post(reverse("admin:accounts_user_add"), data).status_code == HTTPStatus.FOUND
    assert User.objects.get(email="new@example.com").has_usable_password() is False


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"email": "DANA@example.com"}, {"email": ["User with this E-mail address already exists."]}),
        ({"email": "nobody"}, {"email": ["Enter a valid email address."]}),
        (
            {"password1": "short-7", "password2": "short-7"},
            {"password2": ["This password is too short. It must contain at least 12 characters."]},
        ),
    ],
)
def test_what_cannot_be_added_is_told_and_not_audited(
    browser: Client, dana: User, changes: dict[str, str], errors: dict[str, list[str]]
) -> None:
    data = {"email": "new@example.com", "usable_password": "true", "password1": NEW, "password2": NEW, **NO_ROLES}
    answer = browser.post(reverse("admin:accounts_user_add"), {**data, **changes})
    assert form_errors(answer) == errors
    assert entries() == []


def test_changes_of_a_person_are_audited_with_what_was_before(browser: Client, administrator: User, dana: User) -> None:
    beta, held = Team.objects.create(slug="beta", name="Team Beta"), Membership.objects.get()
    roles = {
        "memberships-TOTAL_FORMS": "2",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": str(held.pk),
        "memberships-0-user": str(dana.pk),
        "memberships-0-team": str(held.team_id),
        "memberships-0-role": "developer",
        "memberships-0-DELETE": "on",
        "memberships-1-user": str(dana.pk),
        "memberships-1-team": str(beta.pk),
        "memberships-1-role": "approver",
    }
    answer = browser.post(page_of(dana), own_fields(dana, name="Dana", is_support="on", **roles))
    assert answer.status_code == HTTPStatus.FOUND
    assert [str(membership) for membership in Membership.objects.all()] == ["dana@example.com, approver in Team Beta"]
    assert entries() == [
        (
            "person.changed",
            administrator.email,
            "dana@example.com",
            {
                "name": "nothing → Dana",
                "is_support": "False → True",
                "memberships added": ["dana@example.com, approver in Team Beta"],
                "memberships removed": ["dana@example.com, developer in Team Alpha"],
            },
        )
    ]


def test_a_save_without_changes_is_no_entry(browser: Client, dana: User) -> None:
    assert browser.post(page_of(dana), own_fields(dana)).status_code == HTTPStatus.FOUND
    assert entries() == []


def test_a_changed_address_is_the_one_to_sign_in_with(browser: Client, dana: User) -> None:
    browser.post(page_of(dana), own_fields(dana, email="D.Smith@example.com"))
    assert list(EmailAddress.objects.filter(user=dana).values_list("email", "verified", "primary")) == [
        ("d.smith@example.com", True, True)
    ]
    client = Client()
    for email, status in (("dana@example.com", 200), ("d.smith@example.com", 302)):
        answer = client.post("/accounts/login/", {"login": email, "password": PASSWORD})
        assert answer.status_code == status, email


def test_deactivating_ends_the_persons_sessions_and_no_others(
    browser: Client, dana: User, administrator: User, signed_in: SignedIn
) -> None:
    first, second = signed_in(dana), signed_in(dana)
    browser.post(page_of(dana), own_fields(dana, is_active=None))
    assert [session.user for session in UserSession.objects.all()] == [administrator]
    assert Session.objects.count() == 1
    for client in (first, second):
        assert client.get("/accounts/sessions/").status_code == HTTPStatus.FOUND
    assert [detail for _, _, _, detail in entries()] == [{"is_active": "True → False"}]


def test_nobody_changes_what_they_are_themselves(browser: Client, administrator: User) -> None:
    team = Team.objects.create(slug="alpha", name="Team Alpha")
    roles = {
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "0",
        "memberships-0-user": str(administrator.pk),
        "memberships-0-team": str(team.pk),
        "memberships-0-role": "approver",
    }
    data = own_fields(administrator, name="Alex", is_active=None, is_support="on", **roles)
    browser.post(page_of(administrator), data)
    administrator.refresh_from_db()
    assert (administrator.name, administrator.is_active, administrator.is_support) == ("Alex", True, False)
    assert administrator.is_administrator is True
    assert Membership.objects.count() == 0
    assert [detail for _, _, _, detail in entries()] == [{"name": "nothing → Alex"}]


def test_a_password_is_set_audited_and_ends_sessions(
    browser: Client, dana: User, administrator: User, signed_in: SignedIn
) -> None:
    theirs = signed_in(dana)
    page = reverse("admin:auth_user_password_change", args=[dana.pk])
    data = {"usable_password": "true", "password1": NEW, "password2": NEW, "set-password": "Change password"}
    assert browser.post(page, data)["Location"] == page_of(dana)
    dana.refresh_from_db()
    assert dana.check_password(NEW)
    assert theirs.get("/accounts/sessions/").status_code == HTTPStatus.FOUND
    assert entries() == [("person.password_set", administrator.email, "dana@example.com", {})]


def test_a_password_that_was_refused_is_not_audited(browser: Client, dana: User) -> None:
    page = reverse("admin:auth_user_password_change", args=[dana.pk])
    data = {"usable_password": "true", "password1": NEW, "password2": "other", "set-password": "Change password"}
    assert browser.post(page, data).status_code == HTTPStatus.OK
    dana.refresh_from_db()
    assert dana.check_password(PASSWORD)
    assert entries() == []


def test_people_are_never_deleted(browser: Client, dana: User) -> None:
    assert browser.post(page_of(dana, "delete"), {"post": "yes"}).status_code == HTTPStatus.FORBIDDEN
    chosen = {"action": "delete_selected", "_selected_action": str(dana.pk), "post": "yes"}
    browser.post(reverse("admin:accounts_user_changelist"), chosen)
    assert User.objects.filter(pk=dana.pk).exists()


def test_teams_are_added_changed_and_deleted_with_entries(browser: Client, administrator: User) -> None:
    browser.post(reverse("admin:accounts_team_add"), {"name": "Team Alpha", "slug": "alpha", **NO_ROLES})
    team = Team.objects.get()
    page = reverse("admin:accounts_team_change", args=[team.pk])
    browser.post(page, {"name": "Team Omega", "slug": "alpha", **NO_ROLES})
    browser.post(reverse("admin:accounts_team_delete", args=[team.pk]), {"post": "yes"})
    assert Team.objects.count() == 0
    assert entries() == [
        ("team.added", administrator.email, "Team Alpha", {"name": "Team Alpha", "slug": "alpha"}),
        ("team.changed", administrator.email, "Team Omega", {"name": "Team Alpha → Team Omega"}),
        ("team.deleted", administrator.email, "Team Omega", {}),
    ]
    assert set(Entry.objects.values_list("subject_id", flat=True)) == {str(team.pk)}


def test_roles_are_not_given_on_the_page_of_a_team(browser: Client, dana: User, administrator: User) -> None:
    team = Team.objects.get()
    roles = {
        "memberships-TOTAL_FORMS": "2",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": str(Membership.objects.get().pk),
        "memberships-0-team": str(team.pk),
        "memberships-0-DELETE": "on",
        "memberships-1-user": str(administrator.pk),
        "memberships-1-team": str(team.pk),
        "memberships-1-role": "approver",
    }
    page = reverse("admin:accounts_team_change", args=[team.pk])
    browser.post(page, {"name": team.name, "slug": team.slug, **roles})
    assert [str(membership) for membership in Membership.objects.all()] == ["dana@example.com, developer in Team Alpha"]


def test_what_cannot_be_audited_is_not_saved(browser: Client, dana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("portal.accounts.admin_base.record", fail)
    set_password = {"usable_password": "true", "password1": NEW, "password2": NEW, "set-password": "Change password"}
    for page, data in (
        (page_of(dana), own_fields(dana, name="Dana")),
        (reverse("admin:auth_user_password_change", args=[dana.pk]), set_password),
        (reverse("admin:accounts_team_delete", args=[Team.objects.get().pk]), {"post": "yes"}),
    ):
        with pytest.raises(ConnectionError):
            browser.post(page, data)
    dana.refresh_from_db()
    assert (dana.name, dana.check_password(PASSWORD), Team.objects.count()) == ("", True, 1)
