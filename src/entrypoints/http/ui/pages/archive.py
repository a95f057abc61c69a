"""One archive: what it is, what it builds on and what builds on it, what protects it, and its members."""

from __future__ import annotations

from urllib.parse import quote

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from .....domain.chains.standing import PlacedArchive
from .....domain.errors.archives import ArchiveNotFound
from .....domain.identity.archive_id import ArchiveId
from .....domain.retention.decisions import PrunePlan
from .....domain.tar.members import Member, MemberType
from .....domain.text.paths import path_text, printable
from .....domain.watching.light import ConcernKind
from ...context import Context
from ...edge.guard import principal_of
from ...requests.parameters import whole_number
from ...routes.chains import requested_archive
from ..commands import at_server, curl
from ..frame import frame
from ..rendering import render

_MEMBERS, _CHILDREN, _TRIED = 100, 20, 10
_FARTHEST = 1 << 62


@frozen
class ShownMember:
    """A member of the archive as it is shown; *get* leads to the content of a file."""

    path: str
    kind: str
    size_bytes: int
    get: str


def archive_url(id: ArchiveId) -> str:
    """The path of the page of an archive."""
    return f"/ui/p/{id.profile}/{id.type.value}/{quote(id.name, safe='')}"


async def show_archive(request: Request) -> Response:
    """The archive, and what is known of it."""
    context, id = Context.of(request), requested_archive(request)
    after = whole_number(request.query_params, "after", -1, 0, _FARTHEST)

    def answer() -> Response:
        tarkeep = context.tarkeep
        archive = tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
        places = tarkeep.load_points(id.profile).places()
        place = next((one for one in places if one.archive.id == id), None)
        if place is None:  # it was removed since
            raise ArchiveNotFound(str(id))
        children = [one.archive.id for one in places if one.link is not None and one.link.parent == id]
        marks, checked = tarkeep.read_marks(id), tarkeep.show_checks([id]).get(id)
        members = tarkeep.list_members(archive, _MEMBERS, after) if archive.contents else None
        now = tarkeep.clock.now()
        values = {
            **frame(request),
            "archive": archive,
            "place": place,
            "obstacles": _obstacles(place),
            "parent": place.link.parent if place.link else None,
            "tried": [] if place.link is None else place.link.tried[:_TRIED],
            "reasons": _reasons(tarkeep.plan_prune(id.profile), id),
            "children": children[:_CHILDREN],
            "more_children": max(len(children) - _CHILDREN, 0),
            "url": archive_url,
            "page_url": archive_url(id),
            "marks": marks,
            "holds": [hold for hold in marks.holds if hold.counts(now)],
            "is_locked": marks.is_locked(now),
            "verified_at": None if checked is None else checked.verified_at,
            "fault": None if checked is None or checked.fault is None else checked.fault.value,
            "damaged": ConcernKind.DAMAGED,
            "now": now,
            "members": [_shown(one, id) for one in members.entries] if members is not None else [],
            "more_members": members.entries[-1].at if members is not None and members.has_more else None,
            "is_first_members": after < 0,
            "lines": _lines(id, request, marks.holds[0].id if len(marks.holds) == 1 else "NAME"),
        }
        return render("archive.html", values)

    return await context.run(answer)


def _lines(id: ArchiveId, request: Request, hold: str) -> dict[str, str]:
    """The commands that do what the page does; *hold* is the name of the one to release."""
    path = f"/api/v1/profiles/{id.profile}/archives/{id.type.value}/{quote(id.name, safe='')}"
    return {
        "download": curl(request, path, "-O"),
        "hold": at_server("hold", "add", id.profile, id.label, "--id", "NAME", "--reason", "WHY"),
        "release": at_server("hold", "release", id.profile, id.label, "--id", hold),
        "lock": at_server("lock", id.profile, id.label, "--until", "30d"),
        "scrub": at_server("scrub", id.profile),
    }


def _reasons(plan: PrunePlan, id: ArchiveId) -> list[tuple[bool, str]]:
    """Whether the present plan keeps the archive, and why, for each reason."""
    decision = next((one for one in plan.decisions if one.archive.id == id), None)
    return [] if decision is None else [(decision.is_kept, reason.text) for reason in decision.reasons]


def _shown(member: Member, id: ArchiveId) -> ShownMember:
    name, folder = path_text(member.path), f"/ui/p/{id.profile}/archives/{id.type.value}/{quote(id.name, safe='')}"
    is_file = member.type is MemberType.FILE and not member.is_sparse  # of a sparse one only a tar has its holes
    get = f"{folder}/members/{quote(name)}" if is_file else ""
    return ShownMember(printable(name) or ".", member.type.value, member.size_bytes, get)


def _obstacles(place: PlacedArchive) -> list[str]:
    """Why its point does not restore; empty if it does."""
    if place.standing is None or place.standing.is_restorable:
        return []
    obstacles = place.standing.all_obstacles(place.archive.id)
    return [f"{one.archive.type.value}/{one.archive.name}: {one.reason}" for one in obstacles]
