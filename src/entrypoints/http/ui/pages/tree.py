"""The tree of a profile at a time, folder by folder, and how to get any part of it back."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from .....domain.access.tokens import Scope
from .....domain.archives.archive import BackupArchive
from .....domain.chains.standing import PlacedArchive
from .....domain.errors.restoring import PathNotFound, PointNotRestorable
from .....domain.tarkeep_error import TarkeepError
from .....domain.text.paths import path_text, printable
from .....domain.usecases.looking.pages import ShownPage
from .....domain.usecases.restoring.open_point import OpenedPoint
from ...context import Context
from ...edge.guard import principal_of
from ...requests.parameters import allows_gaps, requested_path
from ...routes.chains import requested_profile, requested_time
from ..commands import at_client, curl
from ..frame import frame
from ..rendering import render
from .archive import archive_url
from .tree_names import ChosenName, ShownVersion, chosen_name, shown_name, shown_versions

_PAGE = 200
_VERSIONS = 50


@frozen
class _Wanted:
    """What a request asks for: the tree *at* a time, in it a folder by its path, a name in that, or names to find."""

    profile: str
    at: str
    path: bytes
    file: bytes
    find: bytes
    after: bytes | None
    with_gaps: bool

    def link(self, path: bytes, file: str = "", *, at: str | None = None, **more: str) -> str:
        """The address of the page for the folder *path*, at another time or the same, with a name chosen in it."""
        asked = {
            "at": self.at if at is None else at,
            "path": path_text(path),
            "file": file,
            "allow_gaps": "1" if self.with_gaps else "",
            **more,
        }
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"/ui/p/{self.profile}/tree{'?' if query else ''}{query}{'#file' if file else ''}"


async def show_tree(request: Request) -> Response:
    """One folder of the tree at a time, or the names that were looked for; and what is known of one of them."""
    context, profile, query = Context.of(request), requested_profile(request), request.query_params
    wanted = _Wanted(
        profile,
        query.get("at", ""),
        _plain(requested_path(query.get("path", ""))),
        _plain(requested_path(query.get("file", ""), "file")),
        requested_path(query.get("find", ""), "find"),
        requested_path(query["after"], "after") if query.get("after") else None,
        allows_gaps(query),
    )
    try:
        opened = await context.open_point(profile, lambda: requested_time(request, context, profile), wanted.with_gaps)
    except PointNotRestorable as error:
        return _not_restorable(request, wanted, error)
    return await context.run(lambda: _page(request, wanted, opened))


def _plain(path: bytes) -> bytes:
    """*path* without slashes that say nothing, as the tree has it."""
    return b"/".join(filter(None, path.split(b"/")))


def _page(request: Request, wanted: _Wanted, opened: OpenedPoint) -> Response:
    tarkeep, path, point = Context.of(request).tarkeep, wanted.path, opened.plan.point.archive
    is_missing = False
    if wanted.find:
        page = tarkeep.search_tree(opened, wanted.find, _PAGE, wanted.after)
    else:
        try:
            page = tarkeep.list_directory(opened, path, _PAGE, wanted.after)
        except PathNotFound:  # the folder came later or went before; from here a step leads to where it is
            is_missing, page = True, ShownPage((), False)
    last = page.entries[-1].path if page.has_more else b""
    if wanted.find:
        following = wanted.link(path, find=path_text(wanted.find), after=path_text(last))
    else:
        following = wanted.link(path, after=path_text(last.rpartition(b"/")[2]))
    parts = path.split(b"/") if path else []
    base, asked = f"/ui/p/{wanted.profile}", _asked(point, path, with_gaps=wanted.with_gaps)
    before, behind = _beside(tarkeep.load_points(wanted.profile).places(), point)
    values = {
        **frame(request),
        "profile": wanted.profile,
        "point": point,
        "point_url": archive_url(point.id),
        "at": wanted.at,
        "path_text": path_text(path),
        "path": printable(path_text(path)),
        "find": path_text(wanted.find),
        "found": printable(path_text(wanted.find)),
        "with_gaps": wanted.with_gaps,
        "is_after": wanted.after is not None,
        "gaps": opened.count(path),
        "before": before,
        "before_url": "" if before is None else wanted.link(path, path_text(wanted.file), at=before.id.label),
        "behind": behind,
        "behind_url": "" if behind is None else wanted.link(path, path_text(wanted.file), at=behind.id.label),
        "crumbs": [
            (printable(path_text(part)), wanted.link(b"/".join(parts[: number + 1])))
            for number, part in enumerate(parts)
        ],
        "root": wanted.link(b""),
        "folder": wanted.link(path),
        "names": [shown_name(entry, wanted.link, with_folder=bool(wanted.find)) for entry in page.entries],
        "next": following if page.has_more else "",
        "is_missing": is_missing,
        "can_get": principal_of(request).may(Scope.PULL),
        "tar": f"{base}/restore.tar?{asked}",
        "targz": f"{base}/restore.tar.gz?{asked}",
        "lines": _lines(request, wanted, point),
        **_chosen(request, wanted, opened),
    }
    return render("tree.html", values, 404 if is_missing else 200)


def _chosen(request: Request, wanted: _Wanted, opened: OpenedPoint) -> dict[str, object]:
    """What is known of the chosen name: nothing of one that is not there at that time."""
    chosen: ChosenName | None = None
    versions: list[ShownVersion] = []
    trouble = ""
    if wanted.file:
        tarkeep = Context.of(request).tarkeep
        whole = b"/".join(filter(None, (wanted.path, wanted.file)))
        try:
            entries = tarkeep.list_directory(opened, whole, 1).entries if opened.tree.entry(whole) else ()
            chosen = chosen_name(entries[0], wanted.link) if entries and entries[0].path == whole else None
        except PathNotFound:
            pass
        try:
            found = tarkeep.trace_history(wanted.profile, whole)
        except TarkeepError as error:  # the name is there all the same
            trouble, found = str(error), []
        versions = shown_versions(found, lambda id: wanted.link(wanted.path, path_text(wanted.file), at=id.label))
    return {
        "file": printable(path_text(wanted.file)),
        "chosen": chosen,
        "versions": versions[:_VERSIONS],
        "older_versions": max(len(versions) - _VERSIONS, 0),
        "trouble": trouble,
    }


def _beside(places: Sequence[PlacedArchive], point: BackupArchive) -> tuple[BackupArchive | None, BackupArchive | None]:
    """The archives whose points restore right before and right after *point*, by the time they were taken."""
    earlier: BackupArchive | None = None
    is_behind = False
    for place in places:
        if place.archive.id == point.id:
            is_behind = True
        elif place.standing is not None and place.standing.is_restorable:
            if is_behind:
                return earlier, place.archive
            earlier = place.archive
    return earlier, None


def _asked(point: BackupArchive, path: bytes, *, with_gaps: bool) -> str:
    """The query that asks for this very tree, also when a newer one has come."""
    asked = {"at": point.id.label, "path": path_text(path), "allow_gaps": "1" if with_gaps else ""}
    return urlencode({name: value for name, value in asked.items() if value})


def _lines(request: Request, wanted: _Wanted, point: BackupArchive) -> dict[str, str]:
    """The commands that restore this folder."""
    api, asked = f"/api/v1/profiles/{wanted.profile}", _asked(point, wanted.path, with_gaps=wanted.with_gaps)
    part = ["--path", path_text(wanted.path)] if wanted.path else []
    gaps = ["--allow-gaps"] if wanted.with_gaps else []
    whole = _asked(point, b"", with_gaps=wanted.with_gaps)  # a script restores archives, and those hold all of a tree
    restore = ["restore", wanted.profile, "--into", "restored", "--at", point.id.label, *part, *gaps]
    return {
        "curl": f"{curl(request, f'{api}/restore.tar?{asked}', '-f')} | tar -x",
        "tarkeep": at_client(request, *restore),
        "plan": f"{curl(request, f'{api}/plan?{whole}&format=sh', '-f', '-o', 'plan.sh')} && sh plan.sh restored",
    }


def _not_restorable(request: Request, wanted: _Wanted, error: PointNotRestorable) -> Response:
    """Why the point does not restore, and what can be looked at all the same."""
    values = {
        **frame(request),
        "profile": wanted.profile,
        "id": error.id,
        "id_url": archive_url(error.id),
        "reasons": error.reasons,
        "nearest": [(id.label, wanted.link(wanted.path, at=id.label)) for id in error.nearest],
        "lacks": error.lacks,
        "anyway": wanted.link(wanted.path, allow_gaps="1") if error.lacks is not None else "",
        "line": at_client(request, "points", wanted.profile),
    }
    return render("not_restorable.html", values, 409)
