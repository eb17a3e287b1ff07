"""The Celery application. It publishes hints; workers start it through portal.worker."""

import os

from celery import Celery

from portal.env import load_env_file

load_env_file()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["portal.operations", "portal.inventory"])
