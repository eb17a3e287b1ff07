"""The Celery application of a worker: as portal.celery, but patient with Redis.

A worker whose acknowledgement times out stays alive and deaf, so the one-second limits that keep pages quick must
not apply to it.
"""

from portal.celery import app
from portal.watchdog import Watchdog

app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "max_retries": None,
}
app.conf.broker_connection_timeout = 5
app.steps["worker"].add(Watchdog)
