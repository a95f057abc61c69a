"""
The route of version 1 that lists the gaps of a tree, and the headers that announce them.

If names are missing, every representation of the tree has their number in its headers, and a link to this route: a tar
has no place for them that would not be a file in the restored tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import islice
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.tokens import Scope
from ....domain.tar.paths import canonical
from ....domain.text.paths import path_text
from ....domain.trees.lacks import Lack
from ....domain.usecases.restoring.open_point import OpenedPoint
from ..answers.archives import archive_reference, gaps_location
from ..answers.download import StreamedResponse, gathered
from ..answers.problems import Problem
from ..context import Context, answer_json
from ..edge.access import GuardedRoute, get, needs
from ..requests.parameters import requested_path, whole_number
from .chains import PROFILE, requested_profile, requested_time

MAX_PAGE = 1000


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [get(PROFILE + "/gaps", needs(Scope.LIST), list_gaps)]


async def list_gaps(request: Request) -> Response:
    context, profile, query = Context.of(request), requested_profile(request), request.query_params
    path = requested_path(query.get("path", ""))
    limit = whole_number(query, "limit", 100, 1, MAX_PAGE)
    cursor, format = query.get("cursor"), query.get("format", "")
    after = requested_path(cursor, "cursor") if cursor else None
    if format not in ("", "json", "text"):
        raise Problem(400, "invalid-parameter", "format must be json or text")
    opened = await context.open_point(profile, lambda: requested_time(request, context, profile), allow_gaps=True)

    def answer() -> Response:
        opened.check(path, allow_gaps=True)
        below = canonical(path)
        if format == "text":
            lines = iter(()) if request.method == "HEAD" else gathered(_lines(opened.lacks.all(below, after)))
            return StreamedResponse(nullcontext(lines), context.executor, "text/plain; charset=utf-8")
        found = list(islice(opened.lacks.all(below, after), limit + 1))
        following = path_text(found[limit - 1].path) if len(found) > limit else None
        counts = opened.count(path)
        body = {
            "profile": profile,
            "point": archive_reference(opened.plan.point.archive.id),
            "path": path_text(path),
            "gaps": counts.lacking,
            "uncertain": counts.uncertain,
            "unknown": list(opened.way.unknown),
            "entries": [_entry(lack) for lack in found[:limit]],
            "next_cursor": following,
        }
        return answer_json(body, headers=next_link(request, following))

    return await context.run(answer)


def count_headers(opened: OpenedPoint, path: bytes = b"", headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """*headers*, plus the number of names missing at and below *path* and a link to their list, if any can be."""
    counts, told = opened.count(path), dict(headers or {})
    if not counts and not opened.way.unknown:
        return told
    if counts.lacking or opened.way.unknown:
        told["Tarkeep-Gaps"] = str(counts.lacking)
    if counts.uncertain:
        told["Tarkeep-Uncertain"] = str(counts.uncertain)
    named = f'<{gaps_location(opened.plan.point.archive.id, path)}>; rel="describedby"'
    told["Link"] = f"{told['Link']}, {named}" if "Link" in told else named
    return told


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The header that links to the next page, if there is one."""
    if cursor is None:
        return {}
    kept = {name: value for name, value in request.query_params.items() if name != "cursor"}
    return {"Link": f'<{quote(request.url.path)}?{urlencode(kept | {"cursor": cursor})}>; rel="next"'}


def _entry(lack: Lack) -> dict[str, object]:
    return {
        "path": path_text(lack.path),
        "code": lack.kind.value,
        "given": lack.is_given,
        "detail": lack.reason,
        "archive": None if lack.archive is None else archive_reference(lack.archive),
    }


def _lines(lacks: Iterator[Lack]) -> Iterator[bytes]:
    for lack in lacks:
        yield f"{path_text(lack.path)}\t{lack.reason}\n".encode()
