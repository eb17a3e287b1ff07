"""Faults of the stand-in that random runs choose from, by name."""

from collections.abc import Mapping
from typing import Any, Final

# Of a write; the stand-in executes it but where a name says otherwise.
ON_WRITES: Final[Mapping[str, dict[str, Any]]] = {
    "cut off": {"kind": "drop"},
    "cut off before": {"kind": "drop_before"},
    "late": {"kind": "late", "seconds": 1.8},
    "done late": {"kind": "late", "seconds": 1.8, "before": True},
    "500 after": {"kind": "status_after", "status": 500},
    "503 instead": {"kind": "refuse", "status": 503},
    "401 instead": {"kind": "refuse", "status": 401},
    "429 instead": {"kind": "refuse", "status": 429},
    "409 instead": {"kind": "refuse", "status": 409},
    "empty": {"kind": "empty"},
    "half": {"kind": "cut", "bytes": 20, "announced": True},
    "a page": {"kind": "text", "text": "<html><title>Sign in</title></html>"},
    "fails": {"kind": "action_error"},
    "never ends": {"kind": "action_never_ends"},
    "relapses": {"kind": "action_relapses", "seconds": 60.0},
}
ON_READS: Final[Mapping[str, dict[str, Any]]] = {
    "cut off": {"kind": "drop"},
    "500 instead": {"kind": "refuse", "status": 500},
    "401 instead": {"kind": "refuse", "status": 401},
    "404 instead": {"kind": "refuse", "status": 404},
    "429 instead": {"kind": "refuse", "status": 429},
    "half": {"kind": "cut", "bytes": 20, "announced": True},
    "a page": {"kind": "text", "text": "<html><title>Sign in</title></html>"},
    "without the newest": {"kind": "hide_newest"},
}
