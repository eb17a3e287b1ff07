"""Reads a page as a browser would: elements with their text, what stands at a field, what a form would send."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


@dataclass
class Element:
    """An element with its attributes, and with texts and elements inside."""

    tag: str
    attributes: dict[str, str]
    inside: "list[Element | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything that can be read in it, with single spaces."""
        return " ".join(" ".join(self._texts()).split())

    def all(self, tag: str = "", **attributes: str) -> "list[Element]":
        """Every element below with that tag and those attributes; underscores stand for dashes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self._below()
            if (not tag or element.tag == tag) and wanted.items() <= element.attributes.items()
        ]

    def one(self, tag: str = "", **attributes: str) -> "Element":
        """The one element that fits; anything else fails the test."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} elements are {tag} {attributes}"
        return found[0]

    def with_class(self, name: str) -> "list[Element]":
        """Every element below that has that class."""
        return [element for element in self._below() if name in element.attributes.get("class", "").split()]

    def _below(self) -> "Iterator[Element]":
        for part in self.inside:
            if isinstance(part, Element):
                yield part
                yield from part._below()

    def _texts(self) -> Iterator[str]:
        for part in self.inside:
            if isinstance(part, str):
                yield part
            elif part.tag not in {"script", "style", "template"}:
                yield from part._texts()


class Page(HTMLParser):
    """A whole page, or a fragment of one."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]
        self.feed(content.decode())
        self.close()

    @classmethod
    def of(cls, content: bytes) -> Element:
        """Read the content of an answer."""
        return cls(content).root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].inside.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element that is closed at once, as in SVG."""
        self._open[-1].inside.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close the element; an end that fits no open one is a fault of the page."""
        assert self._open[-1].tag == tag, f"</{tag}> ends <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self._open[-1].inside.append(data)

    def close(self) -> Self:  # type: ignore[override]
        """See that everything that was opened was closed."""
        super().close()
        assert self._open == [self.root], f"<{self._open[-1].tag}> is never closed"
        return self


def at_field(page: Element, name: str, kind: str = "error") -> str:
    """What is said at a field: its error, warning or helptext; empty where nothing is."""
    found = page.all("div", id=f"id_{name}_{kind}")
    return found[0].text if found else ""


def filled_in(form: Element) -> dict[str, str]:
    """What a browser would send of a form as it stands, without what it hides by script."""
    sent: dict[str, str] = {}
    for control in form.all("input"):
        if control.attributes.get("type") not in {"radio", "checkbox"} or "checked" in control.attributes:
            sent[control.attributes["name"]] = control.attributes.get("value", "")
    for area in form.all("textarea"):
        # A line break right after the tag is not part of the text (HTML, "textarea" in the tree construction).
        sent[area.attributes["name"]] = "".join(str(part) for part in area.inside).removeprefix("\n")
    for select in form.all("select"):
        options = select.all("option")
        chosen = [option for option in options if "selected" in option.attributes] or options[:1]
        sent[select.attributes["name"]] = chosen[0].attributes["value"] if chosen else ""
    return sent
