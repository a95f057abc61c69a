"""
The route for the evidence of a month.

The rule: lines are given out as they are, so that whoever has them can check the chain. They name archives of all
profiles, and so only a token for all profiles gets them.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from .....domain.access.tokens import Scope
from .....domain.evidence.entry import check_month
from ...answers.problems import Problem
from ...context import Context
from ...edge.access import GuardedRoute, Where, get, needs

MEDIA_TYPE = "application/x-ndjson"


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [get("/api/v1/evidence", needs(Scope.LIST, profile=Where.EVERY), show_evidence)]


async def show_evidence(request: Request) -> Response:
    context = Context.of(request)
    try:
        month = check_month(request.query_params.get("month", ""))
    except ValueError as error:
        raise Problem(400, "invalid-parameter", f"month: {error}") from None
    lines = await context.run(lambda: context.tarkeep.show_evidence(month))
    return context.stream(request, _ended(lines), MEDIA_TYPE)


def _ended(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield line + b"\n"
