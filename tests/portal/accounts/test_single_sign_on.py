"""The identity provider says who somebody is; whether they may come in is the portal's to say.

The exchange with the provider is allauth's. These tests begin where it ends: with what the provider told of a person.
"""

from collections.abc import Callable

import pytest
from allauth.core import context
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.internal.flows.login import complete_login
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from portal.accounts.models import User
from tests.portal.accounts.conftest import Person

pytestmark = pytest.mark.django_db

Arrive = Callable[..., tuple[HttpRequest, HttpResponse]]


@pytest.fixture
def arrive(settings: Settings) -> Arrive:
    """Return what happens when the provider has told a subject and an address, verified or not."""
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"APPS": [{"provider_id": "oidc", "name": "sso", "client_id": "x", "secret": "y"}]}
    }

    def come(subject: str, email: str, *, verified: bool = True) -> tuple[HttpRequest, HttpResponse]:
        request = RequestFactory().get("/accounts/oidc/oidc/login/callback/")
        request.user = AnonymousUser()
        for middleware in (SessionMiddleware, MessageMiddleware):
            middleware(lambda _request: HttpResponse()).process_request(request)
        told = {"sub": subject, "email": email, "email_verified": verified}
        with context.request_context(request):
            provider = get_adapter().get_provider(request, "oidc")
            return request, complete_login(request, provider.sociallogin_from_response(request, {"userinfo": told}))

    return come


def signed_in_as(request: HttpRequest) -> str | None:
    return request.session.get("_auth_user_id")


def link(user: User, subject: str) -> None:
    SocialAccount.objects.create(user=user, provider="oidc", uid=subject)


def test_who_is_linked_is_signed_in(arrive: Arrive, person: Person) -> None:
    user = person("dana")
    link(user, "sub-1")
    request, answer = arrive("sub-1", "renamed@example.com")
    assert (answer.status_code, answer["Location"], signed_in_as(request)) == (302, "/", str(user.pk))
    user.refresh_from_db()
    assert user.email == "dana@example.com"


def test_who_is_unknown_is_not_made(arrive: Arrive) -> None:
    request, answer = arrive("sub-2", "new@example.com")
    assert "Sign Up Closed" in answer.content.decode()
    assert signed_in_as(request) is None
    assert (User.objects.count(), SocialAccount.objects.count()) == (0, 0)


def test_an_address_alone_proves_nothing(arrive: Arrive, person: Person) -> None:
    person("dana")
    request, _ = arrive("sub-3", "dana@example.com")
    assert signed_in_as(request) is None
    assert SocialAccount.objects.count() == 0


@pytest.mark.parametrize(("verified", "comes_in"), [(True, True), (False, False)])
def test_a_provider_of_ours_is_believed_a_verified_address(
    arrive: Arrive, person: Person, settings: Settings, *, verified: bool, comes_in: bool
) -> None:
    settings.SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
    user = person("dana")
    request, _ = arrive("sub-4", "Dana@example.com", verified=verified)
    assert signed_in_as(request) == (str(user.pk) if comes_in else None)
    assert User.objects.count() == 1


def test_a_leaver_is_not_let_in(arrive: Arrive, person: Person) -> None:
    link(person("dana", is_active=False), "sub-5")
    request, answer = arrive("sub-5", "dana@example.com")
    assert (answer["Location"], signed_in_as(request)) == ("/accounts/inactive/", None)
