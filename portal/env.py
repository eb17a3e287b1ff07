"""Reads the environment: typed, secrets also from files, nothing that is not understood."""

import os
from pathlib import Path

# django-environ: reads typed values and URLs, and NAME from the file that NAME_FILE names (container secrets).
from environ import FileAwareEnv

env = FileAwareEnv()


def load_env_file() -> None:
    """Read the file that PORTAL_ENV_FILE names, so that manage.py works against a running demo.

    Raises:
        FileNotFoundError: PORTAL_ENV_FILE names a file that does not exist.
    """
    name = os.environ.get("PORTAL_ENV_FILE")
    if not name:
        return
    for line in Path(name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            os.environ.setdefault(key, value)
