"""The portal's settings for a process whose open transaction PostgreSQL ends after seconds instead of a minute."""

from portal.settings import *  # noqa: F403 - every setting is the portal's own but one
from portal.settings import DATABASES

IDLE_SECONDS = 5
_OPTIONS = DATABASES["default"]["OPTIONS"]
_OPTIONS["options"] = _OPTIONS["options"].replace(
    "idle_in_transaction_session_timeout=60s", f"idle_in_transaction_session_timeout={IDLE_SECONDS}s"
)
