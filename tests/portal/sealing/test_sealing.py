"""Secrets that wait: sealed, bound, rotated, and never shown by accident."""

import copy
import json
import pickle
import traceback

import pytest
from cryptography.fernet import Fernet

from portal.sealing import SealBroken, Sealed, Sealer, SecretText

PASSWORD = "Sesame-Open!2026"
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_what_is_sealed_opens_for_its_purpose_alone() -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(SecretText(PASSWORD), bound_to="change 1")
    assert sealer.open(sealed, bound_to="change 1").reveal() == PASSWORD
    with pytest.raises(SealBroken):
        sealer.open(sealed, bound_to="change 2")


def test_each_secret_has_a_key_of_its_own() -> None:
    sealer = Sealer([OLD])
    one, two = (sealer.seal(SecretText(PASSWORD), bound_to="x") for _ in range(2))
    assert one.ciphertext != two.ciphertext
    with pytest.raises(SealBroken):
        sealer.open(Sealed(one.wrapped_key, two.ciphertext), bound_to="x")
    assert PASSWORD.encode() not in one.wrapped_key + one.ciphertext


@pytest.mark.parametrize("broken", [Sealed(b"", b""), Sealed(b"a", b"b")])
def test_what_is_altered_stays_closed(broken: Sealed) -> None:
    with pytest.raises(SealBroken):
        Sealer([OLD]).open(broken, bound_to="x")
    with pytest.raises(SealBroken):
        Sealer([OLD]).rotate(broken)


def test_a_key_is_retired_by_rotating() -> None:
    sealed = Sealer([OLD]).seal(SecretText(PASSWORD), bound_to="x")
    rotated = Sealer([NEW, OLD]).rotate(sealed)
    assert rotated.ciphertext == sealed.ciphertext
    assert Sealer([NEW]).open(rotated, bound_to="x").reveal() == PASSWORD
    with pytest.raises(SealBroken):
        Sealer([NEW]).open(sealed, bound_to="x")


@pytest.mark.parametrize("keys", [[], ["not-a-key"], [OLD, "short"], ["é"]])
def test_keys_are_checked_and_not_told(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="encryption key") as caught:
        Sealer(keys)
    assert not any(key in str(caught.value) for key in keys)


def test_a_secret_shows_stars() -> None:
    secret = SecretText(PASSWORD)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", f"{secret!r}", "%s" % secret, str([secret])]  # noqa: UP031
    assert [PASSWORD in words for words in shown] == [False] * 7
    assert all("********" in words for words in shown)


def test_a_secret_is_neither_pickled_nor_put_into_json() -> None:
    secret = SecretText(PASSWORD)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(secret, protocol)
    with pytest.raises(TypeError):
        json.dumps({"password": secret})
    with pytest.raises(TypeError):
        vars(secret)


def test_a_secret_equals_itself_alone_and_survives_a_copied_form() -> None:
    secret = SecretText(PASSWORD)
    assert [secret == other for other in (SecretText(PASSWORD), PASSWORD, secret)] == [False, False, True]
    assert (copy.copy(secret) is secret, copy.deepcopy([secret])[0] is secret) == (True, True)


def test_a_broken_seal_shows_nothing_in_its_traceback() -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(SecretText(PASSWORD), bound_to="change 1")
    with pytest.raises(SealBroken) as caught:
        sealer.open(sealed, bound_to="change 2")
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert (PASSWORD in shown, OLD in shown) == (False, False)
