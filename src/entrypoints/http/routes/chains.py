"""The routes of version 1 for chains: what builds on what, plans, and what the next dump continues from."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from itertools import islice
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.tokens import Scope
from ....domain.archives.archive import BackupArchive, Kind
from ....domain.chains.groups import chains
from ....domain.chains.passed_over import PassedOver
from ....domain.chains.standing import Fidelity
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.identity.naming import check_archive_name, check_profile
from ....domain.ports.store import ArchiveReader
from ....domain.text.counted import counted
from ....domain.text.paths import path_text
from ....domain.text.sizes import human_size
from ....domain.text.times import rfc3339
from ....domain.usecases.restoring.make_plan import MadePlan
from ..answers.archives import archive_location, archive_reference, gaps_location, passed_over_json
from ..answers.download import StreamedResponse, attached, repr_digest
from ..answers.plan_script import Step, plan_script
from ..answers.problems import Problem
from ..context import Context, announced_bytes, answer_json
from ..edge.access import GuardedRoute, get, needs, post, put
from ..edge.guard import note_written, principal_of
from ..requests.parameters import allows_gaps, checked_text, in_utc, optional_type, requested_path

PROFILE = "/api/v1/profiles/{profile}"
ARCHIVE = PROFILE + "/archives/{type}/{name}"
SUSPECT_SECONDS = 10.0
"""How long a client that suspects an archive waits for the result; reading goes on after that."""

SCRIPT_TYPE = "text/x-shellscript"
MOST_STEPS = 100
"""The number of a plan's warnings shown by default."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [
        get(PROFILE + "/chains", needs(Scope.LIST), list_chains),
        get(PROFILE + "/plan", needs(Scope.LIST), plan),
        # a client that makes archives must know what to continue from
        get(PROFILE + "/base", needs(Scope.PUSH, Scope.LIST), base),
        put(ARCHIVE + "/snapshot", needs(Scope.PUSH), put_snapshot),
        get(ARCHIVE + "/snapshot", needs(Scope.PULL), get_snapshot, is_own=True),
        post(ARCHIVE + "/suspect", needs(Scope.PULL), suspect, is_own=True),
    ]


def requested_profile(request: Request) -> str:
    """The profile in the path, validated."""
    return check_profile(request.path_params["profile"])


def requested_archive(request: Request) -> ArchiveId:
    """The identity in the path, validated."""
    type, name = request.path_params["type"], request.path_params["name"]
    return ArchiveId(requested_profile(request), BackupType.parse(type), check_archive_name(name))


