"""Settings for migrating: the same portal, connected as the role that owns the tables."""

from django.core.exceptions import ImproperlyConfigured

from portal.settings import *  # noqa: F403 - every setting is the portal's own but the database
from portal.settings import OWNER

if OWNER is None:
    message = "Set MIGRATION_DATABASE_URL: the role that owns the tables, which DATABASE_URL's role must not be."
    raise ImproperlyConfigured(message)
DATABASES = {"default": OWNER}
