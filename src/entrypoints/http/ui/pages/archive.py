"""One archive: what it is, what it builds on and what builds on it, what protects it, and its members."""

from __future__ import annotations

from urllib.parse import quote

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from .....domain.chains.standing import PlacedArchive
from .....domain.errors.archives import ArchiveNotFound
from .....domain.identity.archive_id import ArchiveId
from .....domain.text.paths import path_text, printable
from .....domain.watching.light import ConcernKind
from ...context import Context
from ...edge.guard import principal_of
from ...routes.chains import requested_archive
from ..frame import frame
from ..rendering import render

_MEMBERS, _CHILDREN = 100, 20


@frozen
class ShownMember:
    """A member of the archive as it is shown."""

    path: str
    kind: str
    size_bytes: int


def archive_url(id: ArchiveId) -> str:
    """The path of the page of an archive."""
    return f"/ui/p/{id.profile}/{id.type.value}/{quote(id.name, safe='')}"


async def show_archive(request: Request) -> Response:
    """The archive, and what is known of it."""
    context, id = Context.of(request), requested_archive(request)

    def answer() -> Response:
        tarkeep = context.tarkeep
        archive = tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
        places = tarkeep.load_points(id.profile).places()
        place = next((one for one in places if one.archive.id == id), None)
        if place is None:  # it was removed since
            raise ArchiveNotFound(str(id))
        children = [one.archive.id for one in places if one.link is not None and one.link.parent == id]
        marks, checked = tarkeep.read_marks(id), tarkeep.show_checks([id]).get(id)
        members = tarkeep.list_members(archive, _MEMBERS, -1) if archive.contents else None
        now = tarkeep.clock.now()
        values = {
            **frame(request),
            "archive": archive,
            "place": place,
            "obstacles": _obstacles(place),
            "parent": place.link.parent if place.link else None,
            "children": children[:_CHILDREN],
            "more_children": max(len(children) - _CHILDREN, 0),
            "url": archive_url,
            "marks": marks,
            "holds": [hold for hold in marks.holds if hold.counts(now)],
            "is_locked": marks.is_locked(now),
            "verified_at": None if checked is None else checked.verified_at,
            "fault": None if checked is None or checked.fault is None else checked.fault.value,
            "damaged": ConcernKind.DAMAGED,
            "now": now,
            "members": []
            if members is None
            else [
                ShownMember(printable(path_text(one.path)), one.type.value, one.size_bytes) for one in members.entries
            ],
            "has_more_members": members is not None and members.has_more,
            "server_url": str(request.base_url).rstrip("/"),
        }
        return render("archive.html", values)

    return await context.run(answer)


def _obstacles(place: PlacedArchive) -> list[str]:
    """Why its point does not restore; empty if it does."""
    if place.standing is None or place.standing.is_restorable:
        return []
    obstacles = place.standing.all_obstacles(place.archive.id)
    return [f"{one.archive.type.value}/{one.archive.name}: {one.reason}" for one in obstacles]
