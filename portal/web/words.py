"""Sentences that must not grow without end: what is left out is said, or shown to be left out."""

from collections.abc import Sequence


def cut(text: str, most: int) -> str:
    """Return the text, if it has more letters than fit only its first words: then an ellipsis ends it."""
    if len(text) <= most:
        return text
    whole_words = text[:most].rpartition(" ")[0]
    return f"{(whole_words or text)[: most - 1]}…"


def some(told: Sequence[str], most: int, between: str = ", ") -> str:
    """Return the first of them in one text, and how many more there are."""
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return f"{between.join(told[:most])}{more}"
