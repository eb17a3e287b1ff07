"""The rule of the administrator password, held against what ITCare's pages print (API.md 7.1)."""

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.catalog import passwords
from tests.contracts import openapi

# Printed for the same attribute on the pages of the sister products.
NARROW = re.compile(
    r"^(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#&()\N{EN DASH}{}:;',?/*~$^+=<>]).{12,20}$".replace(
        r"\N{EN DASH}", "\N{EN DASH}"
    )
)
NEARLY = st.text(st.sampled_from("aAzZ059!@-_. é\N{EN DASH}\t\n\0\u200b😀"), min_size=8, max_size=24)


def allowed_by_contract(text: str) -> bool:
    schema: dict[str, Any] = openapi.resolved({"$ref": "#/components/schemas/AdmPassword"})
    return len(text) >= schema["minLength"] and re.search(schema["pattern"], text) is not None


def test_every_generated_password_satisfies_both_rules() -> None:
    made = {passwords.generate().reveal() for _ in range(2000)}
    assert len(made) == 2000
    assert [text for text in made if not NARROW.match(text) or not allowed_by_contract(text)] == []
    assert [text for text in made if passwords.broken(text) or passwords.doubtful(text)] == []
    assert set("".join(made)) <= set(map(chr, range(33, 127)))


@pytest.mark.parametrize("text", ["Test123@2022", "Abcdefgh123!", "Aa1!Aa1!Aa1!Aa1!Aa1!"])
def test_both_rules_are_met(text: str) -> None:
    assert (passwords.broken(text), passwords.doubtful(text)) == ("", "")


@given(NEARLY)
@example("Abcdefgh 123")
@example("Abcdefghé123")
@settings(max_examples=300, deadline=None)
def test_what_is_accepted_satisfies_the_printed_rule(text: str) -> None:
    if not passwords.broken(text):
        assert allowed_by_contract(text)


@given(NEARLY)
@example("Aa1!Aa1!Aa1!Aa1!Aa1!")
@example("Aa1!Aa1!Aa1!Aa1!Aa1!A")
@settings(max_examples=300, deadline=None)
def test_there_is_a_warning_exactly_where_the_narrower_rule_is_left(text: str) -> None:
    if not passwords.broken(text):
        assert bool(passwords.doubtful(text)) == (NARROW.match(text) is None)


@given(st.text(st.sampled_from("aZ5!-é "), min_size=12, max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_sentence_repeats_the_password(text: str) -> None:
    assert text not in passwords.broken(text) + passwords.doubtful(text)


@pytest.mark.parametrize("bad", ["\n", "\r", "\t", "\0", "\x7f", "\u200b"])
def test_what_cannot_be_printed_is_refused(bad: str) -> None:
    assert passwords.broken(f"Abcdefgh123!{bad}") == (
        "The password holds a character that cannot be printed, such as a line break."
    )
