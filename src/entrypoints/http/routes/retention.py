"""The routes of version 1 for retention: prune plans, the trash, holds and locks, the brake."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.on_record import BACK, OnRecord
from ....domain.access.tokens import Scope
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.retention.marks import check_hold_id
from ....domain.text.times import rfc3339
from ..answers.archives import archive_reference
from ..answers.problems import Problem
from ..answers.retention import brake_json, marks_json, plan_json, simulation_json, trashed_json
from ..context import Context, answer_json
from ..edge.access import GuardedRoute, Where, get, needs, own, post
from ..edge.guard import note_written, principal_of
from ..requests.json_body import json_body
from ..requests.parameters import moment, optional_profile
from .chains import ARCHIVE, PROFILE, requested_archive, requested_profile

MAX_BODY_BYTES = 1 << 16

_HEX = frozenset("0123456789abcdef")
_DIGEST_LENGTH = 64


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [
        get(PROFILE + "/prune", needs(Scope.LIST), show_plan),
        post(PROFILE + "/prune", needs(Scope.PRUNE), apply),
        post(PROFILE + "/prune/approve", needs(Scope.PRUNE), approve),
        post(PROFILE + "/prune/simulate", needs(Scope.LIST), simulate),
        get("/api/v1/trash", needs(Scope.LIST, profile=Where.HANDLER), list_trash),
        post(ARCHIVE + "/undelete", needs(Scope.PRUNE), undelete, is_own=True),
        get(ARCHIVE + "/marks", needs(Scope.LIST), show_marks, is_own=True),
        # an id with a slash comes here, too, to be called a bad id and not a bad name of an archive
        own(ARCHIVE + "/holds/{hold:path}", {"PUT": needs(Scope.PRUNE), "DELETE": needs(Scope.ADMIN)}, change_hold),
        own(PROFILE + "/brake", {"GET": needs(Scope.LIST), "DELETE": needs(Scope.ADMIN)}, brake),
        post("/api/v1/clock/accept", needs(Scope.ADMIN, profile=Where.EVERY), accept_clock),
        own(ARCHIVE + "/lock", {"PUT": needs(Scope.PRUNE)}, lock),
    ]


# -- plans -----------------------------------------------------------------------------------------------------------


async def show_plan(request: Request) -> Response:
    context, profile = Context.of(request), requested_profile(request)
    return await context.answer(lambda: plan_json(context.tarkeep.plan_prune(profile)))


async def apply(request: Request) -> Response:
    return await _apply(request, is_approved=False)


async def approve(request: Request) -> Response:
    return await _apply(request, is_approved=True)


async def _apply(request: Request, *, is_approved: bool) -> Response:
    context, profile = Context.of(request), requested_profile(request)

    def carry_out(blocks: Iterator[bytes]) -> Response:
        digest = plan_digest(json_body(blocks, _Apply).plan)

        by = "approved plan" if is_approved else "plan"
        record = OnRecord(principal_of(request).token, by, partial(context.enter, request))
        plan = context.tarkeep.apply_prune(profile, digest, is_approved=is_approved, record=record)
        return answer_json(plan_json(plan) | {"applied": True})

    return await context.take(request, "request", MAX_BODY_BYTES, None, carry_out)


async def simulate(request: Request) -> Response:
    context, profile = Context.of(request), requested_profile(request)

    def run(blocks: Iterator[bytes]) -> Response:
        asked = json_body(blocks, _Simulate)
        days = int(asked.days)
        if days != asked.days:  # 12.0 is an integer in JSON
            raise Problem(400, "invalid-parameter", f"days is a whole number, not {asked.days!r}")
        try:
            every = {BackupType.parse(type): stated for type, stated in asked.every.items()}
            simulation = context.tarkeep.simulate_pruning(profile, days, every)
        except ValueError as error:
            raise Problem(400, "invalid-parameter", str(error)) from None
        return answer_json(simulation_json(profile, simulation))

    return await context.take(request, "request", MAX_BODY_BYTES, None, run)


class _Simulate(msgspec.Struct, forbid_unknown_fields=True):
    days: int | float = 400
    every: dict[str, str] = {}


class _Apply(msgspec.Struct, forbid_unknown_fields=True):
    plan: str


def plan_digest(text: str) -> str:
    """
    The digest of a plan, as it is stated.

    Raises:
        Problem: ``invalid-parameter``.
    """
    if len(text) != _DIGEST_LENGTH or not _HEX.issuperset(text):
        raise Problem(400, "invalid-parameter", "plan must be the digest of a plan: 64 hexadecimal digits")
    return text


# -- the trash -------------------------------------------------------------------------------------------------------


async def list_trash(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)
    profile = optional_profile(request.query_params)

    def pieces() -> Iterator[bytes]:
        yield b'{"archives":['
        is_first = True
        for trashed, note in context.tarkeep.list_trash():
            if principal.sees(trashed.id.profile) and profile in (None, trashed.id.profile):
                yield (b"" if is_first else b",") + msgspec.json.encode(trashed_json(trashed, note))
                is_first = False
        yield b"]}\n"

    return context.stream_json(request, pieces())


async def undelete(request: Request) -> Response:
    context, id = Context.of(request), requested_archive(request)

    def bring_back() -> dict[str, object]:
        back = context.tarkeep.undelete(id)
        for one in back:
            context.enter(request, one, None, BACK)
        return {"profile": id.profile, "archives": [archive_reference(one) for one in back]}

    return await context.answer(bring_back)


# -- marks -----------------------------------------------------------------------------------------------------------


async def show_marks(request: Request) -> Response:
    context, id = Context.of(request), requested_archive(request)
    return await context.answer(lambda: marks_json(context.tarkeep.read_marks(id)))


class _Hold(msgspec.Struct, forbid_unknown_fields=True):
    reason: str
    until: str | None = None


async def change_hold(request: Request) -> Response:
    try:
        check_hold_id(request.path_params["hold"])
    except ValueError as error:
        raise Problem(400, "invalid-parameter", str(error)) from None
    return await (_make_hold if request.method == "PUT" else _release_hold)(request)


async def _make_hold(request: Request) -> Response:
    context, id, hold = Context.of(request), requested_archive(request), request.path_params["hold"]

    def make(blocks: Iterator[bytes]) -> Response:
        stated = json_body(blocks, _Hold)
        until = None if stated.until is None else moment("until", stated.until)
        try:
            marks = context.tarkeep.make_hold(id, hold, stated.reason, until)
        except ValueError as error:
            raise Problem(400, "invalid-parameter", str(error)) from None
        note_written(request, id, None, f"held by {hold}: {stated.reason}")
        return answer_json(marks_json(marks))

    return await context.take(request, "request", MAX_BODY_BYTES, None, make)


async def _release_hold(request: Request) -> Response:
    context, id, hold = Context.of(request), requested_archive(request), request.path_params["hold"]
    marks = await context.run(lambda: context.tarkeep.release_hold(id, hold, principal_of(request).token))
    note_written(request, id, None, f"hold {hold} released")
    return answer_json(marks_json(marks))


class _Lock(msgspec.Struct, forbid_unknown_fields=True):
    until: str


async def lock(request: Request) -> Response:
    context, id = Context.of(request), requested_archive(request)

    def make(blocks: Iterator[bytes]) -> Response:
        until = moment("until", json_body(blocks, _Lock).until)
        marks = context.tarkeep.lock_archive(id, until)
        note_written(request, id, None, f"locked until {rfc3339(until)}")
        return answer_json(marks_json(marks))

    return await context.take(request, "request", MAX_BODY_BYTES, None, make)


# -- the brake -------------------------------------------------------------------------------------------------------


async def brake(request: Request) -> Response:
    context, profile = Context.of(request), requested_profile(request)
    if request.method != "DELETE":
        return await context.answer(lambda: brake_json(profile, context.tarkeep.show_brake(profile)))
    to = archive_in(profile, request.query_params.get("to"))

    def release() -> dict[str, object]:
        released, left = context.tarkeep.release_brake(to, principal_of(request).token)
        for id in released:
            context.enter(request, id, None, "trusted, the brake is released")
        return {
            "profile": profile,
            "released": [archive_reference(id) for id in released],
            "braked_by": [archive_reference(id) for id in left],
        }

    return await context.answer(release)


def archive_in(profile: str, label: str | None) -> ArchiveId:
    """
    The archive of *profile* that is named as TYPE/NAME.

    Raises:
        Problem: ``invalid-parameter``: it is named otherwise, or not at all.
        InvalidType, InvalidName: it cannot be one.
    """
    type, slash, name = (label or "").partition("/")
    if not slash:
        raise Problem(400, "invalid-parameter", "to must be the last archive that was looked at, as TYPE/NAME")
    return ArchiveId(profile, BackupType.parse(type), name)


# -- the clock -------------------------------------------------------------------------------------------------------


async def accept_clock(request: Request) -> Response:
    context = Context.of(request)
    note = await context.run(context.tarkeep.accept_clock)
    note_written(request, "clock", None, "accepted")
    return answer_json({"seen_at": note.seen_at and rfc3339(note.seen_at), "doubt": note.doubt})


# -- bodies ----------------------------------------------------------------------------------------------------------
