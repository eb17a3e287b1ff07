"""Each rule of API.md 7.3 broken at its form: 422, the sentence where it belongs, nothing kept and nobody called."""

from datetime import UTC, datetime

import pytest

from portal.audit.models import Entry
from portal.changes.models import Change
from portal.inventory.models import Cluster, Database, Extension, Service
from tests.browsing import Silent
from tests.browsing import silent_itcare as silent_itcare  # noqa: PLC0414 - a fixture
from tests.cast import Cast, cluster
from tests.markup import at_field
from tests.portal.catalog.asking import Values, address, ago, ask, asked, opened, production

pytestmark = pytest.mark.django_db

NOT_ITS_NAME = "This is not the name of the cluster: type target01 exactly."
TYPE_IT = "Type the name of the cluster: what you ask for cannot be taken back."
LAG = "At least 1, at most 500 MB."
NO_SIZE = "This size is not offered, or it is the size that the cluster has."
NO_VERSION = "ITCare does not offer this version for the cluster."
# What makes the form of each kind valid on `target`.
VALID: dict[str, Values] = {
    "delete": {},
    "start": {},
    "stop": {},
    "resize": {"sizing": "4cpu8gb"},
    "restore": {"source_id": "500000002", "stop": "AFTER", "timestamp": ""},
    "enable_ha": {"replication_lag": "500"},
    "update_patch_party": {"excluded": "true", "exclusion_reason": "We patch it."},
    "install_extension": {"dbname": "app", "extensions": ["hstore"]},
    "upgrade": {"target_version": "17"},
}


def target(service: Service, **fields: object) -> Cluster:
    """A cluster of which everything can be asked but to start it."""
    told = {"name": "target01", "node_count": 1, "offered_versions": [15, 16, 17], "backup_status": True}
    row = cluster(service, 1, **{**told, "read_at": datetime.now(UTC), "parts_read_at": datetime.now(UTC), **fields})
    Database.objects.create(cluster=row, name="app")
    Extension.objects.create(cluster=row, name="hstore", version="1.8")
    return row


def source(service: Service, **fields: object) -> Cluster:
    """A cluster whose backup can be read."""
    return cluster(service, 2, **{"backup_status": True, "read_at": datetime.now(UTC), **fields})


def valid(kind: str) -> Values:
    """A form without anything wrong."""
    return {**VALID[kind], "timestamp": ago(hours=1)} if kind == "restore" else VALID[kind]


def refused(cast: Cast, silent: Silent, kind: str, row: Cluster, values: Values) -> dict[str, str]:
    """Send a form that is wrong; answers what is said, by field, and under "" what is said of all of it."""
    answer = ask(cast.developer, kind, row, {**valid(kind), **values})
    assert answer.status == 422
    assert (Change.objects.count(), Entry.objects.count(), silent.calls()) == (0, 0, 0)
    names = {each.attributes["name"] for tag in ("input", "select", "textarea") for each in answer.page.all(tag)}
    said = {name: at_field(answer.page, name) for name in names}
    return {name: words for name, words in said.items() if words} | (
        {"": " ".join(answer.problems)} if answer.problems else {}
    )


@pytest.mark.parametrize("kind", VALID)
def test_the_form_without_the_mistake_is_taken(cast: Cast, silent_itcare: Silent, kind: str) -> None:
    source(cast.service)
    row = target(cast.service, status="INACTIVE" if kind == "start" else "ACTIVE")
    asked(cast.developer, kind, row, valid(kind))
    assert silent_itcare.calls() == 0


@pytest.mark.parametrize("kind", VALID)
def test_the_form_says_what_there_is_to_know_as_the_card_does(cast: Cast, silent_itcare: Silent, kind: str) -> None:
    source(cast.service)
    row = target(cast.service, status="INACTIVE" if kind == "start" else "ACTIVE")
    told = opened(cast.developer, address(kind, row)).page.one("section", aria_labelledby="know")
    change = asked(cast.developer, kind, row, valid(kind))
    card = opened(cast.approver, change.get_absolute_url()).page.one("section", aria_labelledby="know")
    assert [each.text for each in told.one("dl").all("dt")] == [
        "What it does",
        "What it interrupts",
        "How long",
        "Can it be undone",
        "Risk",
        "Look at",
    ]
    assert told.one("dl").text == card.one("dl").text


