"""A browser without JavaScript, over HTTP: keeps cookies, follows redirects, fills in the forms that pages offer."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import requests

from tests.cast import PASSWORD

# Far more than the two seconds that people should wait at most, far less than what a frozen broker would cost.
ANSWER_SECONDS = 10.0


@dataclass
class Form:
    """A form as the page has it.

    Attributes:
        action: Where it leads.
        fields: What would be sent if nobody touched it.
        choices: Names of what can be ticked besides.
    """

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: set[str] = field(default_factory=set)


class _Forms(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.forms, self._select = page, list[Form](), ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.forms.append(Form(urljoin(self.page, given.get("action") or "")))
        if not self.forms:
            return
        fields = self.forms[-1].fields
        if tag == "select":
            self._select = name
        elif tag == "option" and (self._select not in fields or "selected" in given):
            fields[self._select] = value
        elif tag == "textarea":
            fields[name] = ""
        elif tag == "input" and given.get("type") in {"radio", "checkbox"} and "checked" not in given:
            self.forms[-1].choices.add(name)
        elif tag == "input":
            fields[name] = value


class PlainBrowser:
    """One person's browser."""

    def __init__(self, address: str) -> None:
        """Begin signed out.

        Args:
            address: the portal's.
        """
        self._address = address
        self._session = requests.Session()
        self.answer = requests.Response()

    def sign_in(self, email: str) -> None:
        """Sign in as one of the cast."""
        self.open("/accounts/login/?next=/")
        self.send("/accounts/login/", login=email, password=PASSWORD)
        assert self.path == "/", self.answer.text

    def open(self, path: str) -> str:
        """Go to an address of the portal; returns the page."""
        return self._take("GET", urljoin(self._address, path))

    def send(self, action: str, **typed: str) -> str:
        """Send the page's form that leads to this path, with what was typed; returns the page it leads to."""
        reader = _Forms(self.answer.url)
        reader.feed(self.answer.text)
        form = next(form for form in reader.forms if urlsplit(form.action).path == action)
        unknown = typed.keys() - form.fields.keys() - form.choices
        assert not unknown, unknown
        return self._take("POST", form.action, {**form.fields, **typed})

    @property
    def path(self) -> str:
        """Where it is."""
        return self.answer.url.removeprefix(self._address)

    def _take(self, method: str, address: str, data: dict[str, str] | None = None) -> str:
        self.answer = self._session.request(method, address, data=data, timeout=ANSWER_SECONDS)
        assert self.answer.status_code == HTTPStatus.OK, self.answer.text
        return self.answer.text
