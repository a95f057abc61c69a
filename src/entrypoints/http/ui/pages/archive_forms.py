"""What the page of an archive changes: holds, the lock, and reading it again."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from .....domain.access.tokens import Scope
from .....domain.text.times import rfc3339
from ...answers.problems import Problem
from ...context import Context
from ...edge.access import Access, Where
from ...edge.guard import note_written
from ...requests.parameters import moment
from ...routes.chains import requested_archive
from ..done import Done
from ..forms import SentForm, carry_out
from .archive import archive_url, show_archive

_RELEASES = Access((Scope.ADMIN,), Where.PATH)


async def hold(request: Request) -> Response:
    """Hold the archive."""
    context, id = Context.of(request), requested_archive(request)

    def work(asked: SentForm) -> str:
        name, reason = asked.fields.get("name", ""), asked.fields.get("reason", "").strip()
        try:
            context.tarkeep.make_hold(id, name, reason, _until(asked))
        except ValueError as error:
            raise Problem(400, "invalid-parameter", str(error)) from None
        note_written(request, id, None, f"held by {name}: {reason}")
        return Done.HELD.at(archive_url(id))

    return await carry_out(request, show_archive, work)


async def release(request: Request) -> Response:
    """Release a hold of the archive."""
    context, id = Context.of(request), requested_archive(request)

    def work(asked: SentForm) -> str:
        name = asked.fields.get("name", "")
        context.tarkeep.release_hold(id, name, asked.principal.token)
        note_written(request, id, None, f"hold {name} released")
        return Done.RELEASED.at(archive_url(id))

    return await carry_out(request, show_archive, work, proof=_RELEASES)


async def lock(request: Request) -> Response:
    """Lock the archive until a time."""
    context, id = Context.of(request), requested_archive(request)

    def work(asked: SentForm) -> str:
        until = _until(asked)
        if until is None:
            raise Problem(400, "invalid-parameter", "a lock needs a day on which it ends")
        context.tarkeep.lock_archive(id, until)
        note_written(request, id, None, f"locked until {rfc3339(until)}")
        return Done.LOCKED.at(archive_url(id))

    return await carry_out(request, show_archive, work)


async def scrub(request: Request) -> Response:
    """Have the archives of its profile read again, this one among them."""
    context, id = Context.of(request), requested_archive(request)

    def work(asked: SentForm) -> str:
        try:
            run = context.tarkeep.ask_for_scrub(id.profile, asked.principal.token)
        finally:
            context.jobs.wake()
        note_written(request, f"job {run.job}", None, f"run {run.number} asked for")
        return Done.SCRUB_ASKED.at(archive_url(id))

    return await carry_out(request, show_archive, work)


def _until(asked: SentForm) -> datetime | None:
    text = asked.fields.get("until", "").strip()
    return moment("the day", text) if text else None
