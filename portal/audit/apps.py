"""The Django application of this package."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"
