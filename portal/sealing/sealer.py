"""Seals a secret under a data key of its own, and the data key under the configured keys (SAFETY 5, envelope)."""

import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hmac import compare_digest

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from portal.sealing.secret import SecretText


class SealBroken(Exception):  # noqa: N818 - reads as what happened
    """A sealed secret cannot be opened: its key was retired, it was altered, or it belongs to something else."""


@dataclass(frozen=True)
class Sealed:
    """A secret that may be stored. Destroying `wrapped_key` destroys it."""

    wrapped_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


class Sealer:
    """Seals and opens secrets.

    Args:
        keys: Fernet keys. The first one wraps, all of them open, so that a key is retired by putting a new one in
            front, calling `rotate` on every stored secret, and then dropping the old one.

    Raises:
        ValueError: there is no key, or one of them is not a Fernet key. The message does not contain it.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keyring = _keyring(keys)

    def seal(self, secret: SecretText, *, bound_to: str) -> Sealed:
        """Seal a secret.

        Args:
            secret: what to seal.
            bound_to: what it belongs to, e.g. "change 12 adm_password". It opens for the same words alone, so a sealed
                secret that is copied to another row stays closed.
        """
        key = Fernet.generate_key()
        letter = json.dumps([bound_to, secret.reveal()]).encode("ascii")
        return Sealed(wrapped_key=self._keyring.encrypt(key), ciphertext=Fernet(key).encrypt(letter))

    def open(self, sealed: Sealed, *, bound_to: str) -> SecretText:
        """Open what `seal` made.

        Raises:
            SealBroken: no configured key opens it, it was altered, or it was bound to other words.
        """
        secret = self._opened(sealed, bound_to)
        if secret is None:
            message = "the sealed secret cannot be opened with the configured keys for this purpose"
            raise SealBroken(message)
        return secret

    def rotate(self, sealed: Sealed) -> Sealed:
        """Wrap the data key anew under the first key; the secret itself is not opened.

        Raises:
            SealBroken: no configured key opens it.
        """
        try:
            return Sealed(wrapped_key=self._keyring.rotate(sealed.wrapped_key), ciphertext=sealed.ciphertext)
        except InvalidToken:
            message = "the data key cannot be opened with the configured keys"
            raise SealBroken(message) from None

    def _opened(self, sealed: Sealed, bound_to: str) -> SecretText | None:
        # None instead of an exception: no traceback then holds a frame in which the text was.
        try:
            words, text = json.loads(Fernet(self._keyring.decrypt(sealed.wrapped_key)).decrypt(sealed.ciphertext))
        except (InvalidToken, ValueError):
            return None
        if not compare_digest(words.encode(), bound_to.encode()):
            return None
        return SecretText(text)


def _keyring(keys: Sequence[str]) -> MultiFernet:
    if not keys:
        message = "at least one encryption key is needed"
        raise ValueError(message)
    rings = [_fernet(key) for key in keys]
    for number, ring in enumerate(rings, 1):
        if ring is None:
            message = f"encryption key {number} is not a Fernet key (32 bytes, URL-safe base64)"
            raise ValueError(message)
    return MultiFernet([ring for ring in rings if ring])


def _fernet(key: str) -> Fernet | None:
    try:
        return Fernet(key)
    except (ValueError, binascii.Error):
        return None
