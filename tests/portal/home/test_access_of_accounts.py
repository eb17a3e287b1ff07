"""Who gets in at the addresses of allauth and of the administration: they are counted, and told by what is open.

They are other packages' pages, so one rule stands for many: below `accounts/` one is either let in without signing in,
which is listed, or sees to one's own account; below `admin/` administrators alone are let in, wherever they go.
"""

import re
from typing import Final

import pytest
from django.test import Client
from django.urls import get_resolver

from portal.accounts.models import User
from tests.browsing import signed_in
from tests.cast import Cast, cluster, pending, queued
from tests.portal.home.test_access import walk

# What a person who is not signed in sees below `accounts/`.
OPEN: Final = {
    "login/": 200,
    "signup/": 200,  # says that it is closed
    "inactive/": 200,
    "confirm-email/": 200,
    "confirm-email/abc/": 200,
    "password/reset/": 200,
    "password/reset/done/": 200,
    "password/reset/key/1-abc/": 200,
    "password/reset/key/done/": 200,
    "3rdparty/login/cancelled/": 200,
    "3rdparty/login/error/": 401,
    # No identity provider is configured.
    "oidc/oidc/login/": 404,
    "oidc/oidc/login/callback/": 404,
}
ACCOUNTS, ADMIN = 39, 35
PLACES: Final = {
    r"<[^>]*>": "1",
    r"\(\?P<key>\[-:\\w\]\+\)": "abc",
    r"\(\?P<uidb36>[^)]*\)-\(\?P<key>[^)]*\)": "1-abc",
    r"\(\?P<provider_id>[^)]*\)": "oidc",
    r"\(\?P<app_label>[^)]*\)": "accounts",
    r"\(\?P<url>[^)]*\)": "nowhere",
    r"[\^$]": "",
}


def below(group: str) -> list[str]:
    """Every address of the group, with something in place of what differs."""
    found = []
    for route, _ in walk(get_resolver()):
        if route.startswith(group):
            address = route.removeprefix(group)
            # Named places first: they hold angle brackets of their own.
            for pattern in [*list(PLACES)[1:], next(iter(PLACES))]:
                address = re.sub(pattern, PLACES[pattern], address)
            found.append(address)
    return found


def test_no_address_came_or_went_unseen() -> None:
    assert (len(below("accounts/")), len(below("admin/"))) == (ACCOUNTS, ADMIN)
    assert set(OPEN) <= set(below("accounts/"))


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_not_listed_as_open_asks_to_sign_in(db: None, method: str) -> None:
    browser = Client()
    answers = {address: getattr(browser, method)(f"/accounts/{address}") for address in below("accounts/")}
    closed = {address: answer for address, answer in answers.items() if address not in OPEN}
    for address, answer in closed.items():
        assert answer.status_code in {301, 302}, address
        leads = answer["Location"].partition("?")[0]
        # Old addresses lead to new ones, which are in the list themselves.
        moved = leads.removeprefix("/accounts/") in closed or leads.removeprefix("/accounts/") in OPEN
        assert moved if answer.status_code == 301 else leads in {"/accounts/login/", "/"}, address
    if method == "get":
        assert {address: answers[address].status_code for address in OPEN} == OPEN


def test_signing_up_is_closed(db: None) -> None:
    sent = {"email": "new@example.com", "password1": "a-Long-password-1", "password2": "a-Long-password-1"}
    Client().post("/accounts/signup/", sent)
    assert User.objects.count() == 0


def test_no_page_of_an_account_fails(cast: Cast) -> None:
    for person in (cast.developer, cast.administrator):
        browser = signed_in(person)
        for address in below("accounts/"):
            if address != "logout/":
                assert browser.get(f"/accounts/{address}").status_code in {200, 301, 302, 401, 404}, address


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_administration_is_for_administrators_alone(cast: Cast, method: str) -> None:
    for address in below("admin/"):
        asked = f"/admin/{address}"
        anonymous = getattr(Client(), method)(asked)
        assert anonymous.status_code == 302, address
        assert anonymous["Location"].partition("?")[0] in {"/admin/login/", "/accounts/login/", "/admin/"}, address
    for person in (cast.approver2, cast.support):
        browser = signed_in(person)
        for address in below("admin/"):
            assert getattr(browser, method)(f"/admin/{address}").status_code == 403, (person, address)


def test_administrators_see_everything_and_decide_nothing(cast: Cast) -> None:
    browser = signed_in(cast.administrator)
    change = pending(cast.developer)
    for seen in (change, queued(cast.developer, cast.approver, name="another01"), cluster(cast.service, 1)):
        assert browser.get(seen.get_absolute_url()).status_code == 200
    assert browser.get("/admin/").status_code == 200
    assert browser.post(f"{change.get_absolute_url()}approve/").status_code == 403
