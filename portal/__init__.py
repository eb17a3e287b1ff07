"""The portal. Loads the Celery application, or tasks would be published to a default broker."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
