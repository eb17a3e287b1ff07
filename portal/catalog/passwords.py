"""The administrator password: the rule that is printed for PostgreSQL, and the narrower one of its sister products."""

import re
import secrets
import string
from typing import Final

from portal.sealing import SecretText

SHORTEST: Final = 12
LONGEST_ELSEWHERE: Final = 20
# The closed set of special characters on the sister products' pages; the dash there is U+2013 (API.md 7.1).
SPECIALS_ELSEWHERE: Final = "!@#&()\N{EN DASH}{}:;',?/*~$^+=<>"
# Characters that satisfy both rules and survive a shell, a URL and a connection string best.
SPECIALS_GENERATED: Final = "!@#&()"
GENERATED_LENGTH: Final = 20

_CLASSES: Final = {
    "a small letter": re.compile(r"[a-z]"),
    "a capital letter": re.compile(r"[A-Z]"),
    "a digit": re.compile(r"[0-9]"),
    "a special character": re.compile(r"[^0-9A-Za-z\s]"),
}


def broken(text: str) -> str:
    """Return a sentence about what the password lacks, or an empty one (API.md 7.1)."""
    faults = []
    if len(text) < SHORTEST:
        faults.append(f"at least {SHORTEST} characters (it has {len(text)})")
    missing = [words for words, pattern in _CLASSES.items() if not pattern.search(text)]
    if missing:
        faults.append(" and ".join([", ".join(missing[:-1]), missing[-1]]) if len(missing) > 1 else missing[0])
    if any(not character.isprintable() for character in text):
        return "The password holds a character that cannot be printed, such as a line break."
    return f"The password needs {', and '.join(faults)}." if faults else ""


def doubtful(text: str) -> str:
    """Return a warning where the password keeps to the printed rule but not to the narrower one, or an empty one."""
    if len(text) > LONGEST_ELSEWHERE:
        return (
            # Everybody who reads the request reads this: its exact length is not theirs to know.
            f"It is longer than {LONGEST_ELSEWHERE} characters, which ITCare's other products take at most, "
            "so it may be refused. It was accepted here."
        )
    if not any(character in SPECIALS_ELSEWHERE for character in text):
        return (
            "None of its special characters is among those that ITCare's other products take "
            f"({SPECIALS_ELSEWHERE}), so it may be refused. It was accepted here."
        )
    return ""


def generate() -> SecretText:
    """Return a password of 20 characters that satisfies both rules."""
    alphabet = string.ascii_letters + string.digits + SPECIALS_GENERATED
    while True:
        text = "".join(secrets.choice(alphabet) for _ in range(GENERATED_LENGTH))
        if not broken(text) and not doubtful(text):
            return SecretText(text)
