"""What ITCare receives of each kind: the payloads that its own page prints, sent through form, approval and sender."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from portal.inventory.models import Cluster
from tests.cast import Cast, form_data
from tests.contracts import openapi
from tests.portal.catalog.asking import Values, approved, placed
from tests.portal.operations.engine import sent
from tests.sandbox_server import Sandbox, start

pytestmark = pytest.mark.django_db(transaction=True)

# The page's example of a restore goes back to a moment of 2022: a day after it.
DAY_AFTER = datetime(2022, 11, 3, 9, 32, 2, tzinfo=UTC)


@pytest.fixture
def upstream_of_2022(tmp_path: Path, settings: Settings) -> Iterator[Sandbox]:
    """Turn the clocks of the portal and of the stand-in back to the day after the example's moment."""
    shift = (DAY_AFTER - datetime.now(UTC)) / timedelta(seconds=1)
    with start(tmp_path, speed=200, clock_shift=shift) as server, time_machine.travel(DAY_AFTER, tick=True):
        settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL = server.base_url, server.token_url
        settings.ITCARE_CLIENT_ID, settings.ITCARE_CLIENT_SECRET = server.client_id, server.client_secret
        yield server


def typed(value: object) -> object:
    """The value with the types of all that is in it: to Python True is 1."""
    if isinstance(value, dict):
        return {name: typed(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [typed(inside) for inside in value]
    return type(value), value


def received(cast: Cast, upstream: Sandbox, kind: str, cluster: Cluster | None, values: Values) -> tuple[str, str, Any]:
    """Ask, agree and send; answers method, path and body of the one write that arrived."""
    row = sent(approved(cast, kind, cluster, values))
    assert (row.state, row.message) == ("running", "")
    (write,) = upstream.writes()
    openapi.check_request(write["method"], write["path"], write["body"])
    return write["method"], write["path"], write["body"]


@pytest.mark.parametrize(
    ("number", "placing", "kind", "values", "options"),
    [
        (1234, {"status": "INACTIVE"}, "start", {}, None),
        (1234, {}, "stop", {}, None),
        (1234, {"sizing": "4cpu8gb"}, "resize", {"sizing": "2cpu4gb"}, {"sizing": "2cpu4gb"}),
        (
            5678,
            {"product_code": "deb12pg12"},
            "enable_ha",
            {"replication_lag": "50", "change_reference": "000"},
            {"replicationLag": 50, "changeReference": "000"},
        ),
        (5678, {}, "enable_ha", {"replication_lag": "50"}, {"replicationLag": 50}),
        (
            1234,
            {},
            "update_patch_party",
            {"excluded": "false", "patch_group": "3"},
            {"patchParty": {"excluded": False, "patchGroup": "3"}},
        ),
        (
            1234,
            {},
            "update_patch_party",
            {"excluded": "true", "exclusion_reason": "I want to handle this by myself"},
            {"patchParty": {"excluded": True, "exclusionReason": "I want to handle this by myself"}},
        ),
        (
            1234,
            {"databases": ["mydb", "postgres"], "offered": ["ext1", "ext2"]},
            "install_extension",
            {"dbname": "mydb", "extensions": ["ext1", "ext2"]},
            {"dbname": "mydb", "extensions_list": [{"name": "ext1"}, {"name": "ext2"}]},
        ),
        (
            1234,
            {"product_code": "deb10pg11"},
            "upgrade",
            {"target_version": "12", "change_reference": "RFC 1234"},
            {"targetVersion": "12", "changeReference": "RFC 1234"},
        ),
    ],
)
def test_a_change_of_a_cluster_arrives_as_the_page_prints_it(
    cast: Cast,
    upstream: Sandbox,
    number: int,
    placing: dict[str, object],
    kind: str,
    values: Values,
    options: dict[str, object] | None,
) -> None:
    cluster = placed(upstream, cast.service, number, **placing)
    method, path, body = received(cast, upstream, kind, cluster, values)
    assert (method, path) == ("PATCH", f"/databases/postgresql/{number}")
    assert typed(body) == typed({"operation": kind} | ({"options": options} if options else {}))


@pytest.mark.parametrize("timestamp", ["2022-11-02T09:32:02.000+00:00", "2022-11-02T10:32:02+01:00"])
def test_a_restore_arrives_as_the_page_prints_it(cast: Cast, upstream_of_2022: Sandbox, timestamp: str) -> None:
    placed(upstream_of_2022, cast.service, 1234)
    cluster = placed(upstream_of_2022, cast.service, 5678)
    values: Values = {"source_id": "1234", "stop": "BEFORE", "timestamp": timestamp}
    method, path, body = received(cast, upstream_of_2022, "restore", cluster, values)
    assert (method, path) == ("PATCH", "/databases/postgresql/5678")
    options = {"sourceId": 1234, "stop": "BEFORE", "timestamp": "2022-11-02T09:32:02.000+00:00"}
    assert typed(body) == typed({"operation": "restore", "options": options})


def test_a_delete_arrives_without_a_body(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, 123)
    assert received(cast, upstream, "delete", cluster, {}) == ("DELETE", "/databases/postgresql/123", None)


def test_a_create_arrives_as_the_page_prints_it_with_its_name_in_small_letters(cast: Cast, upstream: Sandbox) -> None:
    values: Values = {**form_data(name="NEWPOSTGRE01", adm_password="Test123@2022")}
    method, path, body = received(cast, upstream, "create", None, values)
    assert (method, path) == ("POST", "/databases/postgresql")
    assert typed(body) == typed(
        {
            "productCode": "deb12pg16",
            "serviceId": 123,
            "nodeSizing": "2cpu4gb",
            "networkId": 132,
            "area": "EB-QA",
            "diskSize": 40,
            "admPassword": "Test123@2022",
            "allowedReplicationLag": 10,
            # The page's own zone, "az", exists nowhere.
            "az": "EB-A",
            "topology": "STANDALONE",
            "trigram": "tri",
            "tls": True,
            "name": "newpostgre01",
        }
    )
