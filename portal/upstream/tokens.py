"""The access token that all processes share: fetched by one, renewed early, sealed in the database (SAFETY 1 rule 15).

The right to fetch is a lease on the row and not a lock: no transaction is open while the token server is asked, and a
process that dies meanwhile holds the others up for the length of the lease only.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from portal.itcare import Token as Fetched
from portal.itcare import TokenUnavailable, renewal_margin
from portal.sealing import SealBroken, Sealed, Sealer, SecretText
from portal.upstream.circuit import shut
from portal.upstream.models import Token
from portal.upstream.pause import hold

logger = logging.getLogger(__name__)

_PURPOSE: Final = "upstream token"
_LOOK_EVERY: Final = 0.1
# After a failure nobody asks the token server again for this long.
_FAILURE_HOLDS: Final = timedelta(seconds=5)
# Two tokens refused within this time mean that it is not the token.
_REFUSALS_BELONG: Final = timedelta(minutes=2)
_REFUSED_PAUSE: Final = 60.0


@dataclass(frozen=True)
class _Turn:
    """The right to fetch, under a fence; `standby` is the old token where it still is good."""

    fence: int
    standby: SecretText | None


class SharedTokens:
    """A token source over the one row.

    Args:
        sealer: seals the stored token.
        fetch: brings a new token; called with no transaction open.
        lease: seconds after which a fetch counts as abandoned; longer than `fetch` can take.
        patience: seconds that others wait for the fetcher at most.
    """

    def __init__(self, sealer: Sealer, fetch: Callable[[], Fetched], *, lease: float, patience: float) -> None:
        self._sealer = sealer
        self._fetch = fetch
        self._lease = timedelta(seconds=lease)
        self._patience = patience

    def get(self) -> str:
        """Return the shared token, after fetching it if that is this process's turn.

        Raises:
            TokenUnavailable: there is none, and none could be had in time.
        """
        end = time.monotonic() + self._patience
        while True:
            found = self._stored() or self._turn()
            if isinstance(found, SecretText):
                return found.reveal()
            if isinstance(found, _Turn):
                return self._fetched(found).reveal()
            if time.monotonic() >= end:
                sentence = "Another part of the portal is still signing in to ITCare."
                raise TokenUnavailable(sentence)
            time.sleep(_LOOK_EVERY)

    def refused(self, token: str) -> None:
        """Drop a token that ITCare answered 401 to, if it still is the stored one.

        A second one within two minutes pauses everything: then the account is at fault, and a person must look.
        """
        with transaction.atomic(durable=True):
            row = Token.objects.select_for_update().annotate(now=Now()).first()
            stored = None if row is None else self._opened(row)
            if row is None or stored is None or not compare_digest(stored.reveal().encode(), token.encode()):
                return
            again = row.refused_at is not None and row.refused_at > row.now - _REFUSALS_BELONG
            Token.objects.update(
                wrapped_key=None, ciphertext=None, fetched_at=None, renew_at=None, expires_at=None, refused_at=Now()
            )
        if again:
            # For a person. Nothing was executed, so that asking again each minute does no harm, and heals by itself.
            logger.error("ITCare refused two tokens in a row: the portal's account must be looked at.")
            hold(
                "ITCare does not accept the portal's account; an administrator must look at it.", seconds=_REFUSED_PAUSE
            )

    def _stored(self) -> SecretText | None:
        with transaction.atomic(durable=True):
            row = Token.objects.filter(renew_at__gt=Now()).first()
        return self._opened(row) if row else None

    def _turn(self) -> SecretText | _Turn | None:
        """Take the turn to fetch; else return a token that will do; else None, to wait."""
        with transaction.atomic(durable=True):
            Token.objects.bulk_create([Token(id=1)], ignore_conflicts=True)
            row = Token.objects.select_for_update().annotate(now=Now()).get()
            stored = self._opened(row)
            if stored and row.renew_at is not None and row.renew_at > row.now:
                return stored
            standby = stored if row.expires_at is not None and row.expires_at > row.now else None
            if row.fetching_until is not None and row.fetching_until > row.now:
                return standby
            if row.failed_at is not None and row.failed_at > row.now - _FAILURE_HOLDS:
                if standby is None:
                    raise TokenUnavailable(row.failure)
                return standby
            row.fence += 1
            row.fetching_until = row.now + self._lease
            row.save(update_fields=["fence", "fetching_until"])
        return _Turn(row.fence, standby)

    def _fetched(self, turn: _Turn) -> SecretText:
        mine = Token.objects.filter(fence=turn.fence)
        started = time.monotonic()
        try:
            fetched = self._fetch()
        except TokenUnavailable as error:
            mine.update(fetching_until=None, failed_at=Now(), failure=error.sentence)
            if turn.standby is None:
                if error.reason:
                    # Not answered: whoever asked now would wait as long, and hold a worker.
                    shut(error.sentence)
                raise
            return turn.standby
        secret = SecretText(fetched.access)
        sealed = self._sealer.seal(secret, bound_to=_PURPOSE)
        # The lifetime counts from the asking, by the database's clock, which all hosts share.
        asked = Now() - timedelta(seconds=time.monotonic() - started)
        mine.update(
            wrapped_key=sealed.wrapped_key,
            ciphertext=sealed.ciphertext,
            fetched_at=Now(),
            renew_at=asked + fetched.lifetime - renewal_margin(fetched.lifetime),
            expires_at=asked + fetched.lifetime,
            fetching_until=None,
            failed_at=None,
            failure="",
        )
        return secret

    def _opened(self, row: Token) -> SecretText | None:
        if row.wrapped_key is None or row.ciphertext is None:
            return None
        try:
            return self._sealer.open(Sealed(bytes(row.wrapped_key), bytes(row.ciphertext)), bound_to=_PURPOSE)
        except SealBroken:
            # Sealed under a key that was retired: a new token is to be had for the asking.
            return None
