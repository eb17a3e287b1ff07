"""What people do on pages, and what is looked for there."""

from pathlib import Path

from axe_playwright_python import base
from playwright.sync_api import Page, expect

from tests.journeys.ways import ANSWERS

AXE = Path(base.__file__).with_name("axe.min.js")
CHOICES = ("service_id", "product_code", "node_sizing", "area", "az", "network_id", "tls")
TEXTS = ("name", "disk_size", "allowed_replication_lag", "trigram", "reason")


def fill_in(tab: Page, **answers: str) -> None:
    """Fill in the form of a new cluster."""
    given = {**ANSWERS, **answers}
    for name in CHOICES:
        tab.locator(f"[name={name}]").select_option(given[name])
    for name in TEXTS:
        tab.locator(f"[name={name}]").fill(given[name])


def ask(tab: Page, **answers: str) -> None:
    """Go from the start page to a filed request."""
    tab.get_by_role("link", name="Ask for a cluster").click()
    fill_in(tab, **answers)
    tab.get_by_role("button", name="Check and go on").click()
    expect(tab.locator("#live")).to_have_attribute("data-state", "draft")
    tab.get_by_role("button", name="Ask for it").click()
    expect(tab.locator("#live")).to_have_attribute("data-state", "pending")


def mark(tab: Page) -> None:
    """Leave something in the page that a reload would lose."""
    tab.evaluate("window.stillHere = true")


def assert_not_reloaded(tab: Page) -> None:
    """Find what `mark` left."""
    assert tab.evaluate("window.stillHere") is True


def faults(tab: Page) -> list[str]:
    """What axe finds, with where."""
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("async () => (await axe.run({resultTypes: ['violations']})).violations")
    return [f"{fault['id']}: {node['target']}" for fault in found for node in fault["nodes"]]


def sideways(tab: Page) -> bool:
    """Whether the page is wider than the window, or anything seen begins left of it, where nobody can scroll."""
    return bool(
        tab.evaluate(
            """() => document.documentElement.scrollWidth > window.innerWidth
                || [...document.body.querySelectorAll('*')].some((element) => {
                    const box = element.getBoundingClientRect();
                    return box.left < -0.5 && box.width > 1 && box.height > 1 && element.checkVisibility();
                })"""
        )
    )


def unreadable_table(tab: Page) -> bool:
    """Whether a table does not fit its card, or a cell of running text has become a column of letters."""
    return bool(
        tab.evaluate(
            """() => [...document.querySelectorAll('.table')].some((table) => table.scrollWidth > table.clientWidth)
                || [...document.querySelectorAll('td.wrap')].some((cell) => cell.clientWidth < 110)"""
        )
    )
