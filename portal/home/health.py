"""Health: whether this process lives, and whether the portal works."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

# redis: only to ask whether the broker answers; Celery does the rest.
from redis import Redis
from redis.exceptions import RedisError

from portal.operations import heartbeat
from portal.upstream.status import status as upstream_status


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process lives, whatever else is down."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Answer 503 only without database or migrations; tell of everything else."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return JsonResponse({"ready": False, "database": "down"}, status=HTTPStatus.SERVICE_UNAVAILABLE)
    if missing:
        told = {"ready": False, "database": "up", "migrations": f"{len(missing)} missing"}
        return JsonResponse(told, status=HTTPStatus.SERVICE_UNAVAILABLE)
    upstream = upstream_status()
    found: dict[str, Any] = {
        "ready": True,
        "database": "up",
        "redis": "up" if _redis_answers() else "down",
        "sweep": "up" if heartbeat.alive(heartbeat.SWEEP) else "silent",
        "workers": "up" if heartbeat.alive(heartbeat.WORKER) else "silent",
        "upstream": "up" if upstream.ok else upstream.words,
    }
    if not upstream.ok and upstream.since is not None:
        found["upstream_since"] = upstream.since.isoformat()
    return JsonResponse(found)


def _redis_answers() -> bool:
    try:
        client = Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=1, socket_connect_timeout=1)
        with client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False
