import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import RequestFactory

from portal.web.middleware import NoStore, Redirects

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/things/4/?page=2"}


def through(
    middleware: type[Redirects | NoStore],
    response: HttpResponse,
    *,
    path: str = "/fragment/",
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    def view(_request: HttpRequest) -> HttpResponse:
        return response

    return middleware(view)(RequestFactory().get(path, headers=headers))


def test_a_redirect_of_a_plain_request_stays_one() -> None:
    answer = through(Redirects, HttpResponseRedirect("/things/"))
    assert (answer.status_code, answer["Location"]) == (302, "/things/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_an_htmx_request_moves_the_whole_page(status: int) -> None:
    redirect = HttpResponseRedirect("/things/5/")
    redirect.status_code = status
    answer = through(Redirects, redirect, headers=HTMX)
    assert (answer.status_code, answer["HX-Redirect"], answer.content) == (204, "/things/5/", b"")
    assert "Location" not in answer


def test_an_ordinary_answer_to_htmx_passes() -> None:
    answer = through(Redirects, HttpResponse("fragment"), headers=HTMX)
    assert (answer.status_code, answer.content, "HX-Redirect" in answer) == (200, b"fragment", False)


def test_a_signed_out_poll_leads_to_sign_in_and_back_to_the_page() -> None:
    answer = through(Redirects, HttpResponseRedirect("/accounts/login/?next=/fragment/"), headers=HTMX)
    assert answer["HX-Redirect"] == "/accounts/login/?next=/things/4/%3Fpage%3D2"


@pytest.mark.parametrize(
    "page",
    ["https://evil.example/x", "http://testserver//evil.example/", "javascript:alert(1)", ""],
)
def test_a_forged_current_page_is_not_led_back_to(page: str) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": page}
    answer = through(Redirects, HttpResponseRedirect("/accounts/login/?next=/fragment/"), headers=headers)
    assert answer["HX-Redirect"] == "/accounts/login/?next=/"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/"])
def test_a_redirect_to_another_host_is_not_passed_on(target: str) -> None:
    assert through(Redirects, HttpResponseRedirect(target), headers=HTMX)["HX-Redirect"] == "/"


def test_pages_and_fragments_are_kept_by_no_cache() -> None:
    response = HttpResponse("page")
    response["Vary"] = "Cookie"
    response["Cache-Control"] = "public, max-age=600"
    answer = through(NoStore, response)
    assert (answer["Cache-Control"], answer["Vary"]) == ("no-store", "Cookie, HX-Request")


def test_static_files_may_be_kept() -> None:
    response = HttpResponse("style")
    response["Cache-Control"] = "public, max-age=600"
    answer = through(NoStore, response, path="/static/css/base.css")
    assert (answer["Cache-Control"], "Vary" in answer) == ("public, max-age=600", False)
