"""The routes of version 1 for looking inside and restoring: trees, names, histories, members, and trees as tar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.tokens import Scope
from ....domain.archives.archive import BackupArchive
from ....domain.chains.standing import Fidelity
from ....domain.tar.members import Member, MemberType
from ....domain.text.paths import path_text
from ....domain.text.times import rfc3339
from ....domain.usecases.looking.browse_tree import TreeEntry
from ....domain.usecases.looking.pages import ShownPage
from ....domain.usecases.restoring.open_point import OpenedPoint
from ..answers.archives import archive_reference, nanoseconds_rfc3339, passed_over_json
from ..answers.conditional import Representation
from ..answers.download import Source, StreamedResponse, attached, selected_response
from ..answers.problems import Problem
from ..context import Context, answer_json
from ..edge.access import GuardedRoute, get, needs
from ..edge.guard import principal_of
from ..requests.parameters import allows_gaps, checked_text, requested_path, whole_number
from .chains import ARCHIVE, PROFILE, requested_archive, requested_profile, requested_time
from .gaps import count_headers, next_link

MAX_PAGE = 1000


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [
        get(PROFILE + "/restore.tar", needs(Scope.PULL), restore_tar),
        get(PROFILE + "/restore.tar.gz", needs(Scope.PULL), restore_tar_gz),
        get(PROFILE + "/tree", needs(Scope.LIST), tree),
        get(PROFILE + "/find", needs(Scope.LIST), find),
        get(PROFILE + "/history", needs(Scope.LIST), history),
        get(ARCHIVE + "/members", needs(Scope.LIST), list_members, is_own=True),
        get(ARCHIVE + "/members/{path:path}", needs(Scope.PULL), get_member, is_own=True),
    ]


# -- a tree as a tar -------------------------------------------------------------------------------------------------


async def restore_tar(request: Request) -> Response:
    return await _restored(request, is_packed=False)


async def restore_tar_gz(request: Request) -> Response:
    return await _restored(request, is_packed=True)


async def _restored(request: Request, *, is_packed: bool) -> Response:
    context, profile = Context.of(request), requested_profile(request)
    path, with_gaps = requested_path(request.query_params.get("path", "")), allows_gaps(request.query_params)

    with ExitStack() as turn:
        turn.enter_context(context.restoring())
        opened = await context.open_point(profile, lambda: requested_time(request, context, profile), with_gaps)
        pieces = await context.run(lambda: context.tarkeep.restore_tar(opened, path, allow_gaps=with_gaps))
        counts = await context.run(lambda: count_headers(opened, path))
        held = turn.pop_all()  # until the last byte is sent
    point = opened.plan.point
    headers = {
        "Content-Disposition": attached(f"{profile}.tar{'.gz' if is_packed else ''}"),
        "Tarkeep-Point": f"{point.archive.id.type.value}/{quote(point.archive.id.name)}",
        "Tarkeep-Fidelity": (Fidelity.EXACT if opened.way.is_exact else Fidelity.OVERLAY).value,
        "Cache-Control": "private, no-cache",
        **counts,
    }
    if opened.way.passed_over:  # the plan gives the reasons
        labels = (f"{one.archive.type.value}/{quote(one.archive.name)}" for one in opened.way.passed_over)
        headers["Tarkeep-Passed-Over"] = ", ".join(labels)
    media_type = "application/gzip" if is_packed else "application/x-tar"
    packed = context.tarkeep.pack(pieces) if is_packed else pieces
    # the length of an answer to HEAD is unknown, and none of its content is made
    sent = _closing(iter(()), packed, pieces) if request.method == "HEAD" else _closing(packed, pieces)
    return StreamedResponse(_with(held, sent), context.executor, media_type, headers=headers)


# -- looking around --------------------------------------------------------------------------------------------------


async def tree(request: Request) -> Response:
    query = request.query_params
    path = requested_path(query.get("path", ""))
    asked = query.get("recursive", "")
    if asked not in ("", "true", "false"):
        raise Problem(400, "invalid-parameter", "recursive must be true or false")
    if asked == "true":
        return await _listing(
            request,
            lambda context, opened, limit, after: context.tarkeep.list_tree(opened, path, limit, after),
            path,
        )
    return await _listing(
        request,
        lambda context, opened, limit, after: context.tarkeep.list_directory(
            opened, path, limit, after and after.rpartition(b"/")[2]
        ),
        path,
    )


async def find(request: Request) -> Response:
    text = request.query_params.get("name", "")
    if not text:
        raise Problem(400, "invalid-parameter", "name is missing: a part of a name, or a pattern such as *.conf")
    pattern = requested_path(text, "name")
    return await _listing(
        request,
        lambda context, opened, limit, after: context.tarkeep.search_tree(opened, pattern, limit, after),
        b"",
    )


async def _listing(
    request: Request,
    look: Callable[[Context, OpenedPoint, int, bytes | None], ShownPage[TreeEntry]],
    path: bytes,
) -> Response:
    context, profile = Context.of(request), requested_profile(request)
    limit = whole_number(request.query_params, "limit", 100, 1, MAX_PAGE)
    cursor = request.query_params.get("cursor")
    after = requested_path(cursor, "cursor") if cursor else None

    with_gaps = allows_gaps(request.query_params)
    opened = await context.open_point(profile, lambda: requested_time(request, context, profile), with_gaps)

    def answer() -> Response:
        page = look(context, opened, limit, after)
        references = {id(archive): archive_reference(archive.id) for archive in opened.archives}
        following = path_text(page.entries[-1].path) if page.has_more else None
        body = {
            "profile": profile,
            "point": archive_reference(opened.plan.point.archive.id),
            "path": path_text(path),
            "entries": [_tree_entry(entry, references) for entry in page.entries],
            "next_cursor": following,
            "gaps": (counts := opened.count(path)).lacking,
            "uncertain": counts.uncertain,
            "passed_over": passed_over_json(opened.way.passed_over),
        }
        return answer_json(body, headers=count_headers(opened, path, next_link(request, following)))

    return await context.run(answer)


def _tree_entry(entry: TreeEntry, references: Mapping[int, object]) -> dict[str, object]:
    """*entry*, with its archive taken from *references* by its `id`."""
    return {
        "path": path_text(entry.path),
        **_described(entry.member),
        "archive": references[id(entry.archive)] if entry.archive is not None else None,
    }


def _described(member: Member | None) -> dict[str, object]:
    """A description of a member; a directory without a member is only named as such."""
    if member is None:
        return dict.fromkeys(("mode", "uid", "gid", "uname", "gname", "mtime", "link"), None) | {
            "type": MemberType.DIRECTORY,
            "size": 0,
        }
    return {
        "type": member.type,
        "size": member.size_bytes,
        "mtime": nanoseconds_rfc3339(member.mtime_ns),
        "mode": f"{member.mode:04o}",
        "uid": member.uid,
        "gid": member.gid,
        "uname": path_text(member.uname),
        "gname": path_text(member.gname),
        "link": path_text(member.link) if member.link else None,
    }


async def history(request: Request) -> Response:
    context, profile = Context.of(request), requested_profile(request)
    text = request.query_params.get("path", "")
    if not text:
        raise Problem(400, "invalid-parameter", "path is missing: which file or directory?")
    path = requested_path(text)
    return await context.answer(
        lambda: {
            "profile": profile,
            "path": path_text(path),
            "versions": [
                {
                    "archive": archive_reference(version.archive.id),
                    "taken_at": rfc3339(version.archive.taken_at),
                    "event": version.change.value,
                    "renamed_from": None if version.was is None else path_text(version.was),
                    "stored_in": version.stored_in and archive_reference(version.stored_in.id),
                    "type": version.member and version.member.type.value,
                    "size": version.member and version.member.size_bytes,
                    "mtime": version.member and nanoseconds_rfc3339(version.member.mtime_ns),
                }
                for version in context.tarkeep.trace_history(profile, path)
            ],
        }
    )


# -- archives by their members ---------------------------------------------------------------------------------------


async def list_members(request: Request) -> Response:
    context, id = Context.of(request), requested_archive(request)
    query = request.query_params
    limit = whole_number(query, "limit", 100, 1, MAX_PAGE)
    after = whole_number(query, "cursor", -1, 0, 1 << 62)

    def answer() -> Response:
        archive = context.tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
        page = context.tarkeep.list_members(archive, limit, after)
        following = str(page.entries[-1].at) if page.has_more else None
        body = {
            "members": [{"path": path_text(member.path), **_described(member)} for member in page.entries],
            "next_cursor": following,
        }
        return answer_json(body, headers=next_link(request, following))

    return await context.run(answer)


async def get_member(request: Request) -> Response:
    context, id = Context.of(request), requested_archive(request)
    path = requested_path(checked_text(request.path_params["path"], "the path"))

    def find_member() -> tuple[BackupArchive, Member]:
        archive = context.tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
        return archive, context.tarkeep.find_member(archive, path)

    archive, member = await context.run(find_member)
    # two members of one name differ in their position
    what = Representation(f'"{archive.digests.sha256}-{member.data_at}"', archive.received_at, member.size_bytes)

    def opened(start: int, stop: int) -> Source:
        return _closing(context.tarkeep.read_member(archive, member, start, stop))

    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.rpartition(b'/')[2], safe='')}"}
    return await selected_response(request, what, opened, context.executor, headers, "application/octet-stream")


@contextmanager
def _closing(pieces: Iterator[bytes], *others: Iterator[bytes]) -> Iterator[Iterable[bytes]]:
    """*pieces*, from generators that are closed with the context and then release their resources at once."""
    with ExitStack() as held:
        for one in (*others, pieces):
            close = getattr(one, "close", None)
            if close is not None:
                held.callback(close)
        yield pieces


@contextmanager
def _with(held: ExitStack, source: Source) -> Iterator[Iterable[bytes]]:
    """*source*, with *held* kept open as long as it is."""
    with held, source as pieces:
        yield pieces
