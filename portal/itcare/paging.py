"""Gathers a paginated list, and notices when it cannot vouch for it (API.md 5, A6)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from portal.itcare import reading
from portal.itcare.errors import Unavailable, Unreadable
from portal.itcare.types import Action

T = TypeVar("T")

# A server that tells no total and never says "last" ends here.
_MOST_RECORDS = 2_000_000
# A bare list of thousands is handed on in pieces of this size.
_MOST_AT_ONCE = 500


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


class Pages:
    """Brings a list page by page, so that a long one need not be held in whole.

    A server may number its pages from 0 or from 1 (A6): what its second answer says about itself decides.

    Args:
        fetch: brings the JSON document of a page, given its number.
        first_page: the number to begin with.
        size: records asked for per page.

    Attributes:
        complete: once all pages were brought, whether they are the whole list: False when a page was missing, short,
            odd, or the total moved meanwhile; and False until then.
    """

    def __init__(self, fetch: Callable[[int], object], first_page: int, size: int) -> None:
        self._fetch = fetch
        self._first_page = first_page
        self._size = size
        self.complete = False

    def __iter__(self) -> Iterator[list[object]]:
        """Bring one page's records after the other.

        Raises:
            ItcareError: the first page could not be read. A later one only ends the list, as incomplete.
        """
        document = self._fetch(self._first_page)
        if isinstance(document, list):
            yield document
            self.complete = True
            return
        opening = page = _Page.read(document)
        if opening is None or page is None:
            # One object where a list is documented may be its only item; what it is not, the caller drops.
            yield [document] if isinstance(document, Mapping) and document else []
            return
        yield page.content
        seen, asked, read_pages, sound = len(page.content), self._first_page, 1, _sound(page)
        while not page.ends(read_pages, self._size):
            asked += 1
            following = _following(self._fetch, asked)
            if asked == self._first_page + 1 and following is not None and following.repeats(opening):
                # Here 0 and 1 both mean the first page.
                continue
            # Page after page the same, or more than there is: this server does not page.
            if following is None or following.content == page.content or seen > _most(opening):
                return
            page = following
            read_pages += 1
            yield page.content
            seen += len(page.content)
            sound = sound and _sound(page) and page.total == opening.total
        self.complete = sound and page.last is not False and opening.total in (None, seen)


def gather(fetch: Callable[[int], object], first_page: int, size: int) -> tuple[list[object], bool]:
    """Read all pages of a list; answers its records, and whether they are all. See `Pages`."""
    pages = Pages(fetch, first_page, size)
    return [record for page in pages for record in page], pages.complete


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


class ActionPages:
    """A list of actions, some at a time, each action once.

    Attributes:
        complete: once all were brought, whether they are the whole list; and False until then.
    """

    def __init__(self, pages: Pages, build: Callable[[object], Action | None]) -> None:
        self._pages = pages
        self._build = build
        self.complete = False

    def __iter__(self) -> Iterator[list[Action]]:
        """Bring at most so many actions after the other as a bare list is cut into.

        Raises:
            ItcareError: the first page could not be read. A later one only ends the list, as incomplete.
        """
        known: set[int] = set()
        sound = True
        for page in self._pages:
            for start in range(0, len(page), _MOST_AT_ONCE):
                records = page[start : start + _MOST_AT_ONCE]
                found = [action for record in records if (action := self._build(record))]
                fresh = {action.id: action for action in found if action.id not in known}
                known.update(fresh)
                sound = sound and len(fresh) == len(records)
                yield list(fresh.values())
        self.complete = sound and self._pages.complete
