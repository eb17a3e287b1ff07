"""The generated password by the pages: after signing in again, once, to its requester, and nowhere else."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.catalog import passwords
from portal.operations.models import Operation, Secret, bound
from portal.operations.states import Reason, State
from tests.browsing import signed_in
from tests.cast import PASSWORD, Cast, queued, sending
from tests.markup import Element, Page, filled_in


@pytest.fixture
def ready(cast: Cast) -> Operation:
    """A create that succeeded, whose password waits to be fetched."""
    operation = queued(cast.developer, cast.approver)
    sending(operation)
    operation.move(State.SUCCEEDED)
    operation.refresh_from_db()
    return operation


def page_of(browser: Client, operation: Operation) -> Element:
    return Page.of(browser.get(operation.get_absolute_url()).content).one("main")


def revealing(page: Element, operation: Operation) -> list[Element]:
    return page.all("form", action=f"{operation.get_absolute_url()}reveal/")


def made(operation: Operation) -> str:
    assert operation.reveal is not None
    return operation.reveal.open(bound_to=bound(operation.reference, "reveal")).reveal()


def sign_in_again(browser: Client, operation: Operation, password: str = PASSWORD) -> tuple[int, Element]:
    """Press the button, and say who one is as the page then asks; answers what comes of it."""
    (form,) = revealing(page_of(browser, operation), operation)
    asked = browser.post(form.attributes["action"], filled_in(form))
    assert asked.status_code == 302
    assert asked["Location"].startswith("/accounts/reauthenticate/?next=")
    page = Page.of(browser.get(asked["Location"]).content)
    (again,) = [each for each in page.all("form", method="post") if each.all("input", type="password")]
    answer = browser.post(asked["Location"], {**filled_in(again), "password": password})
    return answer.status_code, Page.of(answer.content)


def test_it_is_shown_once_after_signing_in_again(cast: Cast, ready: Operation) -> None:
    password = made(ready)
    assert (passwords.broken(password), passwords.doubtful(password)) == ("", "")
    browser = signed_in(cast.developer)
    assert password not in browser.get(ready.get_absolute_url()).content.decode()
    status, page = sign_in_again(browser, ready)
    assert status == 200
    assert page.one(id="password").text == password
    entry = Entry.objects.latest("number")
    assert (entry.verb, entry.actor, entry.subject_id) == ("password.revealed", "developer@example.com", str(ready.pk))
    assert password not in str(list(Entry.objects.values()))
    assert Secret.objects.count() == 0
    after = page_of(browser, ready)
    assert revealing(after, ready) == []
    again = browser.post(f"{ready.get_absolute_url()}reveal/")
    assert again.status_code == 409
    assert "Nobody can show it again: ask cegedim.cloud for a new one." in Page.of(again.content).text
    assert password not in again.content.decode()


def test_the_answer_that_shows_it_is_kept_nowhere(cast: Cast, ready: Operation) -> None:
    password = made(ready)
    browser = signed_in(cast.developer)
    assert sign_in_again(browser, ready)[0] == 200
    assert password not in str(dict(browser.session.items()))
    for address in ("/", "/operations/", ready.get_absolute_url(), "/audit/", "/requests/"):
        assert password not in browser.get(address).content.decode()


def test_the_answer_itself_is_not_stored(cast: Cast, ready: Operation) -> None:
    browser = signed_in(cast.developer)
    asked = browser.post(f"{ready.get_absolute_url()}reveal/")
    answer = browser.post(asked["Location"], {"password": PASSWORD})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert "password" not in answer.request["QUERY_STRING"]


def test_a_wrong_password_shows_nothing_and_destroys_nothing(cast: Cast, ready: Operation) -> None:
    password = made(ready)
    browser = signed_in(cast.developer)
    status, page = sign_in_again(browser, ready, "wrong-Password-1")
    assert status == 200
    assert password not in page.text
    assert Secret.objects.count() == 1
    assert not Entry.objects.filter(verb="password.revealed").exists()


def test_signing_in_is_not_signing_in_again(cast: Cast, ready: Operation) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"login": cast.developer.email, "password": PASSWORD})
    answer = browser.post(f"{ready.get_absolute_url()}reveal/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert Secret.objects.count() == 1


def test_nobody_else_sees_that_it_could_be_shown(cast: Cast, ready: Operation) -> None:
    for person in (cast.colleague, cast.approver, cast.support, cast.administrator):
        page = page_of(signed_in(person), ready)
        assert revealing(page, ready) == []
        assert "Show it once" not in page.text
    assert Secret.objects.count() == 1


def test_before_the_cluster_is_ready_one_reads_when_it_will_be(cast: Cast) -> None:
    operation = queued(cast.developer, cast.approver)
    browser = signed_in(cast.developer)
    page = page_of(browser, operation)
    assert revealing(page, operation) == []
    assert "When the cluster is ready, you can see its administrator password here, once." in page.text
    answer = browser.post(f"{operation.get_absolute_url()}reveal/")
    assert answer.status_code == 409
    assert "The password is shown when the cluster is ready." in Page.of(answer.content).text


def test_after_its_time_it_is_not_offered_any_more(cast: Cast, ready: Operation, settings: Settings) -> None:
    past = timezone.now() - timedelta(seconds=settings.REVEAL_SECONDS + 1)
    Operation.objects.update(ended_at=past)
    browser = signed_in(cast.developer)
    assert revealing(page_of(browser, ready), ready) == []
    assert browser.post(f"{ready.get_absolute_url()}reveal/").status_code == 409


def test_a_failed_create_has_no_password_to_show(cast: Cast) -> None:
    operation = queued(cast.developer, cast.approver)
    operation.move(State.FAILED, reason=Reason.REFUSED)
    browser = signed_in(cast.developer)
    assert revealing(page_of(browser, operation), operation) == []
    assert browser.post(f"{operation.get_absolute_url()}reveal/").status_code == 409
    assert Secret.objects.count() == 0


def test_a_typed_password_is_never_offered(cast: Cast) -> None:
    operation = queued(cast.developer, cast.approver, adm_password="Test123@2022")
    sending(operation)
    operation.move(State.SUCCEEDED)
    browser = signed_in(cast.developer)
    assert revealing(page_of(browser, operation), operation) == []
    answer = browser.post(f"{operation.get_absolute_url()}reveal/")
    assert answer.status_code == 409
    assert "Test123@2022" not in answer.content.decode()


def test_a_password_that_no_key_opens_is_told_and_left_alone(cast: Cast, ready: Operation, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    status, page = sign_in_again(signed_in(cast.developer), ready)
    assert status == 409
    assert "The password was shown already, or can no longer be opened." in page.text
    assert Secret.objects.count() == 1


def test_a_leaver_cannot_reveal(cast: Cast, ready: Operation) -> None:
    browser = signed_in(cast.developer)
    asked = browser.post(f"{ready.get_absolute_url()}reveal/")
    User.objects.filter(pk=cast.developer.pk).update(is_active=False)
    for address in (asked["Location"], f"{ready.get_absolute_url()}reveal/"):
        answer = browser.post(address, {"password": PASSWORD})
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")
    assert Secret.objects.count() == 1
