"""The routes of version 1 for the jobs of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.tokens import Scope
from ....domain.jobs.run import Run
from ....domain.ports.upkeep.peers import PeerAddress
from ..answers.jobs import job_json, run_json
from ..answers.problems import Problem
from ..context import Context, answer_json
from ..edge.access import GuardedRoute, Where, get, needs, post
from ..edge.guard import note_written, principal_of
from ..edge.host_socket import comes_from_host
from ..requests.json_body import json_body
from ..requests.parameters import optional_profile, whole_number

JOBS = "/api/v1/jobs"
MOST_RUNS = 100
MAX_BODY_BYTES = 1 << 20
"""Room for a bundle of certificates."""
_LARGEST = 2**63 - 1


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [
        get(JOBS, needs(Scope.LIST, profile=Where.HANDLER), list_jobs),
        get(JOBS + "/{job}/runs", needs(Scope.LIST, profile=Where.HANDLER), list_runs),
        post(JOBS + "/{job}/run", needs(Scope.ADMIN, profile=Where.EVERY), run_job),
        post("/api/v1/scrub", needs(Scope.ADMIN, profile=Where.EVERY), scrub),
        post("/api/v1/replicate", needs(Scope.ADMIN, profile=Where.EVERY), replicate),
    ]


async def list_jobs(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)
    return await context.answer(lambda: {"jobs": [job_json(job, principal) for job in context.tarkeep.list_jobs()]})


async def list_runs(request: Request) -> Response:
    context, principal, job = Context.of(request), principal_of(request), request.path_params["job"]
    limit = whole_number(request.query_params, "limit", 20, 1, MOST_RUNS)
    before = whole_number(request.query_params, "before", _LARGEST, 1, _LARGEST)

    def listed() -> dict[str, object]:
        runs = context.tarkeep.list_runs(job, before=before, limit=limit)
        return {"job": job, "runs": [run_json(run, principal) for run in runs]}

    return await context.answer(listed)


async def run_job(request: Request) -> Response:
    context, principal, job = Context.of(request), principal_of(request), request.path_params["job"]
    return await _asked(request, lambda: context.tarkeep.ask_for_run(job, principal.token))


async def scrub(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)
    profile = optional_profile(request.query_params)
    return await _asked(request, lambda: context.tarkeep.ask_for_scrub(profile, principal.token))


class _CopyFrom(msgspec.Struct, rename={"url": "from"}, forbid_unknown_fields=True):
    url: str
    token: str | None = None
    profiles: tuple[str, ...] = ("*",)
    cacert: str | None = None
    fingerprint: str | None = None


async def replicate(request: Request) -> Response:
    context = Context.of(request)
    # whoever names an address has this server connect to it: a token must not reach into its network
    if not comes_from_host(request.scope):
        raise Problem(403, "foreign-request", "another server to copy from is named on the host of this one only")

    def ask(blocks: Iterator[bytes]) -> Response:
        said = json_body(blocks, _CopyFrom)
        address = PeerAddress(said.url, said.token, said.profiles or ("*",), said.cacert, said.fingerprint)
        try:
            run = context.tarkeep.ask_for_copy(address, principal_of(request).token)
        finally:
            context.jobs.wake()
        note_written(request, f"job {run.job}", None, f"run {run.number} asked for")
        context.enter_written(request.scope)
        return answer_json(run_json(run, principal_of(request)), 202)

    return await context.take(request, "request", MAX_BODY_BYTES, None, ask)


async def _asked(request: Request, ask: Callable[[], Run]) -> Response:
    context = Context.of(request)
    try:
        run = await context.run(ask)
    finally:
        context.jobs.wake()  # also where one runs already: it may be one whose end could not be noted
    note_written(request, f"job {run.job}", None, f"run {run.number} asked for")
    return answer_json(run_json(run, principal_of(request)), 202)
