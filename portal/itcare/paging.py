"""Gathers a paginated list, and notices when it cannot vouch for it (API.md 5, A6)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from portal.itcare import reading
from portal.itcare.errors import Unavailable, Unreadable

T = TypeVar("T")

# A server that tells no total and never says "last" ends here.
_MOST_RECORDS = 2_000_000


@dataclass(frozen=True)
class _Page:
    content: list[object]
    number: int | None
    size: int | None
    total: int | None
    pages: int | None
    count: int | None
    first: bool
    last: bool | None

    @classmethod
    def read(cls, document: object) -> "_Page | None":
        if not isinstance(document, Mapping) or not isinstance(document.get("content"), list):
            return None
        last = document.get("last")
        return cls(
            content=document["content"],
            number=reading.whole(document.get("number")),
            size=reading.whole(document.get("size")),
            total=reading.whole(document.get("totalElements")),
            pages=reading.whole(document.get("totalPages")),
            count=reading.whole(document.get("numberOfElements")),
            first=document.get("first") is True,
            last=last if isinstance(last, bool) else None,
        )

    def repeats(self, opening: "_Page") -> bool:
        """Whether this says of itself that it is the first page once more."""
        return self.first and self.number is not None and self.number == opening.number

    def ends(self, read_pages: int, asked_size: int) -> bool:
        """Whether no page follows, from what the server says, else from what it sent."""
        if not self.content or self.last is not None:
            return self.last is not False or not self.content
        if self.pages is not None:
            return read_pages >= self.pages
        return len(self.content) < (self.size or asked_size)


def gather(fetch: Callable[[int], object], first_page: int, size: int) -> tuple[list[object], bool]:
    """Read all pages of a list.

    A server may number its pages from 0 or from 1 (A6): what its second answer says about itself decides.

    Args:
        fetch: brings the JSON document of a page, given its number.
        first_page: the number to begin with.
        size: records asked for per page.

    Returns:
        The records, and whether they are all: False when a page was missing, short, odd, or the total moved meanwhile.

    Raises:
        ItcareError: the first page could not be read. A later one only ends the list, as incomplete.
    """
    document = fetch(first_page)
    if isinstance(document, list):
        return document, True
    opening = page = _Page.read(document)
    if opening is None or page is None:
        # One object where a list is documented may be its only item; what it is not, the caller drops.
        return [document] if isinstance(document, Mapping) and document else [], False
    records, asked, read_pages, sound = list(page.content), first_page, 1, _sound(page)
    while not page.ends(read_pages, size):
        asked += 1
        following = _following(fetch, asked)
        if asked == first_page + 1 and following is not None and following.repeats(opening):
            # Here 0 and 1 both mean the first page.
            continue
        # Page after page the same, or more than there is: this server does not page.
        if following is None or following.content == page.content or len(records) > _most(opening):
            return records, False
        page = following
        read_pages += 1
        records += page.content
        sound = sound and _sound(page) and page.total == opening.total
    return records, sound and page.last is not False and opening.total in (None, len(records))


def _following(fetch: Callable[[int], object], number: int) -> _Page | None:
    try:
        return _Page.read(fetch(number))
    except (Unavailable, Unreadable):
        return None


def _most(page: _Page) -> int:
    return _MOST_RECORDS if page.total is None else min(max(page.total, 0), _MOST_RECORDS)


def _sound(page: _Page) -> bool:
    return page.count in (None, len(page.content))


def distinct(
    records: Iterable[object], build: Callable[[object], T | None], key: Callable[[T], object]
) -> tuple[tuple[T, ...], bool]:
    """Build the items of a list, each once.

    Returns:
        The items, and whether every record could be read and none came twice: a record that moves to another page while
        one reads comes twice, and pushes another one out of sight.
    """
    items: dict[object, T] = {}
    sound = True
    for record in records:
        known = build(record)
        if known is None or items.setdefault(key(known), known) is not known:
            sound = False
    return tuple(items.values()), sound
