"""The state on disk: one JSON file, written beside and moved over, so that it is whole at any instant."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

VERSION = 1


class BadStateError(ValueError):
    """A state file that this program cannot go on with."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        super().__init__(f"{path} does not hold the state of this version of the sandbox")


class StateFile:
    """Saves what `gather` returns. Callers that save at once share one writing of the file."""

    def __init__(self, path: Path) -> None:
        """Use that file; its folder is made when missing."""
        self._path = path
        self._writing = threading.Lock()
        self._counting = threading.Lock()
        self._asked = 0
        self._saved = 0

    def load(self) -> dict[str, Any] | None:
        """What was saved, or None when nothing was.

        Raises:
            BadStateError: the file holds something else.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            state = json.loads(text)
        except ValueError as error:
            raise BadStateError(self._path) from error
        if not isinstance(state, dict) or state.get("version") != VERSION:
            raise BadStateError(self._path)
        return state

    def save(self, gather: Callable[[], dict[str, Any]]) -> None:
        """Return once everything that was true at the call is on disk."""
        with self._counting:
            self._asked += 1
            mine = self._asked
        with self._writing:
            if self._saved >= mine:
                return
            with self._counting:
                covered = self._asked
            self._write(gather())
            self._saved = covered

    def _write(self, state: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(self._path.name + ".new")
        # The journal of writes holds passwords: no one else may read it.
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"version": VERSION, **state}, file, separators=(",", ":"))
        beside.replace(self._path)
