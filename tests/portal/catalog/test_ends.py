"""How changes of a cluster end, and what is known of the cluster afterwards."""

from collections.abc import Mapping
from typing import Any

import pytest

from portal.inventory.models import Cluster
from portal.operations.models import Action
from tests.cast import Cast
from tests.portal.catalog.asking import RESTORE, SOURCE, TARGET, Values, approved, opened, placed
from tests.portal.operations.engine import everybody_tries, evidence, fault, followed, sent
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

PATCHES = {"method": "PATCH", "path": "/databases/postgresql"}
EXCLUDE: Values = {"excluded": "true", "exclusion_reason": "We patch it."}


@pytest.mark.parametrize(
    ("kind", "placing", "values", "known"),
    [
        ("start", {"status": "INACTIVE"}, {}, {"status": "ACTIVE"}),
        ("stop", {}, {}, {"status": "INACTIVE"}),
        ("resize", {}, {"sizing": "4cpu8gb"}, {"status": "ACTIVE", "sizing": "4cpu8gb", "cpu": 4, "ram": 8}),
        (
            "enable_ha",
            {},
            {"replication_lag": "33"},
            {"status": "ACTIVE", "topology": "HA", "allowed_replication_lag": 33},
        ),
        ("upgrade", {"product_code": "deb12pg15"}, {"target_version": "17"}, {"status": "ACTIVE", "version": "17"}),
        ("restore", {}, RESTORE, {"status": "ACTIVE"}),
        ("install_extension", {}, {"dbname": "postgres", "extensions": ["hstore"]}, {"status": "ACTIVE"}),
        ("update_patch_party", {}, EXCLUDE, {"status": "ACTIVE"}),
    ],
)
def test_each_is_followed_to_its_end_and_the_cluster_is_known_as_it_is_then(
    cast: Cast, upstream: Sandbox, kind: str, placing: Mapping[str, Any], values: Values, known: dict[str, object]
) -> None:
    placed(upstream, cast.service, SOURCE)
    cluster = placed(upstream, cast.service, TARGET, **placing)
    row = followed(sent(approved(cast, kind, cluster, values)))
    assert (row.state, row.message, row.cluster) == ("succeeded", "", cluster)
    assert Action.objects.get(operation=row).upstream_id == row.upstream_action_id
    assert Cluster.objects.filter(pk=cluster.pk).values(*known).get() == known
    assert len(upstream.writes()) == 1


@pytest.mark.parametrize("kind", ["resize", "delete"])
def test_what_goes_wrong_at_itcare_fails_with_its_words(cast: Cast, upstream: Sandbox, kind: str) -> None:
    cluster = placed(upstream, cast.service, TARGET)
    upstream.set_faults(fault("action_error", match={"path": "/databases/postgresql/"}, message="No host has room"))
    row = followed(sent(approved(cast, kind, cluster, {"sizing": "4cpu8gb"} if kind == "resize" else {})))
    assert (row.state, row.reason) == ("failed", "failed_upstream")
    assert row.message == "ITCare could not finish it: No host has room"
    after = Cluster.objects.get(pk=cluster.pk)
    assert (after.gone_at, after.status, after.sizing) == (None, "ACTIVE", "2cpu4gb")


def test_patching_ends_with_an_empty_answer(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET)
    upstream.set_faults(fault("empty", match=PATCHES))
    row = sent(approved(cast, "update_patch_party", cluster, EXCLUDE))
    assert (row.state, row.last_proof, row.upstream_action_id, row.message) == ("succeeded", "accepted", None, "")
    assert evidence(row) == [("accepted", 202)]
    everybody_tries(row)
    assert len(upstream.writes()) == 1
    told = upstream.cluster(TARGET)
    assert (told["patch_excluded"], told["exclusion_reason"]) == (True, "We patch it.")


@pytest.mark.parametrize(("kind", "values"), [("stop", {}), ("resize", {"sizing": "4cpu8gb"})])
def test_anything_else_with_an_empty_answer_is_looked_for(
    cast: Cast, upstream: Sandbox, kind: str, values: Values
) -> None:
    cluster = placed(upstream, cast.service, TARGET)
    upstream.set_faults(fault("empty", match=PATCHES))
    row = sent(approved(cast, kind, cluster, values))
    assert (row.state, row.last_proof, row.upstream_action_id) == ("running", "accepted", None)
    everybody_tries(row)
    row.refresh_from_db()
    assert row.upstream_action_id is not None
    assert (followed(row).state, len(upstream.writes())) == ("succeeded", 1)


def test_patching_with_an_action_is_followed(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET)
    row = sent(approved(cast, "update_patch_party", cluster, {"excluded": "false", "patch_group": "2"}))
    assert (row.state, row.upstream_action_id is not None) == ("running", True)
    assert (followed(row).state, upstream.cluster(TARGET)["patch_group"]) == ("succeeded", "2")


def test_a_deleted_cluster_is_gone_at_once_and_kept_as_it_was(cast: Cast, upstream: Sandbox) -> None:
    cluster = placed(upstream, cast.service, TARGET, sizing="4cpu8gb")
    row = followed(sent(approved(cast, "delete", cluster, {})))
    assert (row.state, row.cluster) == ("succeeded", cluster)
    kept = Cluster.objects.get(pk=cluster.pk)
    assert kept.gone_at is not None
    assert (kept.name, kept.sizing, kept.version, kept.read_failed) == (cluster.name, "4cpu8gb", "16", "")
    answer = opened(cast.developer, cluster.get_absolute_url())
    assert (answer.status, answer.page.all("details", id="asks")) == (200, [])
    assert "Gone" in answer.page.one("h1").text
    assert [link.text for link in answer.page.all("a", href=row.get_absolute_url())][:1] == [row.title]
