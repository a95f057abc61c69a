"""What the page of a profile changes: the brake, once somebody has looked at what was suspicious."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .....domain.access.tokens import Scope
from ...context import Context
from ...edge.access import Access, Where
from ...routes.chains import requested_profile
from ...routes.retention import archive_in
from ..done import Done
from ..forms import SentForm, carry_out
from .profile import profile_url, show_profile

_RELEASES = Access((Scope.ADMIN,), Where.PATH)


async def release_brake(request: Request) -> Response:
    """Say that an archive, and what came before it, is as it should be."""
    context, profile = Context.of(request), requested_profile(request)

    def work(asked: SentForm) -> str:
        to = archive_in(profile, asked.fields.get("to"))
        released, left = context.tarkeep.release_brake(to, asked.principal.token)
        for id in released:
            context.enter(request, id, None, "trusted, the brake is released")
        return (Done.BRAKE_STAYS if left else Done.BRAKE_RELEASED).at(profile_url(profile))

    return await carry_out(request, show_profile, work, proof=_RELEASES)
