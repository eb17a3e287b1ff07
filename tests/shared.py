"""What the first process of a test run makes for all of them, because it takes long."""

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

# The folder that all processes of a run share; it goes with the run.
FOLDER: Final = "PORTAL_TEST_FOLDER"


def made_once(name: str, make: Callable[[Path], Mapping[str, str]]) -> dict[str, str]:
    """Have something made, or wait until another process has made it.

    Args:
        name: What it is called in this run.
        make: Makes it in a folder of its own, and answers how it is to be used.

    Returns:
        What `make` answered, to whichever process.
    """
    folder = Path(os.environ[FOLDER]) / name
    folder.mkdir(exist_ok=True)
    told = folder / "made.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(make(folder)), encoding="utf-8")
        made: dict[str, str] = json.loads(told.read_text(encoding="utf-8"))
    return made
