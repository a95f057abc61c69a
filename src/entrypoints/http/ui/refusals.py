"""What browsers get where programs get something else: errors as pages, and pages at the address of the server."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from ..answers.problems import Problem
from .coming_in import HOME, login_for
from .rendering import render


def is_page(path: str) -> bool:
    """Whether *path* is one of a page, or would be."""
    return path.startswith(HOME)


def way_to_pages(scope: Scope) -> Response | None:
    """To the pages, for a browser at the address of the server; None for everything else."""
    if scope["path"] != "/" or scope["method"] not in ("GET", "HEAD"):
        return None
    wants = Headers(scope=scope).get("accept", "").partition(",")[0].partition(";")[0].strip()
    return RedirectResponse(HOME, HTTPStatus.SEE_OTHER, {"Vary": "Accept"}) if wants == "text/html" else None


def refused_page(scope: Scope, problem: Problem) -> Response:
    """What a browser gets for *problem*: the form for a token if it has to come in first, else a page that says it."""
    if Headers(scope=scope).get("hx-request") == "true" and problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        # a part of a page was asked for: the whole page is asked again, and shows what became of it
        return Response(None, problem.status, {"HX-Refresh": "true", **problem.headers})
    if _is_by_link_from_elsewhere(scope) and problem.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return render("again.html", {})
    if problem.status == HTTPStatus.UNAUTHORIZED and scope["method"] in ("GET", "HEAD"):
        return login_for(scope["path"], scope["query_string"].decode("ascii", "replace"))
    values = {"title": HTTPStatus(problem.status).phrase, "detail": problem.detail, "status": problem.status}
    answer = render("refused.html", values, problem.status)
    answer.headers.update(problem.headers)
    return answer


def _is_by_link_from_elsewhere(scope: Scope) -> bool:
    """
    Whether somebody followed a link of another site, such as one in a mail: then the browser keeps the cookie back.

    The same page asked again by a page of this server comes with it, and is not from elsewhere any more.
    """
    headers = Headers(scope=scope)
    site, kind = (headers.get(f"sec-fetch-{name}", "").strip().lower() for name in ("site", "dest"))
    return scope["method"] == "GET" and site == "cross-site" and kind == "document"
