"""The portal's settings for tests: the owner makes the test database, then conftest.py turns to the portal's role."""

from portal.settings import *  # noqa: F403 - every setting is the portal's own but these
from portal.settings import DATABASES as _PORTAL
from portal.settings import OWNER, STORAGES

if OWNER is None:
    message = "tests.servers sets MIGRATION_DATABASE_URL: run pytest with -p tests.servers."
    raise RuntimeError(message)
PORTAL_DATABASE = _PORTAL["default"]
OWNER_DATABASE = OWNER
# A copy: conftest.py changes the role in the one that Django uses.
DATABASES = {"default": {**OWNER_DATABASE}}
# Signing in hundreds of times must not cost seconds each.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Without a collectstatic before each run.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
