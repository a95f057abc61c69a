"""
Refreshing pages that somebody looks at.

Each asks for itself every half minute, with all of its query and with the word that it was made at. As long as that is
still the word, the answer has no body, and nothing was looked up for it but the word.
"""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from urllib.parse import urlencode

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from .....domain.text.times import rfc3339
from .....domain.usecases.watching.mark_changes import ChangeMark
from ...context import Context
from ...edge.guard import principal_of
from ..rendering import ago

_SEEN = "seen"


@frozen
class Refresh:
    """The address that a page refreshes itself from, and the answer instead of the page, if it would be the same."""

    url: str
    unchanged: Response | None


def refresh(request: Request, profile: str | None = None) -> Refresh:
    """For a page about *profile*, or about all that its reader sees. To be called before anything else is read."""
    context, principal = Context.of(request), principal_of(request)
    mark = context.tarkeep.mark_changes(profile, with_server=profile is None and principal.sees_everything)
    query = [(name, value) for name, value in request.query_params.multi_items() if name != _SEEN]
    word = hashlib.sha256(f"{mark.word}\n{principal}\n{query}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    url = f"{request.url.path}?{urlencode([*query, (_SEEN, word)])}"
    is_same = request.query_params.get(_SEEN) == word
    return Refresh(url, _nothing_new(context, mark) if is_same else None)


def _nothing_new(context: Context, mark: ChangeMark) -> Response:
    """Without a body; the time of the last look comes in a header."""
    headers = {"Cache-Control": "no-store"}
    if mark.looked_at is not None:
        told = {
            "target": "#as-of",
            "at": rfc3339(mark.looked_at),
            "ago": ago(mark.looked_at, context.tarkeep.clock.now()),
        }
        headers["HX-Trigger"] = json.dumps({"looked-at": told})
    return Response(None, HTTPStatus.NO_CONTENT, headers)
