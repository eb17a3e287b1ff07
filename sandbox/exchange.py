"""A request as it came and the answer to it, apart from sockets."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/vnd.cegedim-it.v1+json"


@dataclass(frozen=True)
class Request:
    """One request. `path` is below the API's base, `query` as parsed by urllib, header names in small letters."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def payload(self) -> Any:  # noqa: ANN401 - any JSON
        """The body as JSON, or as text where it is none, or None where there is none."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body.decode(errors="replace")


@dataclass(frozen=True)
class Reply:
    """One answer. A body of None is sent as no body at all."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = MEDIA_TYPE
    dropped: bool = False  # close the connection instead of answering
    raw: bytes | None = None  # sent in the place of the body
    length: int | None = None  # announced instead of the true one
    endless: bool = False  # the body never ends

    def encoded(self) -> bytes:
        """The body as bytes."""
        if self.raw is not None:
            return self.raw
        return b"" if self.body is None else json.dumps(self.body).encode()


class Refusal(Exception):  # noqa: N818 - not an error of ours
    """A request that is answered with a refusal."""

    def __init__(self, reply: Reply) -> None:
        """Keep the answer."""
        super().__init__(reply.status)
        self.reply = reply


def refusal(status: HTTPStatus, *, code: str, field_name: str, why: str) -> Refusal:
    """A refusal with the documented error body (API.md 4). `why` never quotes a value: it may be a password."""
    return Refusal(
        Reply(
            status,
            {
                "status": status.name,
                "errorCode": code,
                "errorDesc": field_name,
                "errorMessage": f"Error on field '{field_name}': {why}" if field_name else why,
            },
        )
    )


def invalid(*, field_name: str, why: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Refusal:
    """A refusal of one field, with the only code that is documented."""
    return refusal(status, code="INVALID_FIELD_VALUE", field_name=field_name, why=why)


NOT_FOUND = Reply(HTTPStatus.NOT_FOUND)
