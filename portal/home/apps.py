"""The Django application of this package."""

from django.apps import AppConfig


class HomeConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.home"
    label = "home"
    default_auto_field = "django.db.models.BigAutoField"
