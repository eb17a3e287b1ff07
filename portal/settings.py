"""The one settings file. Every value that differs between deployments comes from the environment (see .env.example)."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from portal.env import env

BASE_DIR = Path(__file__).resolve().parent.parent

# --- The deployment ---------------------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("HTTPS", default=not DEBUG)
# Sealing of what waits: administrator passwords, the upstream token, TOTP seeds. The first key seals, all of them open.
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS")
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")

# --- Django -----------------------------------------------------------------------------------------------------------
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "portal.home",
    "portal.changes",
    "portal.operations",
    "portal.catalog",
    "portal.inventory",
    "portal.upstream",
    "portal.accounts",
    "portal.audit",
    "portal.web",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "django_htmx",
    "lucide",
    "template_partials",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.web.middleware.NoStore",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.web.middleware.Redirects",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.home.shell.shell",
            ],
        },
    },
]
FORM_RENDERER = "portal.web.forms.Renderer"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.str("TIME_ZONE", default="Europe/Paris")
USE_I18N = False
USE_TZ = True


# --- Database: the portal's role owns nothing; portal.owner migrates as the owner -------------------------------------
def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = env.db_url_config(url)
    config["ENGINE"] = "django.db.backends.postgresql"
    config["CONN_MAX_AGE"] = 60
    config["CONN_HEALTH_CHECKS"] = True
    config["OPTIONS"] = {
        **config.get("OPTIONS", {}),
        # A parameter bound by the server is not in the statement that PostgreSQL logs when it fails (SAFETY 1 rule 17).
        "server_side_binding": True,
        "connect_timeout": 5,
        "options": "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
    }
    return config


DATABASES = {"default": _database(env.str("DATABASE_URL"))}
OWNER = _database(env.str("MIGRATION_DATABASE_URL")) if env.str("MIGRATION_DATABASE_URL", default="") else None
PORTAL_ROLE = DATABASES["default"]["USER"]
OWNER_ROLE = OWNER["USER"] if OWNER else None

# Sign-in must not need Redis: sessions and rate limits live in PostgreSQL.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

# --- Files ------------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "var" / "static"))()
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Security headers -------------------------------------------------------------------------------------------------
OIDC_SERVER_URL = env.str("OIDC_SERVER_URL", default="")
# form-action also governs the redirect that follows a POST: the identity provider must be named (RFC 9110 redirects).
_OIDC_ORIGIN = ["{0.scheme}://{0.netloc}".format(urlsplit(OIDC_SERVER_URL))] if OIDC_SERVER_URL else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF, *_OIDC_ORIGIN],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SECURE_SSL_REDIRECT = HTTPS and env.bool("SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Sign-in (SAFETY 8) -----------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "portal.accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_CHANGE_EMAIL = False
# Who somebody is, is the administrators' to say: nobody adds an address to sign in with.
ACCOUNT_MAX_EMAIL_ADDRESSES = 1
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[PostgreSQL portal] "
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {
    "login": env.str("LOGIN_LIMIT", default="30/m/ip"),
    "login_failed": env.str("LOGIN_FAILED_LIMIT", default="10/m/ip,5/5m/key"),
    "reauthenticate": env.str("REAUTHENTICATE_LIMIT", default="10/m/user"),
}
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
MFA_ADAPTER = "portal.accounts.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TRUST_ENABLED = False
MFA_TOTP_TOLERANCE = 0
MFA_TOTP_ISSUER = "PostgreSQL portal"
# It would write a row at each poll of each page.
USERSESSIONS_TRACK_ACTIVITY = False
SOCIALACCOUNT_ADAPTER = "portal.accounts.adapters.SocialAccountAdapter"
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = env.bool("OIDC_TRUST_EMAIL", default=False)
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {}
if OIDC_SERVER_URL:
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": env.str("OIDC_NAME", default="single sign-on"),
                "client_id": env.str("OIDC_CLIENT_ID"),
                "secret": env.str("OIDC_CLIENT_SECRET"),
                "settings": {"server_url": OIDC_SERVER_URL, "uid_field": "sub", "oauth_pkce_enabled": True},
            },
        ],
    }

# --- Mail -------------------------------------------------------------------------------------------------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="portal@localhost")
EMAIL_TIMEOUT = 10
# Where people reach the portal: mails lead there.
PORTAL_URL = env.str("PORTAL_URL", default="http://127.0.0.1:8000").rstrip("/")

# --- Celery: carries hints only; each value is argued in docs/adr/0003 and SAFETY 4 -----------------------------------
CELERY_BROKER_URL = env.str("REDIS_URL")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False
# A lease outlives every call made under it, reads before the write and then the write (SAFETY 1 rule 9), and ends
# before Celery's limits: a longer lease must not mean a write that a limit cuts short.
LEASE_SECONDS = env.float("LEASE_SECONDS", default=75.0)
CELERY_TASK_SOFT_TIME_LIMIT = LEASE_SECONDS + 15
CELERY_TASK_TIME_LIMIT = LEASE_SECONDS + 45
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "max_retries": 0,
    "visibility_timeout": 600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "health_check_interval": 25,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 60
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A worker that takes no message for this long although some wait is ended (portal/watchdog.py).
WORKER_DEAF_SECONDS = env.float("WORKER_DEAF_SECONDS", default=120.0)
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"

# --- ITCare (docs/itcare/API.md) --------------------------------------------------------------------------------------
ITCARE_BASE_URL = env.str("ITCARE_BASE_URL")
ITCARE_TOKEN_URL = env.str("ITCARE_TOKEN_URL")
ITCARE_CLIENT_ID = env.str("ITCARE_CLIENT_ID")
ITCARE_CLIENT_SECRET = env.str("ITCARE_CLIENT_SECRET")
# Neither product codes nor sizes can be listed through the API (API.md A13).
ITCARE_PRODUCT_CODES = env.list(
    "ITCARE_PRODUCT_CODES", default=["deb12pg16", "deb12pg15", "deb12pg14", "deb12pg13", "deb12pg12"]
)
ITCARE_SIZINGS = env.list(
    "ITCARE_SIZINGS",
    default=["2cpu2gb", "2cpu4gb", "2cpu8gb", "4cpu8gb", "4cpu16gb", "8cpu16gb", "8cpu32gb", "16cpu64gb"],
)
# Areas with their zones, where ITCare does not list its regions (API.md A4).
ITCARE_AREAS = env.list("ITCARE_AREAS", default=["EB:EB-A|EB-B|EB-C", "EB-QA:EB-A|EB-B|EB-C"])
# The wire word for high availability (API.md A7).
ITCARE_HA_TOPOLOGY = env.str("ITCARE_HA_TOPOLOGY", default="HA")
# Where this ITCare differs from what API.md 17 assumes: fields of portal.itcare.Assumptions, e.g. first_page=1.
ITCARE_ASSUMPTIONS = env.dict("ITCARE_ASSUMPTIONS", default={})
# Seconds: to connect, between two bytes, and for a whole call.
ITCARE_CONNECT_SECONDS = env.float("ITCARE_CONNECT_SECONDS", default=5.0)
ITCARE_READ_SECONDS = env.float("ITCARE_READ_SECONDS", default=20.0)
ITCARE_TOTAL_SECONDS = env.float("ITCARE_TOTAL_SECONDS", default=30.0)

# Operations that are sent in a second, by all workers together: many that waited do not all go at once.
SENDS_PER_SECOND = env.float("SENDS_PER_SECOND", default=10.0)

# --- Time limits of the portal, in seconds ----------------------------------------------------------------------------
FOLLOW_SECONDS = env.float("FOLLOW_SECONDS", default=10.0)
SETTLE_SECONDS = env.float("SETTLE_SECONDS", default=20.0)
SETTLE_GRACE_SECONDS = env.float("SETTLE_GRACE_SECONDS", default=900.0)
# What ended without its action is watched for it this long.
LATE_ACTION_SECONDS = env.float("LATE_ACTION_SECONDS", default=7 * 86400.0)
SYNC_SECONDS = env.float("SYNC_SECONDS", default=60.0)
# Clusters that the background reads in a minute: version, size and topology are only on each cluster's own page.
FILL_PER_MINUTE = env.int("FILL_PER_MINUTE", default=60)
OVERDUE_SECONDS = env.float("OVERDUE_SECONDS", default=4 * 3600.0)
UNREACHABLE_SECONDS = env.float("UNREACHABLE_SECONDS", default=3600.0)
VANISHED_SECONDS = env.float("VANISHED_SECONDS", default=300.0)
# Looks in a row that may fail before a person is told.
STUCK_FAILURES = env.int("STUCK_FAILURES", default=10)
CHANGE_SECONDS = env.float("CHANGE_SECONDS", default=7 * 86400.0)
DRAFT_SECONDS = env.float("DRAFT_SECONDS", default=86400.0)
REVEAL_SECONDS = env.float("REVEAL_SECONDS", default=72 * 3600.0)
SWEEP_SECONDS = env.float("SWEEP_SECONDS", default=2.0)
# The sweep itself does what nobody has claimed this long after it was due.
SWEEP_PATIENCE_SECONDS = env.float("SWEEP_PATIENCE_SECONDS", default=30.0)
# After its clock stood for this long, the portal looks what happened at ITCare before it sends anything.
AWAY_SECONDS = env.float("AWAY_SECONDS", default=300.0)
# File that receives the head of the audit chain, on a disk that the database's owner does not reach.
AUDIT_HEADS_FILE = env.str("AUDIT_HEADS_FILE", default="")

# --- Logs: to standard error, one line an event -----------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Both print request headers at DEBUG, the bearer token among them.
    "loggers": {"urllib3": {"level": "INFO"}, "requests": {"level": "INFO"}},
}
