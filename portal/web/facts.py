"""Lists of facts, as the pages show them: a label and what is known, in groups; see `components/facts.html`."""

from dataclasses import dataclass
from datetime import datetime

from portal.web.looks import Look


@dataclass(frozen=True)
class Link:
    """A page elsewhere; whoever makes it sees to it that the address is one of a web page."""

    words: str
    address: str


Value = str | datetime | Look | Link
Fact = tuple[str, Value]
Told = tuple[str, Value | None]


@dataclass(frozen=True)
class Facts:
    """Facts that belong together, under a title."""

    title: str
    rows: list[Fact]


def known(title: str, told: list[Told]) -> Facts:
    """Return the facts without what is not known: what is empty, or None."""
    return Facts(title, [(label, value) for label, value in told if value])
