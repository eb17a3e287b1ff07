#!/usr/bin/env python
"""Django's command line. PORTAL_ENV_FILE names a file with the environment, for example var/demo.env."""

import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    file = os.environ.get("PORTAL_ENV_FILE")
    if file and not Path(file).is_file():
        sys.exit(f"PORTAL_ENV_FILE names {file}, which is not there. The demo writes var/demo.env when it starts.")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as wrong:
        hint = "" if file else " PORTAL_ENV_FILE can name a file with the environment, for example var/demo.env."
        sys.exit(f"{str(wrong).rstrip('.')}.{hint}")
