"""Health of the web server's container, as its exit status; `manage.py healthy` is the one of worker and sweep."""

import http.client
import os
import sys
from http import HTTPStatus

# A name that the portal answers to.
HOST = os.environ.get("ALLOWED_HOSTS", "localhost").partition(",")[0].lstrip(".")

connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=3)
connection.request("GET", "/healthz", headers={"Host": HOST})
sys.exit(connection.getresponse().status != HTTPStatus.OK)
