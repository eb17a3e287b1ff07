"""The Django application of this package."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.web"
    label = "web"
    default_auto_field = "django.db.models.BigAutoField"
