"""Query parameters: paging, sorting and lists (API.md 5 and 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.exchange import invalid

DEFAULT_SIZE, LARGEST_SIZE = 50, 200
LARGEST_INTEGER = 2**63 - 1

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Paging:
    """Which page is asked for, in which order. `page` runs from 0 (A6)."""

    page: int
    size: int
    sort: str | None
    descending: bool

    @property
    def window(self) -> slice:
        """The page's place in the whole list."""
        return slice(self.page * self.size, (self.page + 1) * self.size)


def integer(query: Query, name: str, *, default: int | None = None, least: int = 0) -> int | None:
    """One whole number.

    Raises:
        Refusal: 400 when it is none.
    """
    values = query.get(name)
    return default if not values else _integer(name, values[-1], least)


def texts(query: Query, name: str) -> list[str]:
    """A list, joined by commas or repeated."""
    return [part for value in query.get(name, ()) for part in value.split(",") if part]


def integers(query: Query, name: str) -> list[int]:
    """A list of whole numbers.

    Raises:
        Refusal: 400 when one is none.
    """
    return [_integer(name, part, 0) for part in texts(query, name)]


def truth(query: Query, name: str) -> bool | None:
    """True, false or not given.

    Raises:
        Refusal: 400 for another word.
    """
    values = query.get(name)
    if not values:
        return None
    if values[-1] not in {"true", "false"}:
        raise invalid(field_name=name, why="must be true or false")
    return values[-1] == "true"


def paging(query: Query, *, sortable: Sequence[str]) -> Paging:
    """Page, size and sort.

    Raises:
        Refusal: 400 when one of them cannot be followed.
    """
    page = integer(query, "page", default=0) or 0
    size = integer(query, "size", default=DEFAULT_SIZE, least=1) or DEFAULT_SIZE
    given = query.get("sort")
    if not given:
        return Paging(page, min(size, LARGEST_SIZE), None, descending=False)
    name, _, direction = given[-1].partition(",")
    if name not in sortable or direction not in {"", "asc", "desc"}:
        raise invalid(field_name="sort", why="must be one of " + ", ".join(sortable) + ", then asc or desc")
    return Paging(page, min(size, LARGEST_SIZE), name, descending=direction == "desc")


def envelope(content: Sequence[Any], total: int, asked: Paging) -> dict[str, Any]:
    """The documented envelope around one page."""
    pages = -(-total // asked.size)
    return {
        "content": list(content),
        "totalElements": total,
        "totalPages": pages,
        "number": asked.page,
        "size": asked.size,
        "numberOfElements": len(content),
        "first": asked.page == 0,
        "last": asked.page + 1 >= pages,
        "empty": not content,
        "sort": {"empty": asked.sort is None, "sorted": asked.sort is not None, "unsorted": asked.sort is None},
    }


def _integer(name: str, text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not least <= value <= LARGEST_INTEGER:
        raise invalid(field_name=name, why=f"must be a whole number of at least {least}")
    return value
