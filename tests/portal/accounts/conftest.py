"""People of each role, and browsers that are signed in as them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from portal.accounts.models import Membership, Team, User

PASSWORD = "correct-Horse-7"
Person = Callable[..., User]
SignedIn = Callable[[User], Client]


@pytest.fixture
def person(db: None) -> Person:
    """Return a maker of people: an e-mail name, flags, and roles by the slug of the team."""

    def make(name: str, *, roles: dict[str, list[str]] | None = None, **flags: Any) -> User:  # noqa: ANN401 - a name or a flag
        user = User.objects.create_user(f"{name}@example.com", PASSWORD, **flags)
        for slug, held in (roles or {}).items():
            team, _ = Team.objects.get_or_create(slug=slug, defaults={"name": f"Team {slug.title()}"})
            for role in held:
                Membership.objects.create(user=user, team=team, role=role)
        return user

    return make


@pytest.fixture
def signed_in() -> SignedIn:
    """Return a maker of browsers in which somebody has signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        answer = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        assert answer.status_code == 302
        return client

    return sign_in


@pytest.fixture
def administrator(person: Person) -> User:
    """Return an administrator."""
    return person("admin", is_administrator=True)


@pytest.fixture
def browser(administrator: User, signed_in: SignedIn) -> Client:
    """Return the administrator's browser."""
    return signed_in(administrator)
