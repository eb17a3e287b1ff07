"""The ITCare client as the settings describe it."""

from collections.abc import Callable
from functools import partial

from django.conf import settings

from portal.itcare import Client, Timeouts, fetch_token
from portal.sealing import Sealer, SecretText
from portal.upstream.assumed import assumptions
from portal.upstream.circuit import Circuit
from portal.upstream.pause import noticed
from portal.upstream.tokens import SharedTokens


def client(*, before: Callable[[], None] | None = None) -> Client:
    """Build a client; keep it for one pass of work, so that its connections serve all of it.

    Every call through it uses the token and heeds the pause that all processes share, and refuses to be made while a
    transaction is open.

    Args:
        before: What else to do before each request: whoever reads long lists says so that it goes on.
    """
    timeouts = Timeouts(
        connect=settings.ITCARE_CONNECT_SECONDS, read=settings.ITCARE_READ_SECONDS, total=settings.ITCARE_TOTAL_SECONDS
    )
    circuit = Circuit()

    def gate() -> None:
        circuit.gate()
        if before is not None:
            before()

    return Client(
        base_url=settings.ITCARE_BASE_URL,
        tokens=_tokens(timeouts),
        timeouts=timeouts,
        assumptions=assumptions(),
        gate=gate,
        noticed=noticed,
        reached=circuit.reached,
    )


def _tokens(timeouts: Timeouts) -> SharedTokens:
    fetch = partial(
        fetch_token,
        token_url=settings.ITCARE_TOKEN_URL,
        client_id=settings.ITCARE_CLIENT_ID,
        client_secret=SecretText(settings.ITCARE_CLIENT_SECRET),
        timeouts=timeouts,
    )
    return SharedTokens(
        Sealer(settings.ENCRYPTION_KEYS), fetch, lease=timeouts.total + timeouts.connect, patience=timeouts.total / 2
    )
