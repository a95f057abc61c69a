"""The route for monitors."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .....domain.access.tokens import EVERY_PROFILE, Scope, is_pattern, matches
from ...answers.problems import Problem
from ...answers.upkeep.metrics import CONTENT_TYPE, metrics_text
from ...context import Context
from ...edge.access import GuardedRoute, Where, get, needs
from ...edge.guard import principal_of


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [get("/metrics", needs(Scope.METRICS, profile=Where.HANDLER), show_metrics)]


async def show_metrics(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)
    pattern = request.query_params.get("profile", EVERY_PROFILE)
    if not is_pattern(pattern):
        raise Problem(400, "invalid-parameter", "profile must be a pattern of profile names such as laptop or web-*")

    def wanted(profile: str) -> bool:
        return matches(profile, (pattern,)) and principal.sees(profile)

    def told() -> Response:
        metrics = context.tarkeep.read_metrics(wanted, with_server=principal.sees_everything)
        text = metrics_text(metrics, context.settings.metrics_profiles)
        return Response(text, headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE)

    return await context.run(told)
