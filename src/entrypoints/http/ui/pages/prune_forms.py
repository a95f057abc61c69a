"""What the page of a plan changes: it carries out the plan that was shown, if that is still the present one."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from .....domain.access.on_record import OnRecord
from .....domain.access.tokens import Scope
from ...answers.problems import Problem
from ...context import Context
from ...edge.access import Access, Where
from ...routes.chains import requested_profile
from ...routes.retention import plan_digest
from ..done import Done
from ..forms import SentForm, carry_out
from .prune import prune_url, show_prune

_PRUNES = Access((Scope.PRUNE,), Where.PATH)


async def apply_plan(request: Request) -> Response:
    """Move to the trash what the plan names."""
    context, profile = Context.of(request), requested_profile(request)

    def work(asked: SentForm) -> str:
        typed = asked.fields.get("profile", "").strip()
        if typed != profile:
            detail = f"to be sure, the name of the profile must be typed: {profile}, not {typed[:80]!a}"
            raise Problem(400, "invalid-parameter", detail)
        is_approved = asked.fields.get("approved", "") == "yes"
        by = "approved plan" if is_approved else "plan"
        record = OnRecord(asked.principal.token, by, partial(context.enter, request))
        digest = plan_digest(asked.fields.get("plan", ""))
        context.tarkeep.apply_prune(profile, digest, is_approved=is_approved, record=record)
        return Done.PRUNED.at(prune_url(profile))

    return await carry_out(request, show_prune, work, proof=_PRUNES)
