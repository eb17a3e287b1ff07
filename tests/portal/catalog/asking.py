"""What tests of the catalogue share: clusters here and at the stand-in, and asking and approving by the pages."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from portal.accounts.models import User
from portal.changes.models import Change
from portal.inventory import reading
from portal.inventory.models import Cluster, Grant, Service
from portal.operations.models import Operation
from portal.upstream.client import client
from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Element, Page
from tests.sandbox_server import Sandbox

# What a form sends: a list is a field that is sent several times.
Values = dict[str, str | list[str]]
# Upstream numbers of a cluster that is changed, and of one whose backup is read.
TARGET, SOURCE = 1234, 5678


def ago(**span: float) -> str:
    """A moment, as a script would spell it."""
    return (datetime.now(UTC) - timedelta(**span)).isoformat(timespec="seconds")


RESTORE: Values = {"source_id": str(SOURCE), "stop": "BEFORE", "timestamp": ago(hours=1)}


@dataclass(frozen=True)
class Answer:
    """What a browser got."""

    status: int
    location: str
    page: Element

    @property
    def problems(self) -> list[str]:
        """What the page says is wrong with no field in particular."""
        return [each.text for box in self.page.all(id="form-errors") for each in box.all("p")][:-1]

    @property
    def notes(self) -> list[str]:
        """What the page says in its middle, but for its banners."""
        main = self.page.one("main")
        banners = [id(note) for box in main.with_class("banners") for note in box.with_class("note")]
        return [note.text for note in main.with_class("note") if id(note) not in banners]


def placed(upstream: Sandbox, service: Service, number: int, **fields: object) -> Cluster:
    """A cluster at the stand-in, read into the inventory with its parts."""
    told = upstream.place_cluster(number, service_id=service.upstream_id, **fields)
    row = Cluster.objects.create(upstream_id=number, name=told["name"], service=service)
    reading.read_cluster(client(), row)
    return Cluster.objects.select_related("service").get(pk=row.pk)


def production(cast: Cast) -> Service:
    """A service of team alpha in production, which the stand-in has too."""
    service = Service.objects.create(upstream_id=125, name="ACME - BILLING - PROD", environment="PRODUCTION")
    Grant.objects.create(team=cast.alpha, service=service)
    return service


def address(kind: str, cluster: Cluster | None) -> str:
    """Where the form is."""
    return f"/requests/new/{kind}/" + (f"?cluster={cluster.pk}" if cluster else "")


def ask(user: User, kind: str, cluster: Cluster | None, values: Values) -> Answer:
    """Fill the form in and file it at once; the name is typed where nothing else is said."""
    known: Values = {"form_token": str(uuid.uuid4()), "reason": "A test needs it.", "send": "now"}
    if cluster:
        known["confirm_name"] = cluster.name
    return posted(user, address(kind, cluster), {**known, **values})


def posted(user: User, where: str, values: Values) -> Answer:
    """Send a form."""
    answer = signed_in(user).post(where, values)
    return Answer(answer.status_code, answer.get("Location", ""), Page.of(answer.content))


def opened(user: User, where: str) -> Answer:
    """Open a page."""
    answer = signed_in(user).get(where)
    return Answer(answer.status_code, "", Page.of(answer.content))


def asked(user: User, kind: str, cluster: Cluster | None, values: Values) -> Change:
    """Ask; answers the request that waits now."""
    answer = ask(user, kind, cluster, values)
    assert answer.status == 303, answer.page.text
    change = Change.objects.get(pk=int(answer.location.strip("/").rpartition("/")[2]))
    assert (change.state, change.kind) == ("pending", kind)
    return change


def approve(user: User, change: Change) -> Answer:
    """Agree by the page."""
    return posted(user, f"{change.get_absolute_url()}approve/", {"comment": ""})


def approved(cast: Cast, kind: str, cluster: Cluster | None, values: Values) -> Operation:
    """Ask and agree; answers the operation that is queued now."""
    change = asked(cast.developer, kind, cluster, values)
    answer = approve(cast.approver, change)
    assert answer.status == 303, answer.page.text
    return Operation.objects.get(change=change)
