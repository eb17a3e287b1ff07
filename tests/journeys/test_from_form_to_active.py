"""The main job with real processes: web server, Celery worker, sweep, Redis, PostgreSQL, and ITCare over HTTP."""

import html
import json
import re

from portal.inventory.models import Cluster
from portal.operations.models import ActionMessage
from portal.operations.states import State
from tests.cast import PASSWORD, Cast
from tests.journeys.ways import ORDER, agree, ask, comes_to, ordered, sign_in, story
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox

# The narrower of the two rules of API.md 7.1.
GENERATED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])(?=.*[^A-Za-z0-9]).{12,20}")
TYPED = "Typed-by-hand-01"


def test_a_cluster_goes_from_form_to_active(portal: RunningPortal, running_cast: Cast, upstream: Sandbox) -> None:
    portal.start_web()
    portal.start_worker()
    portal.start_sweep()
    developer, approver = sign_in(portal, "developer"), sign_in(portal, "approver")

    operation = agree(approver, ask(developer))
    comes_to(operation, State.SUCCEEDED)

    [body] = ordered(upstream)
    password = body.pop("admPassword")
    assert json.dumps(body, sort_keys=True) == json.dumps(ORDER, sort_keys=True)
    assert GENERATED.fullmatch(password)
    cluster = Cluster.objects.get(name="newpostgre01")
    assert (cluster.status, operation.cluster) == ("ACTIVE", cluster)
    assert 'data-state="ACTIVE"' in developer.open(cluster.get_absolute_url())
    page = developer.open(operation.get_absolute_url())
    said = list(ActionMessage.objects.filter(action__operation=operation).values_list("text", flat=True))
    assert len(said) > 1
    assert [text for text in said if text not in page] == []

    developer.send(f"/operations/{operation.pk}/reveal/")
    assert developer.path.startswith("/accounts/reauthenticate/")
    developer.send("/accounts/reauthenticate/", password=PASSWORD)
    shown = re.search(r'<pre[^>]*id="password">(.*?)</pre>', developer.answer.text)
    assert shown is not None
    assert html.unescape(shown[1]) == password
    assert story("Create newpostgre01") == [
        "change.draft",
        "change.pending",
        "operation.queued",
        "change.approved",
        "operation.sending",
        "operation.running",
        "operation.succeeded",
        "password.revealed",
    ]
    verified = portal.manage("audit_verify")
    assert verified.returncode == 0, verified.stderr
    assert password not in portal.log()


def test_high_availability_with_a_typed_password(portal: RunningPortal, running_cast: Cast, upstream: Sandbox) -> None:
    portal.start_web()
    portal.start_worker()
    portal.start_sweep()
    answers = {"topology": "HA", "node_prefix": "NEWPG", "tls": "false", "adm_password": TYPED}

    operation = agree(sign_in(portal, "approver"), ask(sign_in(portal, "developer"), **answers))
    comes_to(operation, State.SUCCEEDED)

    expected = {**ORDER, "topology": "HA", "nodePrefix": "NEWPG", "tls": False, "admPassword": TYPED}
    [body] = ordered(upstream)
    assert json.dumps(body, sort_keys=True) == json.dumps(expected, sort_keys=True)
    assert TYPED not in portal.log()
