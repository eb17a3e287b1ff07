"""What can go wrong, as classes by what the caller can do about it (SAFETY 2, "Reading an answer")."""
# ruff: noqa: N818 - they read as what happened to the call


class ItcareError(Exception):
    """A call of ITCare that did not bring what was asked for.

    Args:
        sentence: what happened, in words that a user may read; holds nothing secret and nothing of the upstream's.
        status: the HTTP status, if an answer came.
        correlation_id: the `X-Correlation-ID` that the call carried, to be named to ITCare's support.
        upstream_message: what ITCare said, of bounded length, without control characters; still to be escaped.
        code: ITCare's `errorCode` (API.md 4), treated likewise.
        field: ITCare's `errorDesc`, which appears to name the field at fault, treated likewise.
        retry_after: seconds that ITCare asks to wait, at most `LONGEST_WAIT`: nothing waits longer than the rest.
        reason: the technical cause for logs, e.g. "ConnectTimeoutError".
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int | None = None,
        correlation_id: str = "",
        upstream_message: str = "",
        code: str = "",
        field: str = "",
        retry_after: float | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
        self.correlation_id = correlation_id
        self.upstream_message = upstream_message
        self.code = code
        self.field = field
        self.retry_after = retry_after
        self.reason = reason

    def __str__(self) -> str:
        facts = {"status": self.status, "reason": self.reason, "code": self.code, "correlation id": self.correlation_id}
        known = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
        return f"{self.sentence} ({known})" if known else self.sentence


class NotSent(ItcareError):
    """No byte of the request left: it may be sent again."""


class TokenUnavailable(NotSent):
    """No access token can be had: the token server refuses or does not answer."""


class Paused(NotSent):
    """The portal itself holds its calls back, because ITCare asked to slow down or refuses its account."""


class Refused(ItcareError):
    """ITCare understood and did not do it. It was not executed."""


class NotFound(Refused):
    """404: there is no such resource, or none that the account may see."""


class Forbidden(Refused):
    """403: the portal's account may not do this."""


class Conflict(Refused):
    """409: it does not go with the state of the resource, or with other work on it."""


class Unauthenticated(ItcareError):
    """401: the token was not accepted. It was not executed.

    A read has then already been tried with a new token. A write has not: whether it is sent again is the caller's
    decision, who keeps a record of each sending.
    """


class Throttled(ItcareError):
    """429: not executed; see `retry_after`."""


class Unavailable(ItcareError):
    """A read was not answered in time or with an error of the server, also when repeated."""


class Unreadable(ItcareError):
    """A read was answered with something that cannot be understood."""


class Unclear(ItcareError):
    """A write left and nobody can tell what came of it. It must not be sent again on a guess."""
