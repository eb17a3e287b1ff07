"""Reads: repeated within a budget, understood calmly, and honest about what they could not see."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from portal.itcare import (
    Assumptions,
    Client,
    Forbidden,
    ItcareError,
    NotFound,
    Paused,
    Refused,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unreadable,
)
from tests.portal.itcare.conftest import Setting
from tests.portal.itcare.scripted import Answer, answer, cut, drip, drop, scripted, silence

CLUSTER = {"id": 1, "internalResourceId": 7, "name": "newpostgre01", "version": 16, "storage": 40, "tlsEnabled": True}
LATE = "ITCare did not answer in time."
BROKEN = "ITCare's answer broke off."
RESOURCE = {"id": 1, "internalResourceId": 7, "name": "newpostgre01", "path": "/databases/postgresql"}


def page(*content: object, number: int = 0, total: int | None = None, last: bool = True, **more: object) -> bytes:
    told = {"content": list(content), "number": number, "first": number == 0, "last": last, **more}
    return answer(200, {**told, "totalElements": len(content) if total is None else total})


def failure_of(client: Client) -> ItcareError:
    with pytest.raises(ItcareError) as caught:
        client.cluster(7)
    return caught.value


@pytest.mark.parametrize("trouble", [drop, answer(500), answer(502), answer(503), answer(408), answer(429)])
def test_a_read_is_repeated_with_growing_delays(bench: Setting, trouble: Answer) -> None:
    it = bench(trouble, trouble, answer(200, CLUSTER))
    assert it.client.cluster(7).name == "newpostgre01"
    assert it.slept == [0.5, 1.0]
    assert len({known.headers["x-correlation-id"] for known in it.server.received}) == 1


@pytest.mark.parametrize(
    ("trouble", "kind"), [(drop, Unavailable), (answer(500), Unavailable), (answer(429), Throttled)]
)
def test_a_read_gives_up_after_three_tries(bench: Setting, trouble: Answer, kind: type[ItcareError]) -> None:
    it = bench(trouble)
    assert type(failure_of(it.client)) is kind
    assert len(it.server.received) == 3


def test_the_servers_advice_goes_before_the_own_delay(bench: Setting) -> None:
    it = bench(answer(503, Retry_After="3"), answer(200, CLUSTER))
    it.client.cluster(7)
    assert it.slept == [3.0]


@pytest.mark.parametrize(("seconds", "total"), [(60, 5.0), (9, 30.0), (5, 2.0)])
def test_a_wait_beyond_the_budget_or_the_longest_delay_is_not_begun(bench: Setting, seconds: int, total: float) -> None:
    it = bench(answer(503, Retry_After=str(seconds)), total=total)
    error = failure_of(it.client)
    assert (type(error), error.retry_after, it.slept, len(it.server.received)) == (Unavailable, seconds, [], 1)
    assert [known.status for known in it.noticed] == [503]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(400), Refused),
        (answer(403), Forbidden),
        (answer(404), NotFound),
        (answer(302, Location="http://127.0.0.1:9/"), Unreadable),
        (answer(200, body=b"<html>Sign in</html>"), Unreadable),
        (answer(200, body=b"[" * 100_000), Unreadable),
        (answer(200, []), Unreadable),
        (answer(200, {"errorMessage": "no"}), Unreadable),
        (answer(200), Unreadable),
        (answer(200, body=b"1" * 5000), Unreadable),
    ],
)
def test_what_another_try_would_not_change_is_final(bench: Setting, reply: Answer, kind: type[ItcareError]) -> None:
    it = bench(reply)
    assert (type(failure_of(it.client)), len(it.server.received)) == (kind, 1)


def test_an_answer_that_broke_off_is_asked_for_again(bench: Setting) -> None:
    it = bench(cut(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"name": "new'), answer(200, CLUSTER))
    assert it.client.cluster(7).name == "newpostgre01"


@pytest.mark.parametrize(
    ("endless", "sentence"),
    [
        pytest.param(silence, LATE, id="silent"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), BROKEN, id="headers"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "), BROKEN, id="body of unknown length"),
    ],
)
def test_a_read_ends_at_its_deadline(bench: Setting, endless: Answer, sentence: str) -> None:
    it = bench(endless, total=0.15)
    error = failure_of(it.client)
    assert (type(error), error.sentence) == (Unavailable, sentence)
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_a_read_is_given_less_time_and_never_more(bench: Setting) -> None:
    it = bench(silence, total=5.0)
    started = time.monotonic()
    error = failure_of(it.client.within(0.2))
    assert (type(error), error.sentence, time.monotonic() - started < 2) == (Unavailable, LATE, True)
    it = bench(silence, total=0.1)
    started = time.monotonic()
    error = failure_of(it.client.within(60.0))
    assert (type(error), error.sentence, time.monotonic() - started < 2) == (Unavailable, LATE, True)


def test_a_connection_that_breaks_is_not_called_late(bench: Setting) -> None:
    error = failure_of(bench(drop).client)
    assert (type(error), error.sentence) == (Unavailable, "ITCare does not answer.")


def test_a_refused_token_is_renewed_once(bench: Setting) -> None:
    it = bench(answer(401), answer(200, CLUSTER))
    assert it.client.cluster(7).name == "newpostgre01"
    assert [known.headers["authorization"] for known in it.server.received] == ["Bearer token-1", "Bearer token-2"]
    assert (it.tokens.refusals, [known.status for known in it.noticed]) == (["token-1"], [401])


def test_a_second_refusal_is_for_a_person(bench: Setting) -> None:
    it = bench(answer(401))
    assert type(failure_of(it.client)) is Unauthenticated
    assert (len(it.server.received), it.tokens.refusals) == (2, ["token-1", "token-2"])


def test_a_pause_that_begins_between_tries_does_not_hide_the_reason(bench: Setting) -> None:
    it = bench(answer(503))

    def gate() -> None:
        if it.server.received:
            message = "Later."
            raise Paused(message)

    client = Client(base_url=it.server.url, tokens=it.tokens, gate=gate)
    assert (type(failure_of(client)), len(it.server.received)) == (Unavailable, 1)
    assert type(failure_of(client)) is Paused


def test_a_cluster_is_built_from_known_keys(bench: Setting) -> None:
    strange = {"cpu": True, "ram": 2**70, "serviceId": -1, "status": 5, "comment": "a\ud800\x07b", "unheard": {}}
    dates = {"creationTime": "2025-07-06T11:01:21.000+0200", "releasedAt": "yesterday"}
    cluster = bench(answer(200, {**CLUSTER, **strange, **dates})).client.cluster(7)
    assert (cluster.path_id, cluster.id, cluster.internal_resource_id) == (7, 1, 7)
    assert (cluster.version, cluster.storage, cluster.tls_enabled) == ("16", 40, True)
    assert (cluster.cpu, cluster.ram, cluster.service_id, cluster.status) == (None, None, None, None)
    assert (cluster.comment, cluster.released_at) == ("a b", None)
    assert cluster.creation_time == datetime(2025, 7, 6, 9, 1, 21, tzinfo=UTC)


@pytest.mark.parametrize("wrap", [lambda item: [item], lambda item: {"content": [item]}, lambda item: item])
def test_parts_of_a_cluster_are_read_in_any_form(bench: Setting, wrap: Callable[[object], object]) -> None:
    client = bench(
        answer(200, wrap({"id": 132, "name": "n", "cidr": "10.0.0.0/24", "isMemberOFLoadBalancer": True}))
    ).client
    assert [(known.id, known.cidr) for known in client.networks_of(7)] == [(132, "10.0.0.0/24")]
    assert [known.name for known in client.databases(7)] == ["n"]
    assert [known.name for known in client.extensions(7)] == ["n"]
    assert [(known.name, known.is_member_of_load_balancer) for known in client.nodes(7)] == [("n", True)]


def test_empty_answers_are_empty_lists_and_nonsense_is_not(bench: Setting) -> None:
    client = bench(answer(204)).client
    assert (client.nodes(7), client.databases(7), client.versions(7), client.networks_of(7)) == ((), (), (), ())
    for nonsense in ("none", 4, [{"unheard": 1}]):
        with pytest.raises(Unreadable):
            bench(answer(200, nonsense)).client.nodes(7)


def test_versions_and_regions(bench: Setting) -> None:
    assert bench(answer(200, [14, "15", 16, True, -1])).client.versions(7) == (14, 16)
    regions = [
        {"name": "EB", "areas": [{"name": "EB-QA", "availabilityZones": [{"name": "EB-A"}, {}]}, 5]},
        {"label": "?"},
    ]
    (region,) = bench(answer(200, regions)).client.regions()
    assert [(area.name, [zone.name for zone in area.availability_zones]) for area in region.areas] == [
        ("EB-QA", ["EB-A"])
    ]


def test_the_list_holds_postgresql_alone_with_the_ids_to_try(bench: Setting) -> None:
    others = [{"id": 2, "name": "vm", "type": "LINUX"}, {"id": 3, "name": "only", "family": "POSTGRESQL"}]
    it = bench(page(RESOURCE, *others))
    found = it.client.resources()
    assert [(known.name, known.path_ids) for known in found] == [("newpostgre01", (7, 1)), ("only", (3,))]
    assert (found.complete, it.server.received[0].path) == (True, "/itcare/compute/resources?page=0&size=200")


def test_names_are_asked_for_and_filtered_again(bench: Setting) -> None:
    it = bench(page(RESOURCE, {**RESOURCE, "id": 2, "internalResourceId": 8, "name": "other"}))
    assert [known.name for known in it.client.resources(names=["NEWPOSTGRE01"])] == ["newpostgre01"]
    it.client.resources(names=["!x", "a,b"])
    assert [known.path.partition("?")[2] for known in it.server.received] == [
        "names=NEWPOSTGRE01&page=0&size=200",
        "page=0&size=200",
    ]


@pytest.mark.parametrize(
    ("pages", "names", "complete"),
    [
        pytest.param([page(total=0)], [], True, id="none"),
        pytest.param([answer(204)], [], False, id="empty body"),
        pytest.param([answer(200, ["a", RESOURCE])], [7], False, id="bare, with an odd item"),
        pytest.param([answer(200, [RESOURCE])], [7], True, id="bare"),
        pytest.param([page(RESOURCE, total=2)], [7], False, id="short"),
        pytest.param([page(RESOURCE, total=2, last=False), answer(200, body=b"?")], [7], False, id="odd later"),
        pytest.param([page(RESOURCE, total=2, last=False), page(RESOURCE, number=1, total=2)], [7], False, id="twice"),
        pytest.param([page(RESOURCE, total=2, last=False), page(number=1, total=2)], [7], False, id="missing"),
        pytest.param([page(RESOURCE, total=0, last=False)], [7], False, id="more than the total"),
        pytest.param([page(RESOURCE, total=9, last=False)], [7], False, id="the same page for ever"),
        pytest.param([page(RESOURCE, numberOfElements=5)], [7], False, id="miscounted"),
    ],
)
def test_a_listing_knows_whether_it_is_complete(
    bench: Setting,
    pages: list[bytes],
    names: list[int],
    complete: bool,  # noqa: FBT001 - what is expected
) -> None:
    found = bench(*pages).client.resources()
    assert ([known.path_ids[0] for known in found], found.complete) == (names, complete)


def test_a_listing_that_is_refused_midway_is_refused(bench: Setting) -> None:
    with pytest.raises(NotFound):
        bench(page(RESOURCE, total=2, last=False), answer(404)).client.resources()


def two_pages(numbers: dict[int, int]) -> list[bytes]:
    """Answers in the order asked for; `numbers` maps the number asked for to the page told."""
    parts = {0: {**RESOURCE, "internalResourceId": 10}, 1: {**RESOURCE, "internalResourceId": 11}}
    return [page(parts[part], number=part, total=2, last=part == 1) for part in numbers.values()]


def test_pages_may_be_numbered_from_zero_or_one(bench: Setting) -> None:
    from_zero = bench(*two_pages({0: 0, 1: 1})).client.resources()
    # Here page 1 is the first one again.
    from_one = bench(*two_pages({0: 0, 1: 0, 2: 1})).client.resources()
    assert [[known.path_ids[0] for known in listing] for listing in (from_zero, from_one)] == [[10, 11]] * 2
    assert [listing.complete for listing in (from_zero, from_one)] == [True] * 2


def test_actions_come_with_the_servers_clock(bench: Setting) -> None:
    actions = [{"id": 5, "status": "SUCCESS", "submittedAt": "2026-11-02T09:00:00.263Z", "submittedBy": "api"}]
    it = bench(answer(200, actions, Date="Mon, 02 Nov 2026 10:00:00 GMT"))
    found = it.client.actions(resource_name="new&x=1", resource_id=9, statuses=["IN_PROGRESS", "ERROR"])
    assert (found.server_time, found.complete) == (datetime(2026, 11, 2, 10, tzinfo=UTC), True)
    assert [(known.id, known.succeeded, known.running, known.submitted_by) for known in found] == [
        (5, True, False, "api")
    ]
    assert it.server.received[0].path == (
        "/itcare/actions?resourceName=new%26x%3D1&resourceId=9&statuses=IN_PROGRESS,ERROR"
    )
    assert bench(answer(200, actions, Date="soon")).client.actions().server_time is None


def test_actions_may_come_as_pages(bench: Setting) -> None:
    it = bench(page({"id": 5}, total=2, last=False), page({"id": 6}, number=1, total=2))
    found = it.client.actions()
    assert ([known.id for known in found], found.complete) == ([5, 6], True)
    assert [known.path for known in it.server.received] == ["/itcare/actions", "/itcare/actions?page=1"]


def test_actions_are_brought_a_page_at_a_time_each_once(bench: Setting) -> None:
    repeated = page({"id": 5}, number=1, total=3, last=False)
    it = bench(page({"id": 5}, total=3, last=False), repeated, page({"id": 6}, number=2, total=3))
    pages = it.client.actions_by_page(statuses=["IN_PROGRESS"])
    assert it.server.received == []
    brought = iter(pages)
    assert ([known.id for known in next(brought)], len(it.server.received), pages.complete) == ([5], 1, False)
    # The same page twice: this server does not page, and what is missing may exist all the same.
    assert (list(brought), pages.complete) == ([], False)
    assert [known.path for known in it.server.received] == [
        "/itcare/actions?statuses=IN_PROGRESS",
        "/itcare/actions?statuses=IN_PROGRESS&page=1",
    ]


def test_a_bare_list_is_cut_into_pieces_and_is_whole_when_all_of_it_could_be_read(bench: Setting) -> None:
    told: list[object] = [{"id": number} for number in range(1, 1_002)]
    whole = bench(answer(200, told)).client.actions_by_page()
    assert [len(piece) for piece in whole] == [500, 500, 1]
    assert whole.complete
    odd = bench(answer(200, [{"id": 7}, {"id": 7}, "no action"])).client.actions_by_page()
    assert ([[known.id for known in piece] for piece in odd], odd.complete) == ([[7]], False)


def test_an_action_is_judged_by_its_word(bench: Setting) -> None:
    judged = {}
    for word in ("SUCCESS", "ERROR", "IN_PROGRESS", "PENDING_APPROVAL"):
        action = bench(answer(200, {"id": 5, "status": word})).client.action(5)
        judged[word] = (action.succeeded, action.failed, action.running)
    assert judged == {
        "SUCCESS": (True, False, False),
        "ERROR": (False, True, False),
        "IN_PROGRESS": (False, False, True),
        "PENDING_APPROVAL": (False, False, True),
    }


def test_an_answer_about_another_action_is_not_taken_for_the_one_that_was_asked_for(bench: Setting) -> None:
    it = bench(answer(200, {"id": 6, "status": "SUCCESS"}))
    with pytest.raises(Unreadable):
        it.client.action(5)


def test_assumptions_change_addresses_and_ids(bench: Setting) -> None:
    changes = {
        "services_path": "/services",
        "internal_id_first": "false",
        "first_page": "1",
        "action_id_is_internal": "true",
    }
    it = bench(
        answer(200, [RESOURCE]),
        answer(200, []),
        answer(200, {"id": 1, "internalId": 9}),
        assumptions=Assumptions.changed(changes),
    )
    assert next(iter(it.client.resources())).path_ids == (1, 7)
    it.client.services()
    assert it.client.action(9).id == 9
    assert [known.path for known in it.server.received][1:] == ["/itcare/services?page=1&size=200", "/itcare/actions/9"]


def test_an_address_is_checked() -> None:
    for address in ("ftp://x/", "https://", "https://user:pw@host/", "https://host/?q", "itcare"):
        with pytest.raises(ValueError, match="ITCare address"):
            Client(base_url=address, tokens=None)  # type: ignore[arg-type]


def test_a_proxy_page_is_not_followed(bench: Setting) -> None:
    with scripted(answer(200, CLUSTER)) as elsewhere:
        it = bench(answer(302, Location=elsewhere.url))
        assert type(failure_of(it.client)) is Unreadable
        assert elsewhere.received == []
