from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core import signing
from django.db.models import QuerySet, Value
from django.db.models.functions import Left, Length, NullIf
from pytest_django import DjangoAssertNumQueries

from portal.web.paging import SALT, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def groups() -> None:
    Group.objects.all().delete()
    Group.objects.bulk_create(Group(name=name) for name in ["b", "a", "", "dd", "cc", "e", "ff"])


def walk(queryset: QuerySet[Any], order: Sequence[str], size: int) -> list[list[Any]]:
    pages, after = [], None
    while True:
        found = page(queryset, order=order, after=after, size=size)
        pages.append(found.items)
        after = found.next_after
        if after is None:
            return pages


@pytest.mark.parametrize("order", [["name"], ["-name"], ["pk"], ["-id"], ["long", "-name"], ["-long", "name"]])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_the_pages_together_are_the_list(groups: None, order: list[str], size: int) -> None:
    queryset = Group.objects.annotate(long=Length("name"))
    pages = walk(queryset, order, size)
    assert [row for rows in pages for row in rows] == list(queryset.order_by(*order))
    assert [len(rows) for rows in pages[:-1]] == [size] * (len(pages) - 1)
    assert 1 <= len(pages[-1]) <= size


@pytest.mark.parametrize("order", [["empty"], ["-empty"], ["-empty", "-name"], ["empty", "name"]])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_rows_without_a_value_have_their_place(groups: None, order: list[str], size: int) -> None:
    Group.objects.bulk_create([Group(name="x1"), Group(name="x2")])
    queryset = Group.objects.annotate(empty=NullIf(Left("name", 1), Value("x")))
    pages = walk(queryset, order, size)
    assert [row for rows in pages for row in rows] == list(queryset.order_by(*order, "pk"))


def test_columns_of_related_rows_order_too() -> None:
    queryset = Permission.objects.select_related("content_type")
    pages = walk(queryset, ["-content_type__model", "codename"], 5)
    assert [row for rows in pages for row in rows] == list(queryset.order_by("-content_type__model", "codename", "pk"))


def test_times_are_kept_to_the_microsecond() -> None:
    start = datetime(2026, 11, 12, 9, 14, 3, 1, tzinfo=UTC)
    Session.objects.bulk_create(
        Session(session_key=f"{n}", session_data="", expire_date=start + timedelta(microseconds=n // 2))
        for n in range(7)
    )
    pages = walk(Session.objects.all(), ["-expire_date"], 2)
    assert [row.pk for rows in pages for row in rows] == ["6", "4", "5", "2", "3", "0", "1"]


def test_a_page_costs_one_query(groups: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        first = page(Group.objects.all(), order=["name"], after=None, size=2)
    with django_assert_num_queries(1):
        second = page(Group.objects.all(), order=["name"], after=first.next_after, size=2)
    assert [group.name for group in second.items] == ["b", "cc"]


def test_a_row_that_comes_or_goes_shifts_nothing(groups: None) -> None:
    first = page(Group.objects.all(), order=["name"], after=None, size=3)
    Group.objects.create(name="aa")
    first.items[-1].delete()
    second = page(Group.objects.all(), order=["name"], after=first.next_after, size=3)
    assert [group.name for group in second.items] == ["cc", "dd", "e"]


def test_a_cursor_shows_only_rows_of_the_given_queryset(groups: None) -> None:
    first = page(Group.objects.all(), order=["name"], after=None, size=2)
    second = page(Group.objects.exclude(name="cc"), order=["name"], after=first.next_after, size=2)
    assert [group.name for group in second.items] == ["b", "dd"]


def bad_cursors() -> list[str]:
    seal = ["auth.Group", "name", "pk"]
    return [
        "",
        "x",
        "\x00",
        "é",
        "a" * 10_000,
        signing.dumps([seal, ["b", "1"]], salt="another"),
        signing.dumps([["auth.Group", "-name", "pk"], ["b", "1"]], salt=SALT),
        signing.dumps([["contenttypes.ContentType", "name", "pk"], ["b", "1"]], salt=SALT),
        signing.dumps([seal, ["b", "no number"]], salt=SALT),
        signing.dumps([seal, ["b"]], salt=SALT),
        signing.dumps([seal, ["b", "1"]], salt=SALT)[:-1],
    ]


# Counted: a signature holds the time, and all processes must find tests of the same names.
@pytest.mark.parametrize("after", bad_cursors(), ids=range(len(bad_cursors())))
def test_a_cursor_that_is_not_ours_leads_to_the_first_page(groups: None, after: str) -> None:
    found = page(Group.objects.all(), order=["name"], after=after, size=2)
    assert [group.name for group in found.items] == ["", "a"]


def test_an_empty_list_is_one_page_without_a_next() -> None:
    found = page(ContentType.objects.none(), order=["model"], after=None)
    assert (found.items, found.next_after) == ([], None)
