"""What an answer proves: the table of SAFETY 2, "Reading an answer"."""

from collections.abc import Sequence
from http import HTTPStatus

from portal.itcare import reading
from portal.itcare.errors import (
    Conflict,
    Forbidden,
    ItcareError,
    NotFound,
    NotSent,
    Refused,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unclear,
    Unreadable,
)
from portal.itcare.transport import Failure, Reply

_REFUSALS: dict[int, tuple[type[Refused], str]] = {
    400: (Refused, "ITCare refused this: something in it is not valid."),
    403: (Forbidden, "ITCare does not allow the portal's account to do this."),
    404: (NotFound, "ITCare does not know this resource."),
    409: (Conflict, "ITCare refused this: it conflicts with the state of the resource or with other work on it."),
    422: (Refused, "ITCare refused this: its values do not fit together."),
}


def succeeded(status: int) -> bool:
    """Whether a status is a 2xx."""
    return 200 <= status < 300  # noqa: PLR2004 - the class of statuses


def of_read(outcome: Reply | Failure, correlation_id: str) -> ItcareError | None:
    """Return what is wrong with the outcome of a read, None when it is a whole answer."""
    if isinstance(outcome, Failure):
        sentence = "ITCare did not answer in time." if outcome.late else "ITCare does not answer."
        return Unavailable(sentence, correlation_id=correlation_id, reason=outcome.reason)
    if succeeded(outcome.status):
        return _broken_off(outcome, correlation_id)
    told = _told(outcome, correlation_id, ())
    common = _common(outcome, told)
    if common:
        return common
    if outcome.status == HTTPStatus.REQUEST_TIMEOUT or outcome.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _error(Unavailable, "ITCare is not available at the moment.", outcome, told)
    return unreadable(correlation_id, status=outcome.status)


def of_write(outcome: Reply | Failure, correlation_id: str, secrets: Sequence[str]) -> ItcareError | None:
    """Return what the outcome of a write proves, None when it was accepted, whatever its body.

    Args:
        outcome: what came of it.
        correlation_id: the id it was sent with.
        secrets: what it carried; struck out of what ITCare says.
    """
    if isinstance(outcome, Failure):
        return _lost(outcome, correlation_id)
    if succeeded(outcome.status):
        return None
    told = _told(outcome, correlation_id, secrets)
    common = _common(outcome, told)
    if common:
        return common
    if HTTPStatus.MULTIPLE_CHOICES <= outcome.status < HTTPStatus.BAD_REQUEST:
        sentence = "ITCare answered with a redirection, which the portal does not follow; its address is set wrongly."
        return _error(Refused, sentence, outcome, told)
    # 408, any 5xx, and what is no answer at all.
    return _error(Unclear, "ITCare failed while it handled this; what came of it is not known.", outcome, told)


def unreadable(correlation_id: str = "", *, status: int | None = None) -> Unreadable:
    """Return the error for an answer whose body is not what the API tells of."""
    sentence = "ITCare gave an answer that the portal does not understand."
    return Unreadable(sentence, status=status, correlation_id=correlation_id)


def unauthenticated(reply: Reply, correlation_id: str) -> Unauthenticated:
    """Return the error for a 401, whose body is documented as empty and not read."""
    sentence = "ITCare does not accept the portal's account at the moment."
    return Unauthenticated(sentence, status=reply.status, correlation_id=correlation_id)


def struck(words: str, secrets: Sequence[str]) -> str:
    """Return words with every secret replaced by stars."""
    for secret in secrets:
        if secret:
            words = words.replace(secret, "****")
    return words


def _lost(failure: Failure, correlation_id: str) -> ItcareError:
    if failure.sent:
        sentence = "The portal could not see whether ITCare took this: the connection was lost after sending."
        return Unclear(sentence, correlation_id=correlation_id, reason=failure.reason)
    sentence = "ITCare cannot be reached; nothing was sent."
    return NotSent(sentence, correlation_id=correlation_id, reason=failure.reason)


def _broken_off(reply: Reply, correlation_id: str) -> ItcareError | None:
    if reply.too_long:
        sentence = "ITCare's answer is longer than the portal reads."
        return Unreadable(sentence, status=reply.status, correlation_id=correlation_id)
    if not reply.whole:
        return Unavailable("ITCare's answer broke off.", status=reply.status, correlation_id=correlation_id)
    return None


def _common(reply: Reply, told: dict[str, str]) -> ItcareError | None:
    """Return the errors that mean the same for reads and writes."""
    if reply.status == HTTPStatus.UNAUTHORIZED:
        return unauthenticated(reply, told["correlation_id"])
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _error(Throttled, "ITCare asks the portal to slow down.", reply, told)
    known = _REFUSALS.get(reply.status)
    if known:
        return _error(*known, reply, told)
    if reply.status != HTTPStatus.REQUEST_TIMEOUT and 400 <= reply.status < 500:  # noqa: PLR2004 - the class of statuses
        return _error(Refused, "ITCare refused this.", reply, told)
    return None


def _told(reply: Reply, correlation_id: str, secrets: Sequence[str]) -> dict[str, str]:
    """Read the one documented error body (API.md 4), which may be absent or anything else."""
    body = reading.document(reply.body) if reply.whole and not succeeded(reply.status) else None
    found = body if isinstance(body, dict) else {}

    def word(key: str, limit: int) -> str:
        # Struck out before it is cut, so that no half of a secret is left over.
        value = found.get(key)
        return reading.text(struck(value, secrets), limit) or "" if isinstance(value, str) else ""

    return {
        "correlation_id": correlation_id,
        "upstream_message": word("errorMessage", reading.MESSAGE_LIMIT),
        "code": word("errorCode", 100),
        "field": word("errorDesc", 100),
    }


def _error(kind: type[ItcareError], sentence: str, reply: Reply, told: dict[str, str]) -> ItcareError:
    return kind(sentence, status=reply.status, retry_after=reply.retry_after, **told)
