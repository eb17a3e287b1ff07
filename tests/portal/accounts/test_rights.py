"""Who may what: a table, each member of the cast against each question."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from portal.accounts import rights
from portal.accounts.http import Request, signed_in
from portal.accounts.models import User
from tests.portal.accounts.conftest import Person

DEVELOPER, APPROVER = "developer", "approver"
BOTH = {"alpha": [APPROVER], "beta": [APPROVER]}
HATS = {"alpha": [DEVELOPER, APPROVER], "beta": [DEVELOPER]}


@pytest.mark.parametrize(
    ("flags", "roles", "everything", "administers", "member", "asks", "decides"),
    [
        ([], {}, False, False, [], [], []),
        ([], {"alpha": [DEVELOPER]}, False, False, ["alpha"], ["alpha"], []),
        ([], {"alpha": [APPROVER]}, False, False, ["alpha"], [], ["alpha"]),
        ([], BOTH, False, False, ["alpha", "beta"], [], ["alpha", "beta"]),
        ([], HATS, False, False, ["alpha", "beta"], ["alpha", "beta"], ["alpha"]),
        (["is_support"], {}, True, False, [], [], []),
        (["is_support"], {"beta": [DEVELOPER]}, True, False, ["beta"], ["beta"], []),
        (["is_administrator"], {}, True, True, [], [], []),
        (["is_administrator"], HATS, True, True, ["alpha", "beta"], ["alpha", "beta"], []),
        (["is_administrator", "is_support"], BOTH, True, True, ["alpha", "beta"], [], []),
    ],
)
def test_rights_of_each_role(
    person: Person,
    *,
    flags: list[str],
    roles: dict[str, list[str]],
    everything: bool,
    administers: bool,
    member: list[str],
    asks: list[str],
    decides: list[str],
) -> None:
    # Somebody else's roles must not count.
    person("somebody", roles={"alpha": [DEVELOPER, APPROVER], "beta": [DEVELOPER, APPROVER], "gamma": [DEVELOPER]})
    user = person("one", roles=roles, **dict.fromkeys(flags, True))
    assert rights.reads_everything(user) is everything
    assert rights.administers(user) is administers
    assert [team.slug for team in rights.teams_of(user)] == member
    assert [team.slug for team in rights.teams_asking(user)] == asks
    assert [team.slug for team in rights.teams_deciding(user)] == decides


@pytest.mark.parametrize("flag", ["is_support", "is_administrator"])
def test_a_leaver_has_no_rights_whatever_they_were(person: Person, flag: str) -> None:
    user = person("one", roles=HATS, is_active=False, **{flag: True})
    assert rights.reads_everything(user) is False
    assert rights.administers(user) is False
    assert list(rights.teams_of(user)) == []
    assert list(rights.teams_asking(user)) == []
    assert list(rights.teams_deciding(user)) == []
    assert user.has_perm("accounts.change_user") is False
    assert user.has_module_perms("accounts") is False


@pytest.mark.parametrize(
    ("flags", "roles", "words"),
    [
        ([], {}, "No role yet"),
        ([], HATS, "Approver in Team Alpha, Developer in Team Alpha, Developer in Team Beta"),
        (["is_support"], {}, "Support"),
        (["is_administrator"], {"alpha": [DEVELOPER]}, "Administrator, Developer in Team Alpha"),
    ],
)
def test_roles_in_words(person: Person, flags: list[str], roles: dict[str, list[str]], words: str) -> None:
    assert rights.role_words(person("one", roles=roles, **dict.fromkeys(flags, True))) == words


@pytest.mark.django_db
def test_a_view_behind_sign_in_sees_the_person_and_nobody_else() -> None:
    seen: list[User] = []

    @signed_in
    def view(request: Request, number: int) -> HttpResponse:
        seen.append(request.user)
        return HttpResponse(str(number))

    request: HttpRequest = RequestFactory().get("/things/4/?page=2")
    request.user = AnonymousUser()
    answer = view(request, 4)
    assert (answer.status_code, answer["Location"], seen) == (302, "/accounts/login/?next=/things/4/%3Fpage%3D2", [])
    user = User.objects.create_user("one@example.com")
    request.user = user
    assert view(request, 4).status_code == 200
    assert seen == [user]
