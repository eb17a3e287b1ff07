"""Every call of the client against the stand-in ITCare over HTTP, both directions held against the contract."""

import json
from collections.abc import Callable, Iterator

import pytest

from portal.itcare import Client, Conflict, MemoryTokens, NotFound, Refused, Timeouts, Token, Unclear, fetch_token
from portal.itcare.transport import Call, Failure, Reply, Transport
from portal.sealing import SecretText
from tests.contracts.openapi import check_exchange
from tests.sandbox_server import Sandbox, start, until

PASSWORD = "Test123@2022"
ORDER = {
    "productCode": "deb12pg16",
    "name": "newpostgre01",
    "nodeSizing": "2cpu4gb",
    "diskSize": 40,
    "admPassword": SecretText(PASSWORD),
    "serviceId": 123,
    "networkId": 132,
    "topology": "STANDALONE",
    "trigram": "tri",
    "allowedReplicationLag": 10,
    "area": "EB-QA",
    "az": "EB-A",
    "tls": True,
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with start(tmp_path_factory.mktemp("sandbox"), clusters=450, speed=200) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox, exchanges: list[tuple[Call, Reply]]) -> Client:
    return connect(sandbox)


def connect(sandbox: Sandbox) -> Client:
    timeouts = Timeouts(connect=5, read=10, total=10)

    def fetch() -> Token:
        return fetch_token(
            token_url=sandbox.token_url,
            client_id=sandbox.client_id,
            client_secret=SecretText(sandbox.client_secret),
            timeouts=timeouts,
        )

    return Client(base_url=sandbox.base_url, tokens=MemoryTokens(fetch), timeouts=timeouts)


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Call, Reply]]]:
    """Record what goes over the wire, and hold all of it against the contract in the end."""
    seen: list[tuple[Call, Reply]] = []
    send: Callable[..., Reply | Failure] = Transport.exchange

    def recording(transport: Transport, call: Call, **options: object) -> Reply | Failure:
        outcome = send(transport, call, **options)
        if isinstance(outcome, Reply) and call.path:
            seen.append((call, outcome))
        return outcome

    monkeypatch.setattr(Transport, "exchange", recording)
    yield seen
    assert seen
    for call, reply in seen:
        body = None if call.body is None else json.loads(call.body)
        check_exchange(call.method, call.path, body, reply.status, reply.headers, reply.body)


def test_every_read_is_understood(client: Client, exchanges: list[tuple[Call, Reply]]) -> None:
    listing = client.resources()
    assert (listing.complete, len(listing)) == (True, 450)
    # Three pages: the client has to put them together.
    assert len(exchanges) == 3
    summary = listing.items[0]
    assert summary.id is not None
    number = summary.path_ids[0]
    cluster = client.cluster(number)
    assert (cluster.name, cluster.internal_resource_id, cluster.id) == (summary.name, number, summary.id)
    assert cluster.storage is not None
    assert cluster.creation_time is not None
    assert len(client.nodes(number)) == cluster.node_count
    assert client.databases(number)
    assert client.extensions(number)
    assert [network.id for network in client.networks_of(number)] == [cluster.network_id]
    assert client.versions(number)
    services, networks, regions = client.services(), client.networks(), client.regions()
    assert (services.complete, networks.complete) == (True, True)
    assert "ACME - BILLING - DEV" in {service.name for service in services if service.id == 123}
    assert {network.area for network in networks if network.id == 132} == {"EB-QA"}
    assert {area.name for region in regions for area in region.areas} == {"EB", "EB-QA", "ET"}
    assert summary.name is not None
    assert [known.path_ids for known in client.resources(names=[summary.name])] == [summary.path_ids]


def test_an_order_is_followed_to_its_end_and_undone(
    client: Client, sandbox: Sandbox, exchanges: list[tuple[Call, Reply]]
) -> None:
    before = client.actions().server_time
    assert before is not None
    accepted = client.create(ORDER)
    assert accepted.action is not None
    assert (accepted.finished, accepted.action.running) == (False, True)
    number = accepted.action.id
    until(lambda: client.action(number).succeeded)
    (found,) = client.actions(resource_name="newpostgre01", statuses=["SUCCESS"])
    assert (found.id, found.resource_name, found.submitted_by) == (number, "newpostgre01", sandbox.client_id)
    (summary,) = client.resources(names=["newpostgre01"])
    assert summary.status == "ACTIVE"
    with pytest.raises(Conflict):
        client.create(ORDER)
    removal = client.delete(summary.path_ids[0])
    assert removal.action is not None
    ending = removal.action.id
    until(lambda: client.action(ending).succeeded)
    with pytest.raises(NotFound):
        client.cluster(summary.path_ids[0])
    writes = [(write["method"], write["path"]) for write in sandbox.writes()]
    path = f"/databases/postgresql/{summary.path_ids[0]}"
    assert writes == [("POST", "/databases/postgresql")] * 2 + [("DELETE", path)]
    assert sandbox.writes()[0]["body"] == {**ORDER, "admPassword": PASSWORD}
    assert len(exchanges) > 5


def test_what_the_sandbox_refuses_names_the_field(client: Client) -> None:
    with pytest.raises(Refused) as caught:
        client.create({**ORDER, "name": "otherone", "networkId": 999_999})
    assert (caught.value.status, caught.value.field) == (422, "networkId")
    assert caught.value.upstream_message


def test_faults_are_seen_for_what_they_are(sandbox: Sandbox) -> None:
    client = connect(sandbox)
    expected = {"drop": Unclear, "drop_before": Unclear}
    for kind, error in expected.items():
        sandbox.set_faults({"match": {"method": "POST"}, "times": 1, "fault": {"kind": kind}})
        with pytest.raises(error):
            client.create({**ORDER, "name": f"fault{kind.replace('_', '')}"})
    sandbox.set_faults({"match": {"method": "POST"}, "times": 1, "fault": {"kind": "empty"}})
    accepted = client.create({**ORDER, "name": "faultempty"})
    assert (accepted.status, accepted.action) == (202, None)
    sandbox.set_faults()
    # Dropped after the deed and before it look alike to the client; the list tells them apart.
    names = {known.name for known in client.resources(names=["faultdrop", "faultdropbefore", "faultempty"])}
    assert names == {"faultdrop", "faultempty"}


def test_a_token_that_ends_early_is_renewed(sandbox: Sandbox, client: Client) -> None:
    client.regions()
    sandbox.end_tokens()
    assert client.regions()


def test_guessed_lists_may_be_missing(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("bare")
    with start(folder, clusters=1, without="services,networks,regions") as bare:
        client = connect(bare)
        for ask in (client.services, client.networks, client.regions):
            with pytest.raises(NotFound):
                ask()
