"""The Django application of this package."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
