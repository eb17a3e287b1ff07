"""What each kind of fault does to a request and its answer. A new kind is one class here and its line in `KINDS`."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Self

from sandbox.exchange import Reply
from sandbox.world.model import IN_PROGRESS
from sandbox.world.stories import Order, failing, relapsing, unending

Wait = Callable[[float], None]  # waits that many seconds, less when the server stops

_STATUS = {"type": "integer", "minimum": 200, "maximum": 599}
_BODY: dict[str, Any] = {}  # any JSON
_HEADERS = {"type": "object", "additionalProperties": {"type": "string"}}
_SECONDS = {"type": "number", "minimum": 0, "maximum": 3600}


@dataclass(frozen=True)
class Fault:
    """Base of all kinds; as it stands it changes nothing. The fields of a kind are those of its JSON."""

    properties: ClassVar[Mapping[str, Any]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    writes_only: ClassVar[bool] = False

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Build from JSON that has been checked."""
        return cls(**values)

    def instead(self, wait: Wait) -> Reply | None:  # noqa: ARG002 - for kinds that need it
        """An answer without anything being done, or None to go on."""
        return None

    def order(self, order: Order) -> Order:
        """What is carried out, when a write is."""
        return order

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002 - for kinds that need it
        """The answer, once everything has been done."""
        return reply


@dataclass(frozen=True)
class Refuse(Fault):
    """Nothing is done, that status is answered."""

    properties: ClassVar[Mapping[str, Any]] = {"status": _STATUS, "body": _BODY, "headers": _HEADERS}
    required: ClassVar[tuple[str, ...]] = ("status",)

    status: int
    body: object = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def instead(self, wait: Wait) -> Reply:  # noqa: ARG002
        """The refusal."""
        return Reply(self.status, self.body, headers=self.headers)


@dataclass(frozen=True)
class Empty(Fault):
    """Done, and answered without a body."""

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """The answer without its body."""
        return dataclasses.replace(reply, body=None)


@dataclass(frozen=True)
class Drop(Fault):
    """Done, then the connection is closed without an answer."""

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """No answer."""
        return dataclasses.replace(reply, dropped=True)


@dataclass(frozen=True)
class DropBefore(Fault):
    """The connection is closed, nothing is done."""

    def instead(self, wait: Wait) -> Reply:  # noqa: ARG002
        """No answer."""
        return Reply(HTTPStatus.OK, dropped=True)


@dataclass(frozen=True)
class Late(Fault):
    """Done and answered late; with `before`, done late as well."""

    properties: ClassVar[Mapping[str, Any]] = {"seconds": _SECONDS, "before": {"type": "boolean"}}
    required: ClassVar[tuple[str, ...]] = ("seconds",)

    seconds: float
    before: bool = False

    def instead(self, wait: Wait) -> None:
        """Wait before anything is done."""
        if self.before:
            wait(self.seconds)

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:
        """Wait before answering."""
        if not self.before:
            wait(self.seconds)
        return reply


@dataclass(frozen=True)
class StatusAfter(Fault):
    """Done, then that status is answered."""

    properties: ClassVar[Mapping[str, Any]] = {"status": _STATUS, "body": _BODY, "headers": _HEADERS}
    required: ClassVar[tuple[str, ...]] = ("status",)

    status: int
    body: object = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """That status."""
        return dataclasses.replace(reply, status=self.status, body=self.body, headers=self.headers)


@dataclass(frozen=True)
class ActionError(Fault):
    """Accepted, and the action that was started ends in ERROR."""

    properties: ClassVar[Mapping[str, Any]] = {"message": {"type": "string"}}
    writes_only: ClassVar[bool] = True

    message: str = "Not enough capacity"

    def order(self, order: Order) -> Order:
        """The order that fails halfway."""
        return failing(order, self.message)


@dataclass(frozen=True)
class ActionNeverEnds(Fault):
    """Accepted, and the action that was started stays before its last step."""

    writes_only: ClassVar[bool] = True

    def order(self, order: Order) -> Order:
        """The order without an end."""
        return unending(order)


