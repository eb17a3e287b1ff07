"""How a state is shown: one word, one icon and one tone together, so that colour never speaks alone."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "busy", "warn", "bad", "off"]


@dataclass(frozen=True)
class Look:
    """The word, the lucide icon and the tone of a state.

    `tip` is a sentence for those who want to know more. It is rendered as text for screen readers too.
    """

    word: str
    icon: str
    tone: Tone
    tip: str = ""