@pytest.mark.parametrize("kind", VALID)
def test_every_kind_wants_a_reason(cast: Cast, silent_itcare: Silent, kind: str) -> None:
    source(cast.service)
    row = target(cast.service, status="INACTIVE" if kind == "start" else "ACTIVE")
    said = refused(cast, silent_itcare, kind, row, {"reason": "  "})
    assert said == {"reason": "Say why: the approver decides on it."}


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("resize", {"sizing": "2cpu4gb"}, {"sizing": NO_SIZE}),
        ("resize", {"sizing": "3cpu3gb"}, {"sizing": NO_SIZE}),
        ("resize", {"sizing": ""}, {"sizing": "Choose the new size."}),
        ("enable_ha", {"replication_lag": "0"}, {"replication_lag": LAG}),
        ("enable_ha", {"replication_lag": "501"}, {"replication_lag": LAG}),
        ("enable_ha", {"replication_lag": "1.5"}, {"replication_lag": "The lag is a whole number of MB."}),
        ("enable_ha", {"replication_lag": ""}, {"replication_lag": "Give the allowed lag, 1 to 500 MB."}),
        (
            "update_patch_party",
            {"exclusion_reason": " "},
            {"exclusion_reason": "Say why it is left out: ITCare asks for it."},
        ),
        (
            "update_patch_party",
            {"excluded": "false", "patch_group": "4"},
            {"patch_group": "There are the groups 1, 2 and 3."},
        ),
        ("update_patch_party", {"excluded": ""}, {"excluded": "Choose whether the cluster takes part."}),
        (
            "update_patch_party",
            {"exclusion_reason": "x" * 501},
            {"exclusion_reason": "At most 500 characters; these are 501."},
        ),
        ("update_patch_party", {"excluded": "maybe"}, {"excluded": "Choose whether the cluster takes part."}),
        (
            "install_extension",
            {"dbname": "other"},
            {"dbname": "The cluster has no such database: choose one from the list."},
        ),
        (
            "install_extension",
            {"extensions": ["hstore", "plperlu"]},
            {"extensions": "ITCare does not offer this extension for the cluster: choose from the list."},
        ),
        ("install_extension", {"extensions": []}, {"extensions": "Choose at least one extension."}),
        ("upgrade", {"target_version": "18"}, {"target_version": NO_VERSION}),
        ("upgrade", {"target_version": "16"}, {"target_version": NO_VERSION}),
        ("upgrade", {"target_version": "15"}, {"target_version": NO_VERSION}),
        ("delete", {"confirm_name": "target02"}, {"confirm_name": NOT_ITS_NAME}),
        ("delete", {"confirm_name": "TARGET01"}, {"confirm_name": NOT_ITS_NAME}),
        ("delete", {"confirm_name": ""}, {"confirm_name": TYPE_IT}),
        ("restore", {"confirm_name": "cluster00002"}, {"confirm_name": NOT_ITS_NAME}),
        ("restore", {"confirm_name": ""}, {"confirm_name": TYPE_IT}),
        ("restore", {"stop": "NEAR"}, {"stop": "Choose before or after."}),
        (
            "restore",
            {"timestamp": "yesterday"},
            {"timestamp": "This is no moment: give day and time, such as 2026-11-02 09:32:02."},
        ),
        (
            "restore",
            {"timestamp": "2026-11-31T10:00:00"},
            {"timestamp": "This is no moment: give day and time, such as 2026-11-02 09:32:02."},
        ),
        ("restore", {"timestamp": ""}, {"timestamp": "Give the moment to go back to."}),
        ("restore", {"timestamp": ago(hours=-1)}, {"timestamp": "This moment has not come yet."}),
        (
            "restore",
            {"timestamp": ago(days=7, minutes=1)},
            {"timestamp": "This is more than 7 days ago: the backup does not reach that far."},
        ),
    ],
)
def test_each_rule_has_its_sentence_at_its_field(
    cast: Cast, silent_itcare: Silent, kind: str, values: Values, said: dict[str, str]
) -> None:
    source(cast.service)
    assert refused(cast, silent_itcare, kind, target(cast.service), values) == said


@pytest.mark.parametrize("values", [{}, {"excluded": "false"}])
def test_a_patch_group_is_for_one_node_only(cast: Cast, silent_itcare: Silent, values: Values) -> None:
    row = target(cast.service, node_count=3, topology="HA")
    page = opened(cast.developer, address("update_patch_party", row)).page
    assert page.all("select", name="patch_group") == []
    said = refused(cast, silent_itcare, "update_patch_party", row, {"patch_group": "1", **values})
    assert said == {"": "The patch group can only be chosen where there is one node."}


@pytest.mark.parametrize(
    "fields",
    [
        {"backup_status": False},
        {"backup_status": None},
        {"status": "INACTIVE"},
        {"version": "15"},
        {"gone_at": datetime.now(UTC)},
    ],
)
def test_a_source_must_be_backed_up_active_and_of_the_same_version(
    cast: Cast, silent_itcare: Silent, fields: dict[str, object]
) -> None:
    source(cast.service, **fields)
    said = refused(cast, silent_itcare, "restore", target(cast.service), {})
    assert said == {"source_id": "This cluster's backup cannot be used: choose one from the list."}


def test_the_data_of_another_team_cannot_be_restored_into_a_cluster(cast: Cast, silent_itcare: Silent) -> None:
    other = source(cast.other_service)
    row = target(cast.service)
    said = refused(cast, silent_itcare, "restore", row, {})
    assert said == {"source_id": "This cluster's backup cannot be used: choose one from the list."}
    assert other.name not in opened(cast.developer, address("restore", row)).page.text