@dataclass(frozen=True)
class ActionRelapses(Fault):
    """Accepted, and the action that was started goes from SUCCESS back to IN_PROGRESS for a while."""

    properties: ClassVar[Mapping[str, Any]] = {"seconds": _SECONDS}
    writes_only: ClassVar[bool] = True

    seconds: float = 10.0

    def order(self, order: Order) -> Order:
        """The order that ends twice."""
        return relapsing(order, self.seconds)


@dataclass(frozen=True)
class ActionStatus(Fault):
    """Done, and every action in the answer is told with that status."""

    properties: ClassVar[Mapping[str, Any]] = {"status": {"type": "string"}, "message": {"type": "string"}}
    required: ClassVar[tuple[str, ...]] = ("status",)

    status: str
    message: str | None = None

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """The answer with other words."""
        if isinstance(reply.body, list):
            return dataclasses.replace(reply, body=[self._told(each) for each in reply.body])
        return dataclasses.replace(reply, body=self._told(reply.body))

    def _told(self, item: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(item, dict) or "process" not in item:
            return item
        told = {**item, "status": self.status}
        if self.message is not None:
            told["message"] = self.message
        if self.status == IN_PROGRESS:
            told.pop("completedAt", None)
        return told


@dataclass(frozen=True)
class HideNewest(Fault):
    """Done, and the list of actions comes without the newest ones."""

    properties: ClassVar[Mapping[str, Any]] = {"count": {"type": "integer", "minimum": 1}}

    count: int = 1

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """The list without them."""
        if not isinstance(reply.body, list):
            return reply
        newest = sorted((each["submittedAt"], each["id"]) for each in reply.body if "submittedAt" in each)
        hidden = {number for _, number in newest[-self.count :]}
        return dataclasses.replace(reply, body=[each for each in reply.body if each.get("id") not in hidden])


@dataclass(frozen=True)
class Text(Fault):
    """Done, then answered with a text as it is."""

    properties: ClassVar[Mapping[str, Any]] = {
        "text": {"type": "string"},
        "status": _STATUS,
        "media_type": {"type": "string", "pattern": r"^[ -~]+$"},
    }
    required: ClassVar[tuple[str, ...]] = ("text",)

    text: str
    status: int = HTTPStatus.OK
    media_type: str = "text/html"

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """That text."""
        return dataclasses.replace(reply, status=self.status, raw=self.text.encode(), media_type=self.media_type)


@dataclass(frozen=True)
class Cut(Fault):
    """Done, and the answer's body ends after that many bytes; with `announced`, where more was announced."""

    properties: ClassVar[Mapping[str, Any]] = {
        "bytes": {"type": "integer", "minimum": 0},
        "announced": {"type": "boolean"},
    }
    required: ClassVar[tuple[str, ...]] = ("bytes",)

    bytes: int
    announced: bool = False

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """The beginning of the answer."""
        whole = reply.encoded()
        return dataclasses.replace(reply, raw=whole[: self.bytes], length=len(whole) if self.announced else None)


@dataclass(frozen=True)
class Endless(Fault):
    """Done, and the answer's body goes on until the other side has had enough."""

    def afterwards(self, reply: Reply, wait: Wait) -> Reply:  # noqa: ARG002
        """The answer that does not end."""
        return dataclasses.replace(reply, endless=True)


KINDS: Mapping[str, type[Fault]] = {
    "refuse": Refuse,
    "empty": Empty,
    "drop": Drop,
    "drop_before": DropBefore,
    "late": Late,
    "status_after": StatusAfter,
    "action_error": ActionError,
    "action_never_ends": ActionNeverEnds,
    "action_relapses": ActionRelapses,
    "action_status": ActionStatus,
    "hide_newest": HideNewest,
    "text": Text,
    "cut": Cut,
    "endless": Endless,
}
