"""The tree of a profile at a time, folder by folder, and how to get any part of it back."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from .....domain.tar.members import Member, MemberType
from .....domain.text.paths import path_text, printable
from .....domain.usecases.looking.browse_tree import TreeEntry
from ...context import Context
from ...requests.parameters import allows_gaps, requested_path
from ...routes.chains import requested_profile, requested_time
from ..frame import frame
from ..rendering import render

_PAGE = 200


@frozen
class ShownName:
    """A name in a folder as it is shown; *open* leads into a folder, *get* to the content of a file."""

    name: str
    kind: str
    size_bytes: int | None
    modified_at: datetime | None
    link: str
    open: str
    get: str


async def show_tree(request: Request) -> Response:
    """One folder of the tree at a time."""
    context, profile, query = Context.of(request), requested_profile(request), request.query_params
    path, at = requested_path(query.get("path", "")), query.get("at", "")
    after = requested_path(query["after"], "after") if query.get("after") else None
    with_gaps = allows_gaps(query)
    opened = await context.open_point(profile, lambda: requested_time(request, context, profile), with_gaps)

    def answer() -> Response:
        page = context.tarkeep.list_directory(opened, path, _PAGE, after)
        base = f"/ui/p/{profile}"

        def link(to: bytes, **more: str) -> str:
            asked = {"at": at, "path": path_text(to), **more}
            return f"{base}/tree?{urlencode({name: value for name, value in asked.items() if value})}"

        parts = path.split(b"/") if path else []
        asked = urlencode({name: value for name, value in (("at", at), ("path", path_text(path))) if value})
        point = opened.plan.point.archive
        values = {
            **frame(request),
            "profile": profile,
            "point": point,
            "path": printable(path_text(path)),
            "at": at,
            "crumbs": [
                (printable(path_text(part)), link(b"/".join(parts[: number + 1]))) for number, part in enumerate(parts)
            ],
            "root": link(b""),
            "names": [_shown(entry, path, base, link(entry.path)) for entry in page.entries],
            "next": link(path, after=path_text(page.entries[-1].path.rpartition(b"/")[2])) if page.has_more else "",
            "tar": f"{base}/restore.tar?{asked}",
            "targz": f"{base}/restore.tar.gz?{asked}",
            "line": f"curl -OJ '{request.base_url!s}api/v1/profiles/{profile}/restore.tar?{asked}'",
        }
        return render("tree.html", values)

    return await context.run(answer)


def _shown(entry: TreeEntry, folder: bytes, base: str, inside: str) -> ShownName:
    member, name = entry.member, entry.path.rpartition(b"/")[2] or entry.path
    is_folder = member is None or member.type is MemberType.DIRECTORY
    is_file = member is not None and member.type is MemberType.FILE
    return ShownName(
        printable(path_text(name)),
        "folder" if is_folder else member.type.value if member is not None else "",
        member.size_bytes if member is not None and is_file else None,
        _modified(member),
        printable(path_text(member.link)) if member is not None and member.link else "",
        inside if is_folder else "",
        _content(entry, base) if is_file else "",
    )


def _content(entry: TreeEntry, base: str) -> str:
    assert entry.archive is not None
    assert entry.member is not None
    id = entry.archive.id
    member = quote(path_text(entry.member.path), safe="/")
    return f"{base}/archives/{id.type.value}/{quote(id.name, safe='')}/members/{member}"


def _modified(member: Member | None) -> datetime | None:
    if member is None:
        return None
    try:
        return datetime.fromtimestamp(member.mtime_ns // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
