"""The audit log: who did what, the newest first."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urlencode

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from ......domain.access.audit import HOST, AuditEntry
from ......domain.access.log_filter import LogFilter
from ......domain.access.tokens import Scope
from ......domain.text.paths import printable
from ....answers.problems import Problem
from ....context import Context
from ....edge.guard import principal_of
from ....requests.parameters import checked_text, optional_profile
from ...commands import at_server
from ...entries import LOG
from ...frame import frame
from ...rendering import render

_PAGE = 100
_DIGEST = re.compile("[0-9a-f]{64}")
_WORDS = ("new", "stored by upload", "refused", "moved to the trash", "brought back", "removed", "held", "hold", "run")


@frozen
class LogLine:
    """A line of the log as it is shown; the *address* only to those who see everything."""

    at: datetime
    who: str
    address: str
    what: str
    result: str
    sha256: str


async def show_log(request: Request) -> Response:
    """The lines that fit the filter, and whether the newest ones fit together."""
    context, principal, query = Context.of(request), principal_of(request), request.query_params
    wanted = LogFilter(
        optional_profile(query) or "",
        checked_text(query.get("who", ""), "who"),
        checked_text(query.get("did", ""), "did"),
    )
    below = query.get("below", "")
    if below and not _DIGEST.fullmatch(below):
        raise Problem(400, "invalid-parameter", "below must be the digest of a line of the log; begin anew at /ui/log")
    sees_all = principal.may(Scope.ADMIN) and principal.sees_everything

    def answer() -> Response:
        tarkeep = context.tarkeep
        page = tarkeep.read_log(wanted, None if sees_all else principal.sees, below=below or None, limit=_PAGE)
        asked = {"profile": wanted.profile, "who": wanted.who, "did": wanted.said, "below": page.below or ""}
        values = {
            **frame(request),
            "wanted": wanted,
            "words": _WORDS,
            "lines": [_shown(entry, with_address=sees_all) for entry in page.entries],
            "page": page,
            # where the part ends says when something was written, whatever that was
            "looked_to": page.looked_to if sees_all else None,
            "first": LOG.path + ("?" + urlencode({**asked, "below": ""}) if wanted != LogFilter() else ""),
            "older": "" if page.below is None else f"{LOG.path}?{urlencode({k: v for k, v in asked.items() if v})}",
            "is_first": not below,
            "line": at_server("audit", "verify"),
            "end": tarkeep.see_log_end() if sees_all else None,
        }
        return render("log.html", values)

    return await context.run(answer)


def _shown(entry: AuditEntry, *, with_address: bool) -> LogLine:
    return LogLine(
        entry.at,
        {None: "anybody", HOST: "the server's host"}.get(entry.who, entry.who or ""),
        entry.address if with_address else "",
        printable(entry.what),
        printable(entry.result),
        entry.sha256 or "",
    )
