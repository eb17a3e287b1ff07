"""Client of the cegedim.cloud ITCare API for managed PostgreSQL, in plain Python.

The API is described in docs/itcare/API.md; what is not known of it is in `assumptions`.
"""

from portal.itcare.assumptions import Assumptions
from portal.itcare.auth import Hidden, MemoryTokens, Token, TokenSource, fetch_token, renewal_margin
from portal.itcare.client import Client
from portal.itcare.errors import (
    Conflict,
    Forbidden,
    ItcareError,
    NotFound,
    NotSent,
    Paused,
    Refused,
    Throttled,
    TokenUnavailable,
    Unauthenticated,
    Unavailable,
    Unclear,
    Unreadable,
)
from portal.itcare.paging import ActionPages
from portal.itcare.reading import LONGEST_WAIT
from portal.itcare.retry import Retry
from portal.itcare.transport import Timeouts
from portal.itcare.types import (
    ERROR,
    IN_PROGRESS,
    SUCCESS,
    Accepted,
    Action,
    Actions,
    Area,
    AvailabilityZone,
    Cluster,
    Database,
    Extension,
    Listing,
    Network,
    Node,
    Region,
    ResourceSummary,
    Service,
)

__all__ = [
    "ERROR",
    "IN_PROGRESS",
    "LONGEST_WAIT",
    "SUCCESS",
    "Accepted",
    "Action",
    "ActionPages",
    "Actions",
    "Area",
    "Assumptions",
    "AvailabilityZone",
    "Client",
    "Cluster",
    "Conflict",
    "Database",
    "Extension",
    "Forbidden",
    "Hidden",
    "ItcareError",
    "Listing",
    "MemoryTokens",
    "Network",
    "Node",
    "NotFound",
    "NotSent",
    "Paused",
    "Refused",
    "Region",
    "ResourceSummary",
    "Retry",
    "Service",
    "Throttled",
    "Timeouts",
    "Token",
    "TokenSource",
    "TokenUnavailable",
    "Unauthenticated",
    "Unavailable",
    "Unclear",
    "Unreadable",
    "fetch_token",
    "renewal_margin",
]
