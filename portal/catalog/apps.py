"""The Django application of this package."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.catalog"
    label = "catalog"
    default_auto_field = "django.db.models.BigAutoField"