def requested_time(request: Request, context: Context, profile: str) -> datetime | ArchiveId | None:
    """
    The query parameter *at*: a time, a day (its last moment), ``latest`` (None), or an archive as NAME or TYPE/NAME.

    Raises:
        Problem: ``invalid-parameter``.
        ArchiveNotFound, AmbiguousName: the archive does not exist, or exists in several types.
    """
    text = checked_text(request.query_params.get("at", ""), "at")
    if text in ("", "latest"):
        return None
    if _DATE.fullmatch(text):
        try:
            return datetime.combine(datetime.fromisoformat(text), time.max, UTC)
        except ValueError:
            raise _not_a_time(text) from None
    word, slash, name = text.rpartition("/")
    if name.endswith(".tar.gz"):
        types = [BackupType.parse(word)] if slash else list(BackupType)
        return context.tarkeep.find_by_name(profile, types, check_archive_name(name)).id
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _not_a_time(text) from None
    stated = in_utc(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    if stated is None:
        raise _not_a_time(text)
    return stated


def _not_a_time(text: str) -> Problem:
    detail = (
        f"at must be latest, a day or time such as 2026-11-24 or 2026-11-24T02:00:00Z (a + written %2B), "
        f"or an archive, not {text[:80]!a}"
    )
    return Problem(400, "invalid-parameter", detail)


# -- chains ------------------------------------------------------------------------------------------------------------


async def list_chains(request: Request) -> Response:
    context, profile = Context.of(request), requested_profile(request)

    def answer() -> dict[str, object]:
        points = {point.archive.id: point for point in context.tarkeep.load_points(profile).all()}
        known = chains({id: point.link for id, point in points.items()})
        return {
            "profile": profile,
            "chains": [
                {
                    "base": archive_reference(chain.base),
                    "archives": [archive_reference(id) for id in chain.archives],
                    "size": sum(points[id].archive.size_bytes for id in chain.archives),
                    "restorable": sum(points[id].is_restorable for id in chain.archives),
                }
                for chain in known
                if chain.is_whole
            ],
            "orphans": [archive_reference(id) for chain in known if not chain.is_whole for id in chain.archives],
        }

    return await context.answer(answer)


# -- plans -----------------------------------------------------------------------------------------------------------


async def plan(request: Request) -> Response:
    context, profile = Context.of(request), requested_profile(request)
    wants_script = _wants_script(request)
    steps = request.query_params.get("steps", "")
    path, with_gaps = requested_path(request.query_params.get("path", "")), allows_gaps(request.query_params)
    if steps not in ("", "full"):
        raise Problem(400, "invalid-parameter", "steps must be full, or left out")

    def answer() -> Response:
        at = requested_time(request, context, profile)
        points = context.tarkeep.load_points(profile)
        made = context.tarkeep.make_plan(points, at, path, allow_gaps=with_gaps)
        passed_over = points.passed_over(at)
        if wants_script:
            server = f"{request.url.scheme}://{request.url.netloc}"
            script = _script(made, passed_over, server, allow_gaps=with_gaps)
            return Response(script, media_type=SCRIPT_TYPE, headers={"Vary": "Accept"})
        with_steps = steps == "full" or len(made.archives) <= MOST_STEPS
        body = _plan(profile, made, passed_over, with_steps=with_steps, allow_gaps=with_gaps)
        return answer_json(body, headers={"Vary": "Accept"})

    return await context.run(answer)


MOST_GAPS = 20
"""The number of missing names that a plan lists one by one."""


def _wants_script(request: Request) -> bool:
    asked = request.query_params.get("format")
    if asked not in (None, "", "json", "sh"):
        raise Problem(400, "invalid-parameter", "format must be json or sh")
    accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")}
    return asked == "sh" or (not asked and SCRIPT_TYPE in accepted)


def _plan(
    profile: str, made: MadePlan, passed_over: Sequence[PassedOver], *, with_steps: bool, allow_gaps: bool
) -> dict[str, object]:
    point = made.plan.point
    at = urlencode(_asked(made, allow_gaps=allow_gaps) | {"steps": "full"})
    return {
        "profile": profile,
        "point": archive_reference(point.archive.id),
        "taken_at": rfc3339(point.archive.taken_at),
        "fidelity": (Fidelity.EXACT if made.is_exact else Fidelity.OVERLAY).value,
        "evidence": point.evidence.value,
        "size": sum(archive.size_bytes for archive in made.archives),
        "length": len(made.archives),
        "steps": [
            {
                **archive_reference(archive.id),
                "size": archive.size_bytes,
                "sha256": archive.digests.sha256,
                "url": archive_location(archive.id),
                "incremental": made.is_exact,
            }
            for archive in made.archives
        ]
        if with_steps
        else None,
        "steps_url": f"/api/v1/profiles/{profile}/plan?{at}",
        "sound": made.plan.is_sound,
        "distrust": made.plan.distrust or None,
        "gaps": made.counts.lacking,
        "uncertain": made.counts.uncertain,
        "unknown": list(made.unknown),
        "gaps_url": gaps_location(point.archive.id, made.path) if made.counts or made.unknown else None,
        "passed_over": passed_over_json(passed_over),
        "warnings": [*(one.sentence for one in passed_over), *_warnings(made)],
    }


def _warnings(made: MadePlan) -> Iterator[str]:
    plan, point = made.plan, made.plan.point
    if made.unseen:
        yield f"whether the archives have all names of the tree could not be checked: {made.unseen}"
    if (left_out := point.standing.seen.left_out) and not made.path:
        yield left_out
    if plan.objection:
        yield f"tar must not extract these archives: {plan.objection}; restore.tar gives the tree"
    elif made.path:
        pass  # no client would extract whole archives for it
    elif made.counts or made.unknown:
        yield "GNU tar would not produce this tree from these archives; restore.tar does, but for what it lacks"
    elif not plan.is_sound:
        yield (
            "GNU tar, extracting one of these archives after the other, would not produce this tree: "
            f"{plan.distrust}; restore.tar does"
        )
    yield from _lacks(made)
    if not made.is_exact and len(made.archives) > 1:
        yield _LAID_OVER + (_RENAMED if any(map(_is_incremental, made.archives)) else "")
    for doubt in point.doubts:
        yield f"{doubt.archive.label}: {doubt.reason}"
    for archive in made.archives:
        for note in archive.notes:
            yield f"noted of {archive.id.label}: {note}"


_LAID_OVER = "plain archives are in the path: what was deleted in between comes back"
_RENAMED = (
    ", and renames are not carried out: a renamed directory has only what was archived since, and the rest is under "
    "its old name"
)


def _is_incremental(archive: BackupArchive) -> bool:
    return archive.contents is not None and archive.contents.kind is Kind.INCREMENTAL


def _lacks(made: MadePlan) -> Iterator[str]:
    """The missing names, the first ones listed one by one."""
    yield from made.unknown
    if made.lacks is None or not made.counts:
        return
    yield from (lack.sentence for lack in islice(made.lacks.all(made.path), MOST_GAPS))
    more = made.counts.lacking + made.counts.uncertain - MOST_GAPS
    if more > 0:
        yield f"{counted(more, 'more name')} that {'is' if more == 1 else 'are'} missing or may be out of date"


def _asked(made: MadePlan, *, allow_gaps: bool) -> dict[str, str]:
    """The query that asks for the same point, path and gaps again."""
    id = made.plan.point.archive.id
    asked = {"at": id.label}
    if made.path:
        asked["path"] = path_text(made.path)
    return asked | ({"allow_gaps": "1"} if allow_gaps else {})


def _script(made: MadePlan, passed_over: Sequence[PassedOver], server: str, *, allow_gaps: bool) -> str:
    point, archives = made.plan.point, made.archives
    size = human_size(sum(archive.size_bytes for archive in archives))
    title = (
        f"Restores {point.archive.id.profile} as it was at {rfc3339(point.archive.taken_at)}: "
        f"{counted(len(archives), 'archive')}, {size}."
    )
    steps = [Step(archive.id.label, archive_location(archive.id), archive.digests.sha256) for archive in archives]
    id = point.archive.id
    merged_at = f"/api/v1/profiles/{id.profile}/restore.tar?{urlencode(_asked(made, allow_gaps=allow_gaps))}"
    is_long = made.counts.lacking + made.counts.uncertain > MOST_GAPS
    return plan_script(
        title,
        server,
        steps,
        is_exact=made.is_exact,
        merged_at=None if made.plan.is_sound else merged_at,
        distrust=made.plan.distrust,
        lacks=tuple(_lacks(made)),
        named_at=gaps_location(id, made.path, format="text") if is_long else None,
        remarks=[one.sentence for one in passed_over],
    )


# -- what the next dump continues from -------------------------------------------------------------------------------


async def base(request: Request) -> Response:
    context, profile = Context.of(request), requested_profile(request)
    type = optional_type(request.query_params) or BackupType.INC
    asked = request.query_params.get("snapshot", "")
    if asked not in ("", "true", "false"):
        raise Problem(400, "invalid-parameter", "snapshot must be true or false")

    def answer() -> dict[str, object]:
        point = context.tarkeep.load_points(profile).base(type, with_snapshot=asked == "true")
        if point is None:
            detail = f"nothing is stored of {profile} that a dump of type {type.value} could continue from; make a FULL"
            raise Problem(404, "not-found", detail)
        archive = point.archive
        return {
            "type": type.value,
            "parent": archive_reference(archive.id),
            "taken_at": rfc3339(archive.taken_at),
            "received_at": rfc3339(archive.received_at),
            "chain_length": point.standing.length if point.standing is not None else 1,
            "snapshot": {
                "sha256": archive.lineage.snapshot_after,
                "url": archive_location(archive.id) + "/snapshot",
            }
            if archive.has_snapshot
            else None,
        }

    return await context.answer(answer)


async def put_snapshot(request: Request) -> Response:
    context, id = Context.of(request), requested_archive(request)

    def keep(blocks: Iterator[bytes]) -> Response:
        is_new = context.tarkeep.keep_snapshot(id, _not_empty(blocks))
        archive = context.tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
        body = {**archive_reference(id), "snapshot": {"sha256": archive.lineage.snapshot_after}}
        result = "new" if is_new else "duplicate"
        note_written(request, f"snapshot file of {id}", archive.lineage.snapshot_after, result)
        return answer_json(body, 201 if is_new else 200, {"Location": archive_location(id) + "/snapshot"})

    await context.run(lambda: context.tarkeep.admission.room(announced_bytes(request)))
    limit = context.settings.max_snapshot_bytes
    return await context.take(request, "snapshot file", limit, "max_snapshot_bytes", keep)


def _not_empty(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """*blocks*, unless empty: from an empty file tar makes a full dump, and the chain would look whole."""
    first = next(blocks, b"")
    if not first:
        raise Problem(422, "empty-archive", "the snapshot file is empty (0 bytes)")
    yield first
    yield from blocks


async def suspect(request: Request) -> Response:
    """A client received an archive with another SHA-256: have it read again."""
    context, id = Context.of(request), requested_archive(request)
    archive = await context.run(
        lambda: context.tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
    )
    principal = principal_of(request)
    whose = principal.token or (request.client.host if request.client else "")
    outcome = context.suspects.ask(archive, whose)
    done, _ = await asyncio.wait([asyncio.wrap_future(outcome)], timeout=SUSPECT_SECONDS)
    if not done:
        return answer_json({"state": archive.state.value, "checked": False})
    return answer_json({"state": outcome.result().value, "checked": True})


async def get_snapshot(request: Request) -> Response:
    context, id = Context.of(request), requested_archive(request)

    def opened() -> tuple[BackupArchive, ArchiveReader]:
        archive = context.tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
        return archive, context.tarkeep.read_snapshot(id)

    archive, reader = await context.run(opened)
    headers = {
        "Content-Disposition": attached(f"{id.name}.snar"),
        "Cache-Control": "private, no-cache",
        "Content-Length": str(reader.size_bytes),
    }
    if archive.lineage.snapshot_after is not None:  # the recorded digest, even if the disk has damaged the file
        headers["Repr-Digest"] = repr_digest(archive.lineage.snapshot_after)
    if request.method == "HEAD":
        with reader:
            return Response(headers=headers, media_type="application/octet-stream")
    return StreamedResponse(reader, context.executor, "application/octet-stream", headers=headers)
