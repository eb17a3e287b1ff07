"""How allauth behaves here: closed sign-up, sealed seeds."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from portal.sealing import Sealed, Sealer, SecretText

SEED = "mfa seed"


class AccountAdapter(DefaultAccountAdapter):
    """Administrators make accounts; nobody signs up."""

    def is_open_for_signup(self, _request: HttpRequest) -> bool:
        """Say no."""
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Single sign-on leads to accounts that exist."""

    def is_open_for_signup(self, _request: HttpRequest, _sociallogin: Any) -> bool:  # noqa: ANN401
        """Say no."""
        return False


class MFAAdapter(DefaultMFAAdapter):
    """Seals the seeds of second factors, which allauth stores in the clear as shipped."""

    def encrypt(self, text: str) -> str:
        """Seal a seed."""
        sealed = Sealer(settings.ENCRYPTION_KEYS).seal(SecretText(text), bound_to=SEED)
        return f"{sealed.wrapped_key.decode()}:{sealed.ciphertext.decode()}"

    def decrypt(self, encrypted_text: str) -> str:
        """Open a seed."""
        key, _, text = encrypted_text.partition(":")
        sealed = Sealed(wrapped_key=key.encode(), ciphertext=text.encode())
        return Sealer(settings.ENCRYPTION_KEYS).open(sealed, bound_to=SEED).reveal()
