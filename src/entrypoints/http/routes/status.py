"""The routes of version 1 that say whether everything is as it should be."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.tokens import Scope
from ....domain.usecases.watching.check_profiles import brief_of
from ..answers.status import profile_json, status_json
from ..context import Context
from ..edge.access import GuardedRoute, Where, get, needs
from ..edge.guard import principal_of


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [
        get("/api/v1/status", needs(Scope.LIST, profile=Where.HANDLER), show_status),
        get("/api/v1/profiles/{profile}/status", needs(Scope.LIST), show_profile_status),
    ]


async def show_status(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)

    def looked() -> dict[str, object]:
        # what is wrong with the server may name any profile
        server = context.tarkeep.check_server() if principal.sees_everything else ()
        return status_json(server, context.tarkeep.check_profiles(principal))

    return await context.answer(looked)


async def show_profile_status(request: Request) -> Response:
    context, profile = Context.of(request), request.path_params["profile"]
    return await context.answer(lambda: profile_json(brief_of(context.tarkeep.check_profile(profile))))
