"""Whatever pages a server sends, gathering them ends, and never vouches for a list that it has not seen in whole."""

from hypothesis import given
from hypothesis import strategies as st

from portal.itcare import Unavailable
from portal.itcare.paging import gather

PAGES = st.fixed_dictionaries(
    {"content": st.lists(st.integers(), max_size=3)},
    optional={
        "number": st.integers(-1, 3) | st.none(),
        "size": st.integers(-1, 3),
        "totalElements": st.integers(-1, 9),
        "totalPages": st.integers(-1, 4),
        "numberOfElements": st.integers(0, 3),
        "first": st.booleans() | st.just("yes"),
        "last": st.booleans() | st.none(),
    },
)
DOCUMENTS: st.SearchStrategy[object] = (
    PAGES | st.lists(st.integers(), max_size=3) | st.none() | st.integers() | st.just({})
)


@given(st.lists(DOCUMENTS, min_size=1, max_size=6))
def test_gathering_ends_and_does_not_vouch_for_too_little(documents: list[object]) -> None:
    asked: list[int] = []

    def fetch(page: int) -> object:
        asked.append(page)
        if len(asked) > len(documents):
            message = "Not now."
            raise Unavailable(message)
        return documents[len(asked) - 1]

    records, complete = gather(fetch, 0, 3)
    assert asked == sorted(set(asked))
    first = documents[0]
    if complete and isinstance(first, dict):
        assert first.get("totalElements", len(records)) == len(records)
        assert len(asked) <= len(documents)


def test_a_list_longer_than_it_says_and_one_that_repeats_itself_end_soon() -> None:
    asked: list[int] = []

    def growing(page: int) -> object:
        asked.append(page)
        return {"content": [page, page], "totalElements": 5, "last": False}

    assert gather(growing, 0, 2) == ([0, 0, 1, 1, 2, 2], False)

    def repeating(page: int) -> object:
        asked.append(page)
        return {"content": ["same"], "number": page, "totalElements": 1000, "last": False}

    assert gather(repeating, 0, 2) == (["same"], False)
    assert asked == [0, 1, 2, 3, 0, 1]


@given(st.integers(0, 12), st.integers(1, 5), st.sampled_from([0, 1]), st.sampled_from([0, 1]))
def test_every_true_list_is_gathered_in_whole(total: int, size: int, counted_from: int, told_from: int) -> None:
    """Servers count pages from 0 or 1 when asked, and from 0 or 1 when they tell; page 0 is the first for all."""
    items = list(range(total))

    def fetch(page: int) -> object:
        index = max(page - counted_from, 0)
        content = items[index * size : (index + 1) * size]
        last = (index + 1) * size >= total
        told = {"number": index + told_from, "first": index == 0, "last": last, "totalElements": total}
        return {"content": content, **told}

    assert gather(fetch, 0, size) == (items, True)
