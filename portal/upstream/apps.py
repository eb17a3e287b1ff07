"""The Django application of this package."""

from django.apps import AppConfig


class UpstreamConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.upstream"
    label = "upstream"
    default_auto_field = "django.db.models.BigAutoField"
