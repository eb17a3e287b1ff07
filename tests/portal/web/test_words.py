"""Sentences that are cut say so, and lists say how many they leave out."""

import pytest

from portal.web.words import cut, some


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("It was done.", 12, "It was done."),
        ("It was not done.", 12, "It was not…"),
        ("It was not done.", 11, "It was not…"),
        ("It was not done.", 10, "It was…"),
        ("Unbreakable", 6, "Unbre…"),
        ("", 5, ""),
    ],
)
def test_a_sentence_ends_after_a_whole_word_with_an_ellipsis(text: str, most: int, expected: str) -> None:
    assert cut(text, most) == expected
    assert len(expected) <= most


@pytest.mark.parametrize(
    ("told", "expected"), [([], ""), (["1"], "1"), (["1", "2"], "1, 2"), (["1", "2", "3", "4"], "1, 2 and 2 more")]
)
def test_a_list_says_how_many_it_leaves_out(told: list[str], expected: str) -> None:
    assert some(told, 2) == expected
