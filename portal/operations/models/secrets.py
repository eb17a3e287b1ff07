"""Sealed passwords that wait, and how they end."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from portal.sealing import Sealed, Sealer, SecretText


class Secret(models.Model):
    """A sealed password that waits. Deleting the row destroys the wrapped key, and with it the password."""

    wrapped_key = models.BinaryField()
    ciphertext = models.BinaryField()
    made_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"Secret {self.pk}"

    @classmethod
    def seal(cls, text: SecretText, *, bound_to: str) -> Self:
        """Return an unsaved row with the text sealed: encrypted before any SQL sees it (SAFETY 1 rule 17)."""
        sealed = Sealer(settings.ENCRYPTION_KEYS).seal(text, bound_to=bound_to)
        return cls(wrapped_key=sealed.wrapped_key, ciphertext=sealed.ciphertext)

    def open(self, *, bound_to: str) -> SecretText:
        """Return the text.

        Raises:
            SealBroken: no configured key opens it, or it belongs to something else.
        """
        sealed = Sealed(wrapped_key=bytes(self.wrapped_key), ciphertext=bytes(self.ciphertext))
        return Sealer(settings.ENCRYPTION_KEYS).open(sealed, bound_to=bound_to)


def bound(reference: uuid.UUID, purpose: str) -> str:
    """What a secret of a request is bound to: a secret moved to another request's row does not open there."""
    return f"{reference}:{purpose}"


def erase(*secrets: int | None) -> None:
    """Destroy sealed secrets whose last reference is gone."""
    numbers = [number for number in secrets if number is not None]
    if numbers:
        Secret.objects.filter(pk__in=numbers).delete()
