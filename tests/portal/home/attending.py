"""The page *Needs a person* as a browser gets it: its acts, and what their forms send."""

from django.test import Client

from tests.markup import Element, Page, filled_in

ACTS = ("adopt", "done", "failed", "send", "send_now", "release", "noted")


def page_of(browser: Client, address: str, status: int = 200) -> Element:
    answer = browser.get(address)
    assert answer.status_code == status
    return Page.of(answer.content).one("main")


def acts_on(page: Element) -> dict[str, Element]:
    return {name: found[0] for name in ACTS if (found := page.all("details", id=f"act-{name}"))}


def sent(page: Element, name: str, **typed: str) -> dict[str, str]:
    """What a browser sends of the form of an act."""
    return {**filled_in(acts_on(page)[name].one("form")), "reason": "I asked cegedim.cloud.", **typed}
