"""Whatever ITCare tells is text: it is shown as it came, runs nothing, and leads nowhere that it should not."""

import pytest
from django.utils import timezone

from portal.home.cluster_page import PARTS
from portal.inventory.models import Attachment, Cluster, Database, Extension, Network, Node, Part, Service
from portal.operations.models import Action, ActionMessage, Attempt, Operation
from portal.operations.states import Proof, State
from tests.browsing import signed_in
from tests.cast import Cast, cluster, queued
from tests.markup import Element, Page

SCRIPT = "<script>alert('x')</script>"
MARKUP = '"><img src=x onerror=alert(1)>{{ 7|add:7 }}'


def page_of(cast: Cast, address: str) -> Element:
    answer = signed_in(cast.developer).get(address)
    assert answer.status_code == 200
    return Page.of(answer.content)


def harmless(page: Element) -> bool:
    """Whether nothing of the page runs but the portal's own files."""
    ours = all(script.attributes.get("src", "").startswith("/static/") for script in page.all("script"))
    handlers = [name for element in page.all() for name in element.attributes if name.startswith("on")]
    return ours and not handlers and not page.all("img") and not page.all("iframe")


@pytest.fixture
def hostile(cast: Cast) -> Cluster:
    """A cluster whose every text is hostile."""
    texts = {
        field.name: (SCRIPT if number % 2 else MARKUP)[: field.max_length or None]
        for number, field in enumerate(Cluster._meta.concrete_fields)
        if field.get_internal_type() in {"CharField", "TextField"}
    }
    found = cluster(cast.service, 1, **{**texts, "read_at": timezone.now(), "parts_read_at": timezone.now()})
    Service.objects.filter(pk=cast.service.pk).update(name=SCRIPT, environment=MARKUP[:40])
    for text in (SCRIPT, MARKUP):
        Node.objects.create(cluster=found, name=text, status=text[:40], ip_address=text[:64], zone=text, os_name=text)
        Database.objects.create(cluster=found, name=text)
        Extension.objects.create(cluster=found, name=text, version=text, comment=text, link=text)
        Attachment.objects.create(cluster=found, name=text, cidr=text[:64], gateway=text[:64], ip_address=text[:64])
    for number, text in enumerate((SCRIPT, MARKUP), 1):
        action = Action.objects.create(upstream_id=number, cluster=found, status=text[:40], submitted_by=text)
        ActionMessage.objects.create(action=action, text=text)
    for name in PARTS:
        Part.objects.create(cluster=found, name=name, read_at=timezone.now(), failed=SCRIPT + MARKUP)
    return found


def test_a_cluster_is_shown_as_it_was_told_and_nothing_of_it_runs(cast: Cast, hostile: Cluster) -> None:
    page = page_of(cast, hostile.get_absolute_url())
    assert harmless(page)
    assert page.one("main").text.count(SCRIPT) >= 5
    assert page.one("main").text.count(MARKUP) >= 5
    for part in PARTS:
        page = page_of(cast, f"{hostile.get_absolute_url()}{part}/")
        assert harmless(page)
        assert (SCRIPT in page.one("main").text, MARKUP in page.one("main").text) == (True, True), part


def test_neither_does_it_run_in_lists_and_choices(cast: Cast, hostile: Cluster) -> None:
    Network.objects.create(upstream_id=7, name=SCRIPT, description=MARKUP, cidr="<b>", area='EB" onclick="x')
    for address in ("/", "/clusters/", "/clusters/?q=script", "/requests/new/create/"):
        assert harmless(page_of(cast, address))
    form = page_of(cast, "/requests/new/create/")
    (option,) = form.one("select", name="network_id").all("option", value="7")
    assert option.text == f'{SCRIPT}, {MARKUP}, <b>, EB" onclick="x'
    assert option.attributes["data-for-area"] == 'EB" onclick="x'


def test_no_line_to_copy_is_made_of_a_hostile_host(cast: Cast, hostile: Cluster) -> None:
    assert page_of(cast, hostile.get_absolute_url()).all("pre") == []
    for host in ("db.example'; rm -rf /", "$(reboot)", "`id`", "a b", "", "db\n"):
        Cluster.objects.update(url=host)
        assert page_of(cast, hostile.get_absolute_url()).all("pre") == []
    Cluster.objects.update(url="newpostgre01.pg.cegedim.cloud", tls_enabled=True)
    line, *others = page_of(cast, hostile.get_absolute_url()).all("pre")
    assert line.text == 'psql "host=newpostgre01.pg.cegedim.cloud port=5432 dbname=postgres sslmode=verify-full"'
    assert len(others) == 3


@pytest.mark.parametrize(
    ("link", "clickable"),
    [
        ("https://www.postgresql.org/docs/16/hstore.html", True),
        ("http://pgvector.example", False),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("data:text/html,<script>alert(1)</script>", False),
        ("//evil.example", False),
        ("vbscript:x", False),
        ("", False),
    ],
)
def test_only_a_link_to_a_web_page_can_be_clicked(cast: Cast, link: str, clickable: bool) -> None:  # noqa: FBT001 - the table's
    shown = cluster(cast.service, 1, read_at=timezone.now())
    Extension.objects.create(cluster=shown, name="hstore", version="1.8", link=link)
    page = page_of(cast, f"{shown.get_absolute_url()}extensions/").one("main")
    links = [anchor.attributes["href"] for anchor in page.all("a") if anchor.text == "hstore"]
    assert links == ([link] if clickable else [])
    assert [cell.text for cell in page.all("td")] == ["hstore", "", "1.8", ""]
    Database.objects.create(cluster=shown, name="app")
    form = page_of(cast, f"/requests/new/install_extension/?cluster={shown.pk}").one(id="id_extensions")
    offered = [(anchor.text, anchor.attributes["href"], anchor.attributes["rel"]) for anchor in form.all("a")]
    assert offered == ([("About hstore", link, "noreferrer noopener")] if clickable else [])


def test_the_messages_of_an_action_are_text(cast: Cast) -> None:
    operation = queued(cast.developer, cast.approver)
    Attempt.objects.create(
        operation=operation, number=1, fence=1, proof=Proof.REFUSED, ended_at=timezone.now(), message=SCRIPT
    )
    action = Action.objects.create(upstream_id=77, operation=operation, submitted_by=SCRIPT, process=MARKUP)
    for text, status in ((SCRIPT, "IN_PROGRESS"), (MARKUP, "ERROR"), ("", "<b>WHO KNOWS</b>")):
        ActionMessage.objects.create(action=action, text=text, status=status, said_at=timezone.now())
    states: list[tuple[State, dict[str, object]]] = [
        (State.QUEUED, {}),
        (State.RUNNING, {"upstream_action_id": 77, "last_proof": Proof.ACCEPTED}),
        (State.UNCLEAR, {"last_proof": Proof.UNKNOWN}),
    ]
    for state, values in states:
        Operation.objects.update(state=state, password=None, message=SCRIPT, **values)
        page = page_of(cast, operation.get_absolute_url())
        assert harmless(page)
        story = page.with_class("timeline")[0].text
        assert all(text in story for text in (SCRIPT, MARKUP, "<b>WHO KNOWS</b>"))
        assert harmless(page_of(cast, "/operations/"))
        assert harmless(page_of(cast, operation.change.get_absolute_url()))
