"""Whatever an upstream sends, reading it is calm."""

import json
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.itcare import Assumptions, Cluster, Node, reading

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["name", "id", "storage", "releasedAt", "areas"]), inner)
    ),
)


@given(JSON)
def test_any_value_is_read_without_an_error(value: object) -> None:
    for kind in (Cluster, Node):
        found = reading.item(kind, value, **({"path_id": 1} if kind is Cluster else {}))
        assert (found is None) == (not isinstance(value, dict))
        if found is not None:
            assert isinstance(found.name, str | None)
            assert {unicodedata.category(character) for character in found.name or ""} & {"Cc", "Cf", "Cs"} == set()
            (found.name or "").encode()
    reading.region(value)


@given(st.binary())
def test_any_body_is_read_without_an_error(body: bytes) -> None:
    reading.document(body)


@pytest.mark.parametrize("body", [b"NaN", b"[Infinity]", b"[" * 10_000, b"{'a': 1}", b"\xff\xfe", b"9" * 10_000])
def test_what_is_not_json_is_nothing(body: bytes) -> None:
    assert reading.document(body) is reading.NOTHING


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("2025-07-06T11:01:21.263Z", datetime(2025, 7, 6, 11, 1, 21, 263_000, tzinfo=UTC)),
        ("2025-07-06T11:01:21.000+0200", datetime(2025, 7, 6, 9, 1, 21, tzinfo=UTC)),
        ("2022-11-02T09:32:02.000+00:00", datetime(2022, 11, 2, 9, 32, 2, tzinfo=UTC)),
        ("2025-07-06T11:01:21.1234567Z", datetime(2025, 7, 6, 11, 1, 21, 123_456, tzinfo=UTC)),
        ("2025-07-06T11:01:21", datetime(2025, 7, 6, 11, 1, 21, tzinfo=UTC)),
        ("2025-13-06T11:01:21Z", None),
        ("0001-01-01T00:00:00+0200", None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59.999-1200", None),
        ("9998-12-31T23:59:59Z", datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2025-07-06", None),
        ("٢٠٢٥-07-06T11:01:21Z", None),
        ("", None),
        (1751799681, None),
    ],
)
def test_dates_in_all_spellings(words: object, moment: datetime | None) -> None:
    assert reading.moment(words) == moment


def test_texts_are_bounded_and_printable() -> None:
    assert reading.text("a" * 5000) == "a" * reading.TEXT_LIMIT
    assert reading.text("a\x00b\nc\u2028d\u202ee\ud800f\u00a0g") == "a b c def\u00a0g"
    assert [reading.text(value) for value in (None, 5, b"a", ["a"])] == [None] * 4


@pytest.mark.parametrize(
    ("value", "number"), [(1, 1), (2**63 - 1, 2**63 - 1), (2**63, None), (0, None), (1.0, None), (True, None)]
)
def test_identities_are_positive_int64(value: object, number: int | None) -> None:
    assert reading.identity(json.loads(json.dumps(value))) == number


def test_storage_of_a_node_may_be_a_fraction() -> None:
    found = [reading.item(Node, {"storage": value}) for value in (59.5, 60, float("inf"), "60")]
    assert [node and node.storage for node in found] == [59.5, 60.0, None, None]


def test_assumptions_answer_the_questions_of_the_catalogue() -> None:
    assumptions = Assumptions()
    assert assumptions.upgrade_versions([16, 12, 17, 15, 17], "15.4") == (16, 17)
    assert (assumptions.upgrade_versions([16], None), assumptions.upgrade_versions([16], "x")) == ((), ())
    assert (assumptions.version_of("deb12pg16"), assumptions.version_of("deb12mysql8")) == (16, None)
    assert [assumptions.is_production(word) for word in ("PRODUCTION", "PROD", None)] == [True, False, False]
    changed = Assumptions.changed(
        {"production_environments": "PRODUCTION PROD", "page_size": "50", "delete_needs_stop": "true"}
    )
    assert changed.production_environments == frozenset({"PRODUCTION", "PROD"})
    assert (changed.page_size, changed.delete_needs_stop) == (50, True)


@pytest.mark.parametrize(
    "change", [{"page": "1"}, {"page_size": "many"}, {"delete_needs_stop": "1"}, {"ha_topology": ""}]
)
def test_an_assumption_that_does_not_fit_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        Assumptions.changed(change)
