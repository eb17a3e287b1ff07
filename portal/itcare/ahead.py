"""What calls need that several threads are to make at once, asked for by one thread before them.

Whoever asks the gate or for the token may have to ask a database, and each thread would need a connection of its own.
"""

from collections.abc import Callable

from portal.itcare.auth import TokenSource


class Passed:
    """A gate that was passed already: it lets one request through, and is asked before any other."""

    def __init__(self, gate: Callable[[], None]) -> None:
        self._gate = gate
        self._used = False

    def __call__(self) -> None:
        """Let a request through, or hold it back as the gate does."""
        if self._used:
            self._gate()
        self._used = True


class HeldToken:
    """A token that was had already, until it is refused.

    Args:
        tokens: where it comes from, now and once it was refused.

    Raises:
        TokenUnavailable: there is none to be had.
    """

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens
        self._held: str | None = tokens.get()

    def get(self) -> str:
        """Return the token; another one once it was refused.

        Raises:
            TokenUnavailable: there is none to be had.
        """
        return self._held or self._tokens.get()

    def refused(self, token: str) -> None:
        """Forget the token that ITCare answered 401 to."""
        self._held = None
        self._tokens.refused(token)
