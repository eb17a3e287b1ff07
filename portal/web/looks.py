"""How a state is shown: one word, one icon and one tone together, so that colour never speaks alone."""

from dataclasses import dataclass
from typing import Final, Literal

Tone = Literal["good", "busy", "warn", "bad", "off"]
# Codes up to this length are abbreviations.
_ABBREVIATED: Final = 3


@dataclass(frozen=True)
class Look:
    """The word, the lucide icon and the tone of a state.

    `tip` is a sentence for those who want to know more. It is rendered as text for screen readers too.
    """

    word: str
    icon: str
    tone: Tone
    tip: str = ""


def words_of(code: str) -> str:
    """Write a code of ITCare as words: ``END_OF_SUPPORT`` as "End of support"; a short one, such as QA, stays."""
    words = " ".join(code.split("_"))
    return words if len(words) <= _ABBREVIATED else words[:1].upper() + words[1:].lower()
