"""The canonical form of an entry and its hash.

Every field is preceded by its length, so that no text can pretend to be two fields, and a missing number differs from
an empty text. A change of the form needs a new version; old entries keep theirs.
"""

import hashlib
import json
from datetime import UTC
from typing import Final

from portal.audit.models import Entry

VERSION: Final = 1
# The predecessor of the first entry.
START: Final = "0" * 64


def hash_of(entry: Entry) -> str:
    """Return the SHA-256, in hexadecimal, of all fields of an entry but the hash itself.

    Raises:
        ValueError: the entry has a version that this portal does not know.
    """
    if entry.version != VERSION:
        message = f"version {entry.version} of the canonical form is not known"
        raise ValueError(message)
    fields = (
        str(entry.version),
        entry.previous_hash,
        str(entry.number),
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.verb,
        entry.actor,
        None if entry.actor_id is None else str(entry.actor_id),
        entry.subject_type,
        entry.subject_id,
        entry.subject,
        None if entry.service_id is None else str(entry.service_id),
        json.dumps(entry.detail, sort_keys=True, separators=(",", ":"), ensure_ascii=True),
    )
    digest = hashlib.sha256()
    for field in fields:
        text = b"" if field is None else field.encode()
        digest.update(b"-" if field is None else b"+")
        digest.update(len(text).to_bytes(8, "big"))
        digest.update(text)
    return digest.hexdigest()
