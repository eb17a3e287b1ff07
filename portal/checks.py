"""Start-up checks: a deployment that is set up wrongly says so, with a hint, before it does harm.

`manage.py check --database default` runs all of them; so does each command but the checks of the database.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core import checks
from django.db import connections

from portal.upstream.assumed import assumptions

SECRET_KEY_LENGTH = 50
PRODUCT_CODE = re.compile(r"[a-z]+[0-9]+pg[0-9]+")
SIZING = re.compile(r"[0-9]+cpu[0-9]+gb")
ITCARE_ADDRESSES = ("ITCARE_BASE_URL", "ITCARE_TOKEN_URL")
# Zero would mean a loop without rest, or a call without an end.
TIMES = (
    "ITCARE_CONNECT_SECONDS",
    "ITCARE_READ_SECONDS",
    "ITCARE_TOTAL_SECONDS",
    "FOLLOW_SECONDS",
    "SETTLE_SECONDS",
    "SETTLE_GRACE_SECONDS",
    "LATE_ACTION_SECONDS",
    "SYNC_SECONDS",
    "OVERDUE_SECONDS",
    "UNREACHABLE_SECONDS",
    "VANISHED_SECONDS",
    "CHANGE_SECONDS",
    "DRAFT_SECONDS",
    "REVEAL_SECONDS",
    "SWEEP_SECONDS",
    "SWEEP_PATIENCE_SECONDS",
    "AWAY_SECONDS",
)
OWNS = """
    SELECT rolsuper,
           pg_has_role(rolname, datdba, 'MEMBER'),
           EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('public')
                   AND pg_has_role(rolname, relowner, 'MEMBER'))
    FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
"""


def secrets_are_strong(**_options: object) -> list[checks.CheckMessage]:
    """E001, E002: the secret key is long enough to sign with, each encryption key is one."""
    found: list[checks.CheckMessage] = []
    if len(settings.SECRET_KEY) < SECRET_KEY_LENGTH:
        hint = 'python3 -c "import secrets; print(secrets.token_urlsafe(50))"'
        found.append(checks.Error(f"SECRET_KEY has less than {SECRET_KEY_LENGTH} characters.", hint, id="portal.E001"))
    for number, key in enumerate(settings.ENCRYPTION_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            hint = "A Fernet key is 32 random bytes in URL-safe base64; .env.example has the command that makes one."
            found.append(checks.Error(f"Key number {number} of ENCRYPTION_KEYS is no key.", hint, id="portal.E002"))
    if not settings.ENCRYPTION_KEYS:
        found.append(checks.Error("ENCRYPTION_KEYS is empty.", "Give at least one Fernet key.", id="portal.E002"))
    return found


def upstream_is_reached_safely(**_options: object) -> list[checks.CheckMessage]:
    """E003: the client secret and tokens travel over HTTPS, except to this machine or a neighbour in its network."""
    hint = (
        "Use https://, without user, query or fragment; http:// is for 127.0.0.1, localhost and names without a dot, "
        "as containers have."
    )
    return [
        checks.Error(f"{name} is no address that a secret may be sent to.", hint, id="portal.E003")
        for name in ITCARE_ADDRESSES
        if not _safe(getattr(settings, name))
    ]


def _safe(address: str) -> bool:
    url = urlsplit(address)
    host = url.hostname or ""
    near = host in {"127.0.0.1", "::1"} or not set(host) & {".", ":"}
    # The client takes no such address, and would say so only when something is sent.
    plain = "@" not in url.netloc and not url.query and not url.fragment
    return bool(host) and plain and (url.scheme == "https" or (url.scheme == "http" and near))


def what_can_be_ordered(**_options: object) -> list[checks.CheckMessage]:
    """E004: product codes and sizes are given, and look like ITCare's (API.md 7.1)."""
    found: list[checks.CheckMessage] = []
    for name, pattern, example in (
        ("ITCARE_PRODUCT_CODES", PRODUCT_CODE, "deb12pg16"),
        ("ITCARE_SIZINGS", SIZING, "2cpu4gb"),
    ):
        values = getattr(settings, name)
        odd = [value for value in values if not pattern.fullmatch(value)]
        if odd or not values:
            words = f"{name} has {', '.join(map(repr, odd))}." if odd else f"{name} is empty."
            hint = f"Values look like {example}, separated by commas without spaces."
            found.append(checks.Error(words, hint, id="portal.E004"))
    return found


def times_fit(**_options: object) -> list[checks.CheckMessage]:
    """E005, E006: every time is above 0, and a lease outlives the calls made under it (a read, then the write)."""
    found: list[checks.CheckMessage] = [
        checks.Error(f"{name} is {getattr(settings, name):g}.", "Give seconds above 0.", id="portal.E005")
        for name in TIMES
        if not 0 < getattr(settings, name) < float("inf")
    ]
    if not settings.LEASE_SECONDS > 2 * settings.ITCARE_TOTAL_SECONDS:
        hint = "Raise LEASE_SECONDS or lower ITCARE_TOTAL_SECONDS: two workers must never hold the same operation."
        words = "LEASE_SECONDS is not above twice ITCARE_TOTAL_SECONDS."
        found.append(checks.Error(words, hint, id="portal.E006"))
    return found


def hosts_are_named(**_options: object) -> list[checks.CheckMessage]:
    """E007: the portal answers to its own names only; sign-in builds links and redirects from them."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [checks.Error("ALLOWED_HOSTS has *.", "List the names that people use.", id="portal.E007")]


def assumptions_are_known(**_options: object) -> list[checks.CheckMessage]:
    """E009: what is said to differ from the assumptions about ITCare is one of them (API.md 17)."""
    try:
        assumptions()
    except ValueError as error:
        hint = "portal/itcare/assumptions.py lists them; written as first_page=1,services_path=/services."
        return [checks.Error(f"ITCARE_ASSUMPTIONS: {error}.", hint, id="portal.E009")]
    return []


def role_owns_nothing(*, databases: Sequence[str] | None = None, **_options: object) -> list[checks.CheckMessage]:
    """E008: DATABASE_URL's role could not undo the audit table's protection: no superuser, owner of nothing."""
    if not databases or "default" not in databases:
        return []
    connection = connections["default"]
    if connection.settings_dict["USER"] != settings.PORTAL_ROLE:
        # portal.owner migrates: owning is what that role is for.
        return []
    with connection.cursor() as cursor:
        cursor.execute(OWNS)
        if not any(cursor.fetchone() or ()):
            return []
    hint = "Give DATABASE_URL a role of its own; the owner belongs into MIGRATION_DATABASE_URL (docs/adr/0011)."
    words = f"The portal's role {settings.PORTAL_ROLE} is a superuser, or owns the database or tables in it."
    return [checks.Error(words, hint, id="portal.E008")]


def register() -> None:
    """Let Django run the checks; called once when the applications are ready."""
    for check in (
        secrets_are_strong,
        upstream_is_reached_safely,
        what_can_be_ordered,
        assumptions_are_known,
        times_fit,
        hosts_are_named,
    ):
        checks.register(check, checks.Tags.security)
    checks.register(role_owns_nothing, checks.Tags.database)
