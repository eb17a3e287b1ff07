"""The Django application of this package."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.operations"
    label = "operations"
    default_auto_field = "django.db.models.BigAutoField"
