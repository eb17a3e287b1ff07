"""Publishes the head of the chain outside the database: without it, cutting off the tail would be invisible."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from django.conf import settings
from django.db.models.functions import Now

from portal.audit.models import Entry

# Its own name, so that a deployment can send it to a place that the database's owner does not reach.
logger = logging.getLogger("portal.audit.heads")
_LONGEST_LINE: Final = 1024


@dataclass(frozen=True)
class Head:
    """The newest entry at a moment."""

    number: int
    count: int
    hash: str
    at: str

    @classmethod
    def read(cls, line: str) -> Self:
        """Read a line of the file of heads.

        Raises:
            ValueError: it is none.
        """
        found = json.loads(line)
        kinds = {"number": int, "count": int, "hash": str, "at": str}
        if not isinstance(found, dict) or {name: type(value) for name, value in found.items()} != kinds:
            message = "not a head"
            raise ValueError(message)
        return cls(**found)

    def line(self) -> str:
        """Return the line that `read` reads."""
        return json.dumps(asdict(self)) + "\n"


def current() -> Head | None:
    """Return the head as it is now; None while there is no entry."""
    last = Entry.objects.order_by("-number").annotate(now=Now()).values_list("number", "hash", "now").first()
    if last is None:
        return None
    number, digest, now = last
    count = Entry.objects.filter(number__lte=number).count()
    return Head(number=number, count=count, hash=digest, at=now.isoformat(timespec="seconds"))


def publish() -> None:
    """Write number, count and hash of the newest entry to the log, and to AUDIT_HEADS_FILE where it is set.

    Before that it looks for the head that it published last. If the chain does not hold that one any more, it says so
    as an error each time, and adds nothing to the file until a person has looked.

    Raises:
        OSError: the file cannot be read or written.
    """
    head = current()
    file = Path(settings.AUDIT_HEADS_FILE) if settings.AUDIT_HEADS_FILE else None
    last = _last(file) if file else None
    if last and not _holds(last):
        logger.error("The audit log was altered: entry %d, published as %s, is not in it.", last.number, last.hash)
        return
    if head is None:
        return
    if head.count != head.number:
        logger.error("The audit log was altered: its entry %d is only the %d. one.", head.number, head.count)
        return
    logger.info("audit head number=%d count=%d hash=%s", head.number, head.count, head.hash)
    if file and (last is None or last.number != head.number):
        with file.open("a", encoding="ascii") as heads:
            heads.write(head.line())
            heads.flush()
            os.fsync(heads.fileno())


def missing() -> Head | None:
    """Return the head that was published last if the log does not hold it; None if it does, or none was published.

    The log was altered or cut off, or the database was restored to an earlier time.

    Raises:
        OSError: the file cannot be read.
    """
    last = _last(Path(settings.AUDIT_HEADS_FILE)) if settings.AUDIT_HEADS_FILE else None
    return last if last and not _holds(last) else None


def published(file: Path) -> Iterator[tuple[int, Head | None]]:
    """Yield the number and the head of each line; None for a line that is no head.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open(encoding="ascii", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield number, Head.read(line)
            except ValueError:
                yield number, None


def _holds(head: Head) -> bool:
    return Entry.objects.filter(number=head.number, hash=head.hash).exists()


def _last(file: Path) -> Head | None:
    """Return the last head of the file; None if there is no file, or its last line is no head (`verify` tells)."""
    if not file.exists():
        return None
    with file.open("rb") as lines:
        lines.seek(max(0, file.stat().st_size - _LONGEST_LINE))
        tail = lines.read().decode("ascii", "replace").splitlines()
    try:
        return Head.read(tail[-1]) if tail else None
    except ValueError:
        return None
