"""The Django application of this package."""

from django.apps import AppConfig

from portal import checks


class HomeConfig(AppConfig):
    """Registers the package under its own short label."""

    name = "portal.home"
    label = "home"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the start-up checks of the whole portal, since this is its outermost package."""
        checks.register()
