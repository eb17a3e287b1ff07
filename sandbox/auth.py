"""OAuth 2.0 client credentials with tokens that end (API.md 2)."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from sandbox.exchange import Reply, Request

TOKEN_PATH = "/auth/realms/cloud/protocol/openid-connect/token"  # noqa: S105 - an address
REFRESH_SECONDS = 7200.0
BEARER = "bearer "


class Tokens:
    """Issues tokens to one client and knows them again."""

    def __init__(self, client_id: str, client_secret: str, *, seconds: float, clock: Callable[[], float]) -> None:
        """Serve that client; a token lives `seconds`."""
        self._client_id = client_id
        self._client_secret = client_secret
        self._seconds = seconds
        self._clock = clock
        self._access: dict[str, float] = {}
        self._refresh: dict[str, float] = {}

    def issue(self, request: Request) -> Reply:
        """POST to the token address: a new token, or OAuth's error object."""
        if not self._knows(request.headers.get("authorization", "")):
            return _refused(HTTPStatus.UNAUTHORIZED, "invalid_client", "Invalid client or Invalid client credentials")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            return _refused(HTTPStatus.BAD_REQUEST, "invalid_request", "The body must be a form")
        form = parse_qs(request.body.decode(errors="replace"))
        grant = form.get("grant_type", [""])[-1]
        if grant == "refresh_token":
            if self._refresh.pop(form.get("refresh_token", [""])[-1], 0.0) <= self._clock():
                return _refused(HTTPStatus.BAD_REQUEST, "invalid_grant", "Token is not active")
        elif grant != "client_credentials":
            return _refused(HTTPStatus.BAD_REQUEST, "unsupported_grant_type", "Unsupported grant_type")
        return _json(HTTPStatus.OK, self._issued())

    def accepts(self, header: str) -> bool:
        """Whether an Authorization header carries a token that has not ended."""
        if not header.lower().startswith(BEARER):
            return False
        return self._access.get(header[len(BEARER) :].strip(), 0.0) > self._clock()

    def revoke_all(self) -> None:
        """End every token now."""
        self._access.clear()
        self._refresh.clear()

    def as_state(self) -> dict[str, Any]:
        """The tokens that have not ended."""
        self._forget_ended()
        return {"access": dict(self._access), "refresh": dict(self._refresh)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what `as_state` gave."""
        self._access, self._refresh = dict(state["access"]), dict(state["refresh"])

    def _issued(self) -> dict[str, Any]:
        self._forget_ended()
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._access[access] = self._clock() + self._seconds
        self._refresh[refresh] = self._clock() + REFRESH_SECONDS
        return {
            "access_token": access,
            "expires_in": int(self._seconds),
            "refresh_expires_in": int(REFRESH_SECONDS),
            "refresh_token": refresh,
            "token_type": "bearer",
        }

    def _forget_ended(self) -> None:
        now = self._clock()
        self._access = {token: end for token, end in self._access.items() if end > now}
        self._refresh = {token: end for token, end in self._refresh.items() if end > now}

    def _knows(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given_id, _, given_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        # RFC 6749 2.3.1 has both form-encoded first; many clients skip that, and both are taken here.
        return any(
            hmac.compare_digest(client.encode(), self._client_id.encode())
            and hmac.compare_digest(secret.encode(), self._client_secret.encode())
            for client, secret in (
                (given_id, given_secret),
                (unquote_plus(given_id), unquote_plus(given_secret)),
            )
        )


def _refused(status: HTTPStatus, error: str, description: str) -> Reply:
    return _json(status, {"error": error, "error_description": description})


def _json(status: HTTPStatus, body: Mapping[str, Any]) -> Reply:
    return Reply(status, body, headers={"Cache-Control": "no-store"}, media_type="application/json")
