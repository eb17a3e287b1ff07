"""One-time codes and recovery codes: asked for at sign-in, and never in the clear in the database."""

from types import SimpleNamespace

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from cryptography.fernet import Fernet
from django.db import connection
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import User
from portal.sealing import SealBroken
from tests.portal.accounts.conftest import PASSWORD, Person, SignedIn

pytestmark = pytest.mark.django_db

PERIOD = 30
NOW = 1_800_000_000


def code_of(seed: str) -> str:
    code: str = format_hotp_value(hotp_value(seed, NOW // PERIOD))
    return code


@pytest.fixture(autouse=True)
def _one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the half minute of a code not end within a test."""
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.time", SimpleNamespace(time=lambda: NOW))


def stored() -> str:
    """Return everything that the database holds of second factors."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(string_agg(a::text, ' '), '') FROM mfa_authenticator a")
        text: str = cursor.fetchone()[0]
    return text


@pytest.fixture
def user(person: Person) -> User:
    return person("dana")


@pytest.fixture
def client(user: User, signed_in: SignedIn) -> Client:
    """Return the person's browser, signed in again just now, as switching on asks for."""
    client = signed_in(user)
    answer = client.get("/accounts/2fa/totp/activate/")
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


@pytest.fixture
def seed(client: Client) -> str:
    """Switch one-time codes on through the pages; return the seed that the page showed."""
    shown: str = client.get("/accounts/2fa/totp/activate/").context["form"].secret
    client.post("/accounts/2fa/totp/activate/", {"code": code_of(shown)})
    return shown


def test_seeds_are_sealed_in_the_database(user: User, seed: str) -> None:
    kinds = Authenticator.objects.filter(user=user).order_by("type").values_list("type", flat=True)
    assert list(kinds) == ["recovery_codes", "totp"]
    assert len(seed) == len(generate_totp_secret())
    assert seed not in stored()
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    assert len(codes) == 10
    assert [code for code in codes if code in stored()] == []
    recovery = Authenticator.objects.get(type="recovery_codes").data["seed"]
    assert get_adapter().decrypt(recovery) not in stored()


def test_with_a_second_factor_a_password_alone_does_not_sign_in(user: User, seed: str) -> None:
    other = Client()
    answer = other.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert "_auth_user_id" not in other.session
    other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "_auth_user_id" not in other.session
    (code, *_) = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    assert other.post("/accounts/2fa/authenticate/", {"code": code})["Location"] == "/"
    assert other.session["_auth_user_id"] == str(user.pk)


def test_a_code_is_good_once(user: User) -> None:
    seed = generate_totp_secret()
    totp = TOTP.activate(user, seed)
    assert [totp.validate_code(code) for code in ("abcdef", code_of(seed), code_of(seed))] == [False, True, False]


def test_what_was_sealed_opens_again_and_differs_each_time() -> None:
    adapter = get_adapter()
    first, second = adapter.encrypt("JBSWY3DPEHPK3PXP"), adapter.encrypt("JBSWY3DPEHPK3PXP")
    assert first != second
    assert [adapter.decrypt(first), adapter.decrypt(second)] == ["JBSWY3DPEHPK3PXP"] * 2


def test_a_new_key_in_front_still_opens_and_another_key_does_not(settings: Settings) -> None:
    sealed = get_adapter().encrypt("JBSWY3DPEHPK3PXP")
    new = Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [new, *settings.ENCRYPTION_KEYS]
    assert get_adapter().decrypt(sealed) == "JBSWY3DPEHPK3PXP"
    settings.ENCRYPTION_KEYS = [new]
    with pytest.raises(SealBroken):
        get_adapter().decrypt(sealed)


@pytest.mark.parametrize("text", ["", "JBSWY3DPEHPK3PXP", ":", "é:é"])
def test_what_was_not_sealed_does_not_open(text: str) -> None:
    with pytest.raises(SealBroken):
        get_adapter().decrypt(text)
