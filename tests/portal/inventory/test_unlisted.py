"""What ITCare no longer lists is offered no more, once whole lists have been lacking it for long; no row is deleted."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.catalog.create_form import CreateForm
from portal.catalog.kinds import KINDS
from portal.home.verbs import WORDS
from portal.inventory import lists
from portal.inventory.models import Grant, Network, Service, Sync
from portal.upstream.client import client
from tests.cast import Cast
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

SERVICE, NETWORK = 123, 132
PATHS = {"services": "/compute/services", "networks": "/networks"}


def read_lists() -> None:
    """Read all lists, as if each were due."""
    Sync.objects.update(look_at=Now())
    lists.sync_lists(client())


def answers(name: str, status: int, body: object = None) -> dict[str, Any]:
    return {
        "match": {"method": "GET", "path": PATHS[name]},
        "fault": {"kind": "refuse", "status": status, "body": body},
    }


def whole(*numbers: int, **more: object) -> dict[str, Any]:
    """A list as ITCare pages it, of rows with these numbers and names."""
    content = [{"id": number, "name": f"Row {number}", "technicalId": f"Row {number}"} for number in numbers]
    told = {"totalElements": len(content), "totalPages": 1, "number": 0, "size": 200, "last": True}
    return {"content": content, **told, **more}


def a_day_passes() -> None:
    for model in (Service, Network):
        model._default_manager.filter(missed_at__isnull=False).update(missed_at=Now() - lists.UNLISTED_AFTER)


def offered(user: User) -> tuple[bool, bool]:
    """Whether the form offers the service, and the network."""
    fields: dict[str, Any] = CreateForm(user=user).fields
    if not hasattr(fields["network_id"], "choices"):
        return SERVICE in dict(fields["service_id"].choices), False
    return SERVICE in dict(fields["service_id"].choices), NETWORK in dict(fields["network_id"].choices)


@pytest.fixture
def known(cast: Cast, small: Sandbox) -> Sandbox:
    """Lists that were read; the service is the developer's."""
    read_lists()
    assert offered(cast.developer) == (True, True)
    return small


def test_what_whole_lists_lack_for_a_day_is_offered_no_more_and_again_when_it_is_listed(
    cast: Cast, known: Sandbox
) -> None:
    services, networks = Service.objects.count(), Network.objects.count()
    known.set_faults(answers("services", 200, whole(124)), answers("networks", 200, whole(142)))
    read_lists()
    assert offered(cast.developer) == (True, True)
    read_lists()
    assert offered(cast.developer) == (True, True)
    a_day_passes()
    read_lists()
    assert offered(cast.developer) == (False, False)
    assert (Service.objects.count(), Network.objects.count()) == (services, networks)
    assert Grant.objects.filter(service__upstream_id=SERVICE, team=cast.alpha).exists()
    told = Entry.objects.filter(verb__endswith=".unlisted")
    assert (told.filter(verb="service.unlisted").count(), told.filter(verb="network.unlisted").count()) == (
        services - 1,
        networks - 1,
    )
    assert set(told.values_list("verb", flat=True)) <= set(WORDS)
    read_lists()
    assert told.count() == services + networks - 2
    known.set_faults()
    read_lists()
    assert offered(cast.developer) == (True, True)
    assert Service.objects.filter(missed_at__isnull=False).count() == 0


@pytest.mark.parametrize(
    "body",
    [
        whole(),
        None,
        whole(1, totalElements=5, last=False),
        whole(1, totalElements=5),
        {"content": [{"id": 1}, {"id": "odd"}]},
    ],
)
def test_an_empty_or_partial_list_takes_nothing_away(cast: Cast, known: Sandbox, body: object) -> None:
    known.set_faults(answers("services", 200, body), answers("networks", 200, body))
    for _ in range(3):
        read_lists()
        a_day_passes()
    assert offered(cast.developer) == (True, True)
    assert [model._default_manager.filter(missed_at__isnull=False).count() for model in (Service, Network)] == [0, 0]


@pytest.mark.parametrize("status", [403, 500])
def test_a_list_that_cannot_be_read_leaves_it_as_it_was(cast: Cast, known: Sandbox, status: int) -> None:
    Service.objects.filter(upstream_id=SERVICE).update(missed_at=Now(), unlisted_at=Now())
    known.set_faults(answers("services", status), answers("networks", status))
    read_lists()
    assert offered(cast.developer) == (False, True)


def test_without_the_guessed_lists_what_they_lacked_before_does_not_count(cast: Cast, known: Sandbox) -> None:
    for model in (Service, Network):
        model._default_manager.update(missed_at=Now(), unlisted_at=Now())
    assert offered(cast.developer) == (False, False)
    known.set_faults(answers("services", 404), answers("networks", 404))
    read_lists()
    assert offered(cast.developer) == (True, True)


def test_what_was_never_listed_is_no_miss(cast: Cast, known: Sandbox) -> None:
    Service.objects.create(upstream_id=77, name="Named by a cluster")
    read_lists()
    assert Service.objects.get(upstream_id=77).missed_at is None


@pytest.mark.parametrize(
    ("unlist", "sentence"),
    [
        (Service.objects.filter, "ITCare does not list the service any more."),
        (Network.objects.filter, "ITCare does not list the network any more."),
    ],
)
def test_it_stands_in_the_way_of_what_was_asked_before(
    cast: Cast, known: Sandbox, unlist: Callable[..., Any], sentence: str
) -> None:
    parameters = {"name": "wanted01", "network_id": NETWORK, "service_id": SERVICE}
    assert KINDS["create"].broken(parameters, None, Service.objects.get(upstream_id=SERVICE)) == []
    unlist(upstream_id__in=[SERVICE, NETWORK]).update(missed_at=Now(), unlisted_at=Now())
    assert KINDS["create"].broken(parameters, None, Service.objects.get(upstream_id=SERVICE)) == [sentence]


@pytest.mark.parametrize("model", [Service, Network])
def test_nothing_is_unlisted_that_was_not_missed(known: Sandbox, model: type[Service] | type[Network]) -> None:
    with pytest.raises(IntegrityError, match="missed_before_unlisted"):
        model._default_manager.update(unlisted_at=Now())
