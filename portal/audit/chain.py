"""The hash of an entry: SHA-256 over a canonical, length-prefixed form, so that no two entries read alike."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

VERSION: Final = "1"
FIRST: Final = "0" * 64  # stands before the first entry


def entry_hash(previous: str, number: int, at: datetime, fields: Mapping[str, object]) -> str:
    """Return the hash of an entry that follows the one with hash ``previous``."""
    parts = [VERSION, previous, str(number), at.astimezone(UTC).isoformat(timespec="microseconds")]
    parts += [f"{name}={json.dumps(fields[name], sort_keys=True)}" for name in sorted(fields)]
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
