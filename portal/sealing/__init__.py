"""Envelope encryption for what must wait in the database: passwords, the upstream token, TOTP seeds."""

from portal.sealing.sealer import SealBroken, Sealed, Sealer
from portal.sealing.secret import SecretText

__all__ = ["SealBroken", "Sealed", "Sealer", "SecretText"]
