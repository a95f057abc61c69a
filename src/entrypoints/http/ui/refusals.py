"""What browsers get where programs get something else: errors as pages, and pages at the address of the server."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from ..answers.problems import Problem
from ..edge.access import PAGES
from ..edge.guard import PRINCIPAL
from .above import page_above
from .coming_in import HOME, login_for
from .frame import frame
from .rendering import render

_TITLES = {
    HTTPStatus.BAD_REQUEST: "This address is not understood",
    HTTPStatus.UNAUTHORIZED: "You are not logged in",
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.METHOD_NOT_ALLOWED: "This is not a page",
    HTTPStatus.CONFLICT: "Not possible now",
    HTTPStatus.GONE: "Removed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many wrong tokens",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not possible now",
}
_DETAILS = {
    "unauthorized": "The session has ended, or there was none; nothing was done. Log in, and try again",
    "method-not-allowed": "This address takes what another page sends, and shows nothing by itself",
}
"""In place of what programs are told."""


def is_page(path: str) -> bool:
    """Whether *path* is one of a page, or would be."""
    return path.startswith(PAGES)


def no_page() -> Problem:
    """That no route has an address below that of the pages."""
    return Problem(404, "not-found", "there is no page at this address")


def way_to_pages(scope: Scope) -> Response | None:
    """
    To the pages, for a browser at the address of the server; to a page, for its address with a slash too many at its
    end, whether there is one or not. None for everything else.
    """
    if scope["method"] not in ("GET", "HEAD"):
        return None
    if scope["path"] == "/":
        wants = Headers(scope=scope).get("accept", "").partition(",")[0].partition(";")[0].strip()
        return RedirectResponse(HOME, HTTPStatus.SEE_OTHER, {"Vary": "Accept"}) if wants == "text/html" else None
    asked = bytes(scope.get("raw_path", b""))
    bare = asked.rstrip(b"/")
    if asked == HOME.encode() or not (bare + b"/").startswith(HOME.encode()):
        return None
    right = bare if bare + b"/" != HOME.encode() else HOME.encode()
    if right == asked:
        return None
    query = scope["query_string"]
    return RedirectResponse((right + (b"?" + query if query else b"")).decode("ascii"), HTTPStatus.PERMANENT_REDIRECT)


def refused_page(scope: Scope, problem: Problem) -> Response:
    """What a browser gets for *problem*: the form for a token if it has to come in first, else a page that says it."""
    # none that a browser would ask for a password for by itself: what it then sends is not looked at here
    headers = {name: value for name, value in problem.headers.items() if name != "WWW-Authenticate"}
    if Headers(scope=scope).get("hx-request") == "true" and problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        # a part of a page was asked for: the whole page is asked again, and shows what became of it
        return Response(None, problem.status, {"HX-Refresh": "true", **headers})
    if _is_by_link_from_elsewhere(scope) and problem.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return render("again.html", {})
    if problem.status == HTTPStatus.UNAUTHORIZED and scope["method"] in ("GET", "HEAD"):
        return login_for(scope["path"], scope["query_string"].decode("ascii", "replace"))
    request = Request(scope)
    values = {
        **(frame(request) if PRINCIPAL in scope else {}),
        "title": _TITLES.get(HTTPStatus(problem.status)) or HTTPStatus(problem.status).phrase,
        "detail": _DETAILS.get(problem.code, problem.detail),
        "ways": _ways(request) if PRINCIPAL in scope else (),
        "must_come_in": problem.status == HTTPStatus.UNAUTHORIZED,
        "request_id": scope.get("tarkeep.request_id", "") if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "",
    }
    answer = render("refused.html", values, problem.status)
    answer.headers.update(headers)
    return answer


def _ways(request: Request) -> list[tuple[str, str]]:
    """Where one may go on from a refusal, nearest first, by words; every reader may go to the first page besides."""
    ways = []
    if request.method in ("GET", "HEAD") and request.url.query and request.url.path != HOME:
        ways.append(("The same page as it is without being asked for more", quote(request.url.path)))
    above = page_above(request)
    if above.path != HOME and above.is_open_to(request.scope[PRINCIPAL]):
        ways.append(("Back to the page", above.path))
    return ways


def _is_by_link_from_elsewhere(scope: Scope) -> bool:
    """
    Whether somebody followed a link of another site, such as one in a mail: then the browser keeps the cookie back.

    The same page asked again by a page of this server comes with it, and is not from elsewhere any more.
    """
    headers = Headers(scope=scope)
    site, kind = (headers.get(f"sec-fetch-{name}", "").strip().lower() for name in ("site", "dest"))
    return scope["method"] == "GET" and site == "cross-site" and kind == "document"
