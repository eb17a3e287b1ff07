"""The Django application of this package."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.inventory"
    label = "inventory"
    default_auto_field = "django.db.models.BigAutoField"
