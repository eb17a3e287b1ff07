"""Pages of long lists by the last row seen: no OFFSET and no COUNT, so that page 500 costs what page 1 costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, F, Field, Func, GeneratedField, Model, Q, QuerySet, Value

SALT = "portal.web.paging"
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """One page; `next_after` is the cursor of the next one, None on the last."""

    items: list[M]
    next_after: str | None


@dataclass(frozen=True)
class _Key:
    """One column of the order."""

    name: str
    descending: bool
    field: "Field[Any, Any]"
    empty: bool
    """Whether it may be NULL."""

    def value(self, row: Model) -> Any:  # noqa: ANN401 - the value of any column
        value: Any = row
        for step in self.name.split("__"):
            value = getattr(value, step, None)
        return value


def page(queryset: QuerySet[M], *, order: Sequence[str], after: str | None, size: int = 50) -> Page[M]:
    """Return the rows that follow the cursor `after`, in one query.

    `order` holds columns, columns of related rows (`service__name`) or annotations, each with "-" for descending; the
    primary key is added as the last one, so that the order is total. Empty values stand where PostgreSQL puts them:
    last, or first when descending. Cursors are signed: one that is forged, or made for another list or another order,
    leads to the first page. To be quick far into a list, all columns are to be NOT NULL, go the same way (the primary
    key too), and have an index in this order.
    """
    names = [*order] if order and order[-1].lstrip("-") in {"pk", "id"} else [*order, "pk"]
    keys = [_key(queryset, name) for name in names]
    seal = [queryset.model._meta.label, *names]  # noqa: SLF001 - _meta is Django's documented interface
    rows = queryset.order_by(*names)
    if after and (values := _read(after, seal, keys)) is not None:
        rows = rows.filter(_beyond(keys, values))
    found = list(rows[: size + 1])
    items = found[:size]
    return Page(items, _write(items[-1], seal, keys) if len(found) > size else None)


def _key(queryset: QuerySet[M], name: str) -> _Key:
    bare = name.lstrip("-")
    field: Any = queryset.query.annotations.get(bare)
    empty = field is not None
    if field is not None:
        field = field.output_field
    else:
        options = queryset.model._meta  # noqa: SLF001
        for step in bare.split("__"):
            field = options.pk if step == "pk" else options.get_field(step)
            empty = empty or field.null
            options = field.related_model._meta if field.is_relation else options  # noqa: SLF001
    if isinstance(field, GeneratedField):
        field = field.output_field
    return _Key(bare, name.startswith("-"), field, empty)


def _beyond(keys: Sequence[_Key], values: Sequence[object]) -> Q:
    """Rows after the one with these values: greater in the first column, or equal there and beyond in the rest.

    Columns that are never empty and go one way are compared as rows: PostgreSQL then begins to read an index on them
    at that very row, which it does not for the same said with OR. It guesses how many rows follow by the first column
    alone. "Beyond" would make it expect none after the last of few values, and fetch and sort all that there are; so
    the row itself is let in by the comparison, and left out by its number.
    """
    if not any(key.empty for key in keys) and len({key.descending for key in keys}) == 1:
        columns = Func(*(F(key.name) for key in keys), function="ROW")
        seen = Func(
            *(Value(value, output_field=key.field) for key, value in zip(keys, values, strict=True)), function="ROW"
        )
        sign = "<=" if keys[0].descending else ">="
        onward = Func(columns, seen, template="%(expressions)s", arg_joiner=f" {sign} ", output_field=BooleanField())
        return Q(onward) & ~Q(pk=values[-1])
    condition = Q(pk__in=())
    for key, value in zip(reversed(keys), reversed(values), strict=True):
        same = Q(**{f"{key.name}__isnull": True}) if value is None else Q(**{key.name: value})
        condition = _past(key, value) | (same & condition)
    return condition


def _past(key: _Key, value: object) -> Q:
    """Rows beyond `value` in one column, with NULL where PostgreSQL has it: last, or first when descending."""
    if key.descending:
        return Q(**{f"{key.name}__isnull": False}) if value is None else Q(**{f"{key.name}__lt": value})
    if value is None:
        return Q(pk__in=())
    beyond = Q(**{f"{key.name}__gt": value})
    return beyond | Q(**{f"{key.name}__isnull": True}) if key.empty else beyond


def _write(row: Model, seal: list[str], keys: Sequence[_Key]) -> str:
    return signing.dumps([seal, [_text(key.value(row)) for key in keys]], salt=SALT, compress=True)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


def _read(after: str, seal: list[str], keys: Sequence[_Key]) -> list[object] | None:
    try:
        made_for, texts = signing.loads(after, salt=SALT)
    except signing.BadSignature:
        return None
    if made_for != seal:
        return None
    try:
        return [None if text is None else key.field.to_python(text) for key, text in zip(keys, texts, strict=True)]
    except (ValidationError, ValueError):
        # A column has changed its type since the cursor was made.
        return None
