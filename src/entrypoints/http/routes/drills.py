"""The routes of version 1 for restore drills: what is to be restored next, what was restored, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.tokens import Scope
from ....domain.drills.drill import Drill
from ..answers.drills import drill_json, due_json
from ..answers.sync_report import content_of
from ..context import Context, answer_json
from ..edge.access import GuardedRoute, Where, get, needs, post
from ..edge.guard import note_written, principal_of
from ..requests.drill_report import read_report
from ..requests.parameters import optional_profile, whole_number

DRILLS = "/api/v1/drills"
MOST_DRILLS = 1000
MAX_REPORT_BYTES = 4 << 30


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [
        get(DRILLS, needs(Scope.LIST, profile=Where.HANDLER), list_drills),
        get(DRILLS + "/due", needs(Scope.DRILL, profile=Where.HANDLER), due),
        post(DRILLS + "/{id}/report", needs(Scope.DRILL, profile=Where.HANDLER), report),
    ]


async def list_drills(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)
    profile = optional_profile(request.query_params)
    limit = whole_number(request.query_params, "limit", 100, 1, MOST_DRILLS)

    def listed() -> dict[str, object]:
        return {"drills": [drill_json(one) for one in context.tarkeep.list_drills(principal.sees, profile, limit)]}

    return await context.answer(listed)


async def due(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)
    profile = optional_profile(request.query_params)
    if request.method == "HEAD":  # a drill that nobody is told of would only be in the way
        return answer_json({"drill": None})
    tarkeep = context.tarkeep

    def opened() -> dict[str, object]:
        drill = tarkeep.open_drill(principal.sees, principal.token, profile)
        return {"drill": None if drill is None else due_json(drill, tarkeep.drill_limits)}

    return await context.run_waiting(lambda: answer_json(opened()))


async def report(request: Request) -> Response:
    context, principal, id = Context.of(request), principal_of(request), request.path_params["id"]
    tarkeep = context.tarkeep
    await context.run(lambda: tarkeep.find_drill(id, principal.token))

    def judged(blocks: Iterator[bytes]) -> Drill:
        # first all of it: nobody who sends slowly keeps others from being judged
        with tarkeep.scratch.file() as received:
            for block in blocks:
                received.append(block)
            told, lines = read_report(content_of(received))
            drill = tarkeep.judge_drill(id, principal.token, told, lines)
        note_written(request, f"drill {id} of {drill.point}", None, drill.outcome.value)
        return drill

    drill = await context.take(request, "report", MAX_REPORT_BYTES, None, judged)
    return answer_json(drill_json(drill))
