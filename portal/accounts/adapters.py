"""How django-allauth behaves here: nobody signs up, and the seeds of second factors are sealed."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.http import HttpRequest

from portal.sealing import Sealed, Sealer, SecretText

SEED = "second factor"


class AccountAdapter(DefaultAccountAdapter):
    """Administrators make accounts; nobody signs up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        """Say no."""
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """The identity provider leads to people whom an administrator has made, and makes nobody."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002 - allauth's
        """Say no."""
        return False


class MFAAdapter(DefaultMFAAdapter):
    """Seals the seeds of one-time and recovery codes, which allauth stores in the clear as shipped."""

    def encrypt(self, text: str) -> str:
        """Return the seed as it is stored."""
        sealed = _sealer().seal(SecretText(text), bound_to=SEED)
        return f"{sealed.wrapped_key.decode()}:{sealed.ciphertext.decode()}"

    def decrypt(self, encrypted_text: str) -> str:
        """Return the seed.

        Raises:
            portal.sealing.SealBroken: no key of ENCRYPTION_KEYS opens it.
        """
        wrapped_key, _, ciphertext = encrypted_text.partition(":")
        sealed = Sealed(wrapped_key=wrapped_key.encode(), ciphertext=ciphertext.encode())
        return _sealer().open(sealed, bound_to=SEED).reveal()


def _sealer() -> Sealer:
    return Sealer(settings.ENCRYPTION_KEYS)