@pytest.mark.parametrize(
    ("from_production", "into_production", "days"), [(True, True, 14), (True, False, 7), (False, True, 7)]
)
def test_the_window_is_the_stricter_of_both_services(
    cast: Cast, silent_itcare: Silent, *, from_production: bool, into_production: bool, days: int
) -> None:
    service = production(cast)
    source(service if from_production else cast.service)
    row = target(service if into_production else cast.service)
    said = refused(cast, silent_itcare, "restore", row, {"timestamp": ago(days=days, minutes=1)})
    assert said == {"timestamp": f"This is more than {days} days ago: the backup does not reach that far."}
    asked(cast.developer, "restore", row, {**valid("restore"), "timestamp": ago(days=days, minutes=-1)})


def test_stopping_wants_the_name_in_production_only(cast: Cast, silent_itcare: Silent) -> None:
    calm, serious = target(cast.service), cluster(production(cast), 2, read_at=datetime.now(UTC), name="serious01")
    assert opened(cast.developer, address("stop", calm)).page.all("input", name="confirm_name") == []
    assert len(opened(cast.developer, address("stop", serious)).page.all("input", name="confirm_name")) == 1
    assert refused(cast, silent_itcare, "stop", serious, {"confirm_name": ""}) == {"confirm_name": TYPE_IT}
    asked(cast.developer, "stop", calm, {"confirm_name": ""})
    asked(cast.developer, "stop", serious, {})


@pytest.mark.parametrize(
    ("of_service", "of_cluster", "wanted"),
    [
        ("PRODUCTION", "PRODUCTION", 1),
        ("PRODUCTION", "QA", 1),
        ("PRODUCTION", "", 1),
        ("QA", "PRODUCTION", 1),
        ("", "PRODUCTION", 1),
        # Nobody told: as in production.
        ("", "", 1),
        ("", "QA", 0),
        ("QA", "", 0),
        ("QA", "QA", 0),
    ],
)
def test_stopping_wants_the_name_where_anything_says_production_or_nothing_says_what_it_is(
    cast: Cast, silent_itcare: Silent, of_service: str, of_cluster: str, wanted: int
) -> None:
    Service.objects.filter(pk=cast.service.pk).update(environment=of_service)
    row = target(cast.service, environment=of_cluster)
    assert len(opened(cast.developer, address("stop", row)).page.all("input", name="confirm_name")) == wanted
    if wanted:
        assert refused(cast, silent_itcare, "stop", row, {"confirm_name": ""}) == {"confirm_name": TYPE_IT}
    else:
        asked(cast.developer, "stop", row, {"confirm_name": ""})


@pytest.mark.parametrize(
    ("told", "chosen"),
    [
        # Where ITCare tells nothing, nothing is chosen beforehand.
        ({"patch_excluded": None}, ([], "", "")),
        ({"patch_excluded": False, "patch_group": "2"}, (["false"], "2", "")),
        ({"patch_excluded": True, "exclusion_reason": "We <patch> it."}, (["true"], "", "We <patch> it.")),
    ],
)
def test_the_form_of_patching_begins_with_what_holds_now(
    cast: Cast, told: dict[str, object], chosen: tuple[list[str], str, str]
) -> None:
    row = target(cast.service, **told)
    page = opened(cast.developer, address("update_patch_party", row)).page
    radios = [each.attributes["value"] for each in page.all("input", name="excluded") if "checked" in each.attributes]
    (group,) = [each.attributes["value"] for each in page.all("option") if "selected" in each.attributes] or [""]
    reason = page.one("input", name="exclusion_reason")
    assert (radios, group, reason.attributes.get("value", "")) == chosen
    # It may be needed, so its label does not say "optional".
    assert page.one("label", for_="id_exclusion_reason").text == "Why it is left out"


def test_the_card_of_patching_shows_old_beside_new_where_the_old_is_told(cast: Cast, silent_itcare: Silent) -> None:
    unknown = cluster(cast.service, 3, read_at=datetime.now(UTC))
    left_out = target(cast.service, patch_excluded=True, exclusion_reason="We patch it.", patch_group="1")
    values: Values = {"excluded": "true", "exclusion_reason": "Its users do."}
    patching, why = {"label": "Patching", "new": "Is left out"}, {"label": "Why it is left out", "new": "Its users do."}
    assert asked(cast.developer, "update_patch_party", unknown, values).shown == [
        {**patching, "old": ""},
        {**why, "old": ""},
    ]
    assert asked(cast.developer, "update_patch_party", left_out, values).shown == [
        {**patching, "old": "Is left out"},
        {**why, "old": "We patch it."},
    ]
    assert asked(cast.developer, "update_patch_party", left_out, {"excluded": "false", "patch_group": "3"}).shown == [
        {"label": "Patching", "new": "Takes part", "old": "Is left out"},
        {"label": "Patch group", "new": "3", "old": "1"},
    ]
