"""The Django application of this package."""

from django.apps import AppConfig


class ChangesConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.changes"
    label = "changes"
    default_auto_field = "django.db.models.BigAutoField"
