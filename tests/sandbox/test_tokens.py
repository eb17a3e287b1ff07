from collections.abc import Callable

import pytest
import requests

from tests.sandbox.caller import Caller
from tests.sandbox_server import until


def test_a_token_is_answered_as_documented(world: Caller) -> None:
    answer = world.ask_token()
    told = answer.json()
    assert answer.status_code == 200
    assert set(told) == {"access_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type"}
    assert (told["expires_in"], told["refresh_expires_in"], told["token_type"]) == (1200, 7200, "bearer")


def test_another_secret_is_refused(world: Caller) -> None:
    answer = world.ask_token(secret="wrong")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_another_grant_is_refused(world: Caller) -> None:
    answer = world.ask_token(form={"grant_type": "password"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_refresh_token_serves_once(world: Caller) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": world.ask_token().json()["refresh_token"]}
    assert [world.ask_token(form=form).status_code for _ in range(2)] == [200, 400]


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Basic Zm9vOmJhcg==", "Bearer"])
def test_without_a_token_there_is_an_empty_refusal(world: Caller, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = requests.get(f"{world.sandbox.base_url}/regions", headers=headers, timeout=5)
    assert (answer.status_code, answer.content) == (401, b"")


def test_tokens_expire(start: Callable[..., Caller]) -> None:
    caller = start(token_seconds=0.3, clusters=1)
    assert caller.call("GET", "/regions").status_code == 200
    until(lambda: caller.call("GET", "/regions").status_code == 401)


def test_tokens_can_be_ended_and_outlive_a_restart(caller: Caller) -> None:
    assert caller.call("GET", "/regions").status_code == 200
    caller.sandbox.restart()
    assert caller.call("GET", "/regions").status_code == 200
    caller.sandbox.end_tokens()
    assert caller.call("GET", "/regions").status_code == 401
