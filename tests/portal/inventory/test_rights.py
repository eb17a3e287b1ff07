"""Who sees which services and clusters, who may ask and decide, and how teams get services."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.catalog.kinds import KINDS
from portal.changes import decide, submit
from portal.inventory import lists
from portal.inventory.models import Area, Cluster, Grant, Network, Region, Service, Sync
from portal.operations import send
from portal.operations.models import Operation
from portal.upstream.client import client
from tests.cast import Cast, cluster, draft, form_data
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db

BOTH, ALPHA, BETA, NONE = {123, 201}, {123}, {201}, set[int]()
# Who, and the services that they see, may ask for, and decide on.
RIGHTS = [
    ("developer", ALPHA, ALPHA, NONE),
    ("colleague", ALPHA, ALPHA, NONE),
    ("stranger", BETA, BETA, NONE),
    ("approver", ALPHA, NONE, ALPHA),
    ("approver2", BOTH, NONE, BOTH),
    ("support", BOTH | {999}, NONE, NONE),
    ("administrator", BOTH | {999}, NONE, NONE),
]


def grant(*words: str) -> str:
    out = StringIO()
    call_command("grant_service", *words, stdout=out)
    return out.getvalue().strip()


@pytest.mark.parametrize(("who", "sees", "asks", "decides"), RIGHTS)
def test_what_each_person_sees_asks_and_decides(
    cast: Cast, who: str, sees: set[int], asks: set[int], decides: set[int]
) -> None:
    nobodys = Service.objects.create(upstream_id=999)
    for number, service in enumerate((cast.service, cast.other_service, nobodys)):
        cluster(service, number)
    orphan = cluster(cast.service, 7)
    Cluster.objects.filter(pk=orphan.pk).update(service=None)
    user: User = getattr(cast, who)

    def numbers(services: object) -> set[int]:
        return {service.upstream_id for service in services}  # type: ignore[attr-defined]

    def told() -> tuple[set[int], set[int], set[int]]:
        every = Service.objects
        return numbers(every.visible_to(user)), numbers(every.askable_by(user)), numbers(every.decidable_by(user))

    assert told() == (sees, asks, decides)
    clusters = {row.service and row.service.upstream_id for row in Cluster.objects.visible_to(user)}
    assert clusters == sees | ({None} if 999 in sees else set())
    user.is_active = False
    user.save()
    assert told() == (NONE, NONE, NONE)
    assert not Cluster.objects.visible_to(user).exists()


def test_a_team_is_given_services_also_unknown_ones(cast: Cast) -> None:
    assert grant("beta", "123", "777") == "Team Beta: 2 granted, 0 already were."
    assert grant("beta", "123", "201", "778") == "Team Beta: 1 granted, 2 already were."
    askable = set(Service.objects.askable_by(cast.stranger).values_list("upstream_id", flat=True))
    assert askable == {123, 201, 777, 778}
    made = Entry.objects.filter(verb="grant.made").values_list("subject", "service_id")
    assert list(made) == [
        (f"Team Beta: {service}", service.pk)
        for service in (Service.objects.get(upstream_id=number) for number in (123, 777, 778))
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [(["nobody", "123"], "No team"), (["beta", "555", "0"], "positive"), (["beta", "9223372036854775808"], "at most")],
)
def test_a_wrong_grant_grants_nothing(cast: Cast, words: list[str], said: str) -> None:
    before = Grant.objects.count()
    with pytest.raises(CommandError, match=said):
        grant(*words)
    assert (Grant.objects.count(), Service.objects.filter(upstream_id=555).count()) == (before, 0)


@pytest.mark.django_db(transaction=True)
def test_a_granted_service_gets_its_name_when_it_is_read(cast: Cast, small: Sandbox) -> None:
    grant("beta", "125")
    assert str(Service.objects.get(upstream_id=125)) == "Service 125"
    lists.sync_lists(client())
    assert str(Service.objects.get(upstream_id=125)) == "ACME - BILLING - PROD"


@pytest.mark.django_db(transaction=True)
def test_without_the_guessed_lists_a_cluster_can_be_asked_for_and_made(
    cast: Cast, start: Callable[..., Sandbox]
) -> None:
    for model in (Network, Area, Region, Sync):
        model.objects.all().delete()
    server = start(without="services,networks,regions")
    grant("alpha", "124")
    lists.sync_lists(client())
    form = KINDS["create"].form(form_data(service_id="124", network_id="133"), user=cast.developer)
    assert form.is_valid(), form.errors
    change = draft(cast.developer, service_id="124", network_id="133")
    submit.submit(change, cast.developer)
    send.send(decide.approve(change, cast.approver, "").pk)
    assert Operation.objects.get().state == "running"
    (write,) = server.writes()
    assert (write["body"]["serviceId"], write["body"]["networkId"], write["body"]["area"]) == (124, 133, "EB-QA")


def test_a_revision_tells_of_all_that_a_decision_rests_on(cast: Cast) -> None:
    row = cluster(cast.service, 1)
    seen = row.revision
    moved: dict[str, object] = {
        "name": "another01",
        "upstream_id": 7,
        "version": "17",
        "sizing": "8cpu16gb",
        "topology": "HA",
        "service": cast.other_service,
        "storage": 80,
    }
    revisions = set()
    for name, value in moved.items():
        other = Cluster.objects.get()
        setattr(other, name, value)
        revisions.add(other.revision)
    assert len(revisions | {seen}) == len(moved) + 1
    row.status = "INACTIVE"
    assert row.revision == seen
