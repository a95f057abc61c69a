"""
The routes of version 1 for restore points: page by page or all of them, and one with its whole path.

A point names its parent and the verdict on its path. Full paths at every point would grow with the square of the number
of points, so they are only sent on request, or, for clients that do not know the request, if all points come in one
answer and the paths are short.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.tokens import Scope
from ....domain.archives.archive import BackupArchive
from ....domain.chains.kept_links import PlacedPage
from ....domain.chains.link import Link
from ....domain.chains.points import RestorePoint
from ....domain.chains.standing import Doubt, Obstacle, PlacedArchive, Standing
from ....domain.identity.archive_id import ArchiveId
from ....domain.text.paths import path_text
from ....domain.text.times import rfc3339
from ....domain.usecases.restoring.load_points import ProfilePoints
from ..answers.archives import archive_reference, link_json
from ..answers.problems import Problem
from ..context import Context, answer_json
from ..edge.access import GuardedRoute, get, needs
from ..edge.guard import principal_of
from ..requests.parameters import whole_number
from .chains import PROFILE, requested_archive, requested_profile

MAX_PAGE = 1000
SHORT_PATH = 50
"""The longest path sent by default, in archives; `tarkeep backup` makes chains of 40 by itself."""
SHORT_PATHS = 20_000
"""The most archives in all paths together for which paths are sent by default."""
SHORT_ANSWER = 10_000
"""The most points for which paths are sent by default."""

_AT_ONCE = 200  # points encoded together
_FULL_AT_ONCE = 20  # points with their paths encoded together


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [
        get(PROFILE + "/points", needs(Scope.LIST), list_points),
        get(PROFILE + "/points/{type}/{name}", needs(Scope.LIST), show_point),
    ]


class Point(msgspec.Struct):
    """A point in a list. *path* has the indexes of its archives among all points."""

    type: str
    name: str
    size: int
    taken_at: str
    received_at: str
    kind: str | None
    state: str
    restorable: bool
    sound: bool
    distrust: str | None
    gaps: int
    fidelity: str
    evidence: str
    link: dict[str, object]
    length: int
    path_size: int
    has_snapshot: bool
    obstacles: list[dict[str, object]]
    doubts: list[dict[str, object]]
    notes: tuple[str, ...]
    url: str
    restore_minutes: float | None = None
    path: list[int] | msgspec.UnsetType = msgspec.UNSET


def point_location(id: ArchiveId) -> str:
    """The path of a point's URL."""
    return f"/api/v1/profiles/{id.profile}/points/{id.type.value}/{quote(id.name, safe='')}"


async def list_points(request: Request) -> Response:
    context, profile, query = Context.of(request), requested_profile(request), request.query_params
    paths = query.get("paths", "")
    if paths not in ("", "full"):
        raise Problem(400, "invalid-parameter", "paths must be full, or left out")
    if paths and "limit" not in query and "cursor" not in query:
        every = await context.run(lambda: context.tarkeep.load_points(profile).all())
        measured = await context.run(lambda: context.tarkeep.measure_restores(profile))
        pieces = _timed(_in_pieces(_with_paths(every), _FULL_AT_ONCE), measured)
        return context.stream_json(request, _whole(profile, pieces))
    rate = await context.run(lambda: context.tarkeep.measure_restores(profile))
    is_page = "limit" in query or "cursor" in query
    limit = whole_number(query, "limit", 100, 1, MAX_PAGE) if is_page else SHORT_ANSWER
    try:
        points = await context.run(lambda: context.tarkeep.load_points(profile))
        page = await context.run(lambda: points.page(query.get("cursor"), limit))
    except ValueError:
        raise Problem(400, "invalid-parameter", "cursor is not one that a page gave out; start without one") from None
    if not is_page:
        return context.stream_json(request, _whole(profile, _timed(_all_of(points, page), rate)))
    headers = {}
    if page.next_cursor is not None:
        following = {"paths": paths, "limit": str(limit), "cursor": page.next_cursor}
        asked = urlencode({name: value for name, value in following.items() if value})
        headers["Link"] = f'</api/v1/profiles/{profile}/points?{asked}>; rel="next"'

    def answer() -> Response:
        told = _page_with_paths(points, page) if paths else [point_in_list(place) for place in page.places]
        for point in told:
            _timed_one(point, rate)
        body = {"profile": profile, "points": told, "next_cursor": page.next_cursor}
        return answer_json(body, headers=headers)

    return await context.run(answer)


async def show_point(request: Request) -> Response:
    context, id = Context.of(request), requested_archive(request)

    def answer() -> dict[str, object]:
        context.tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
        point = context.tarkeep.load_points(id.profile).point(id)
        shown = _point(point.archive, point.link, point.standing, point.obstacles, point.doubts)
        _timed_one(shown, context.tarkeep.measure_restores(id.profile))
        told: dict[str, object] = msgspec.to_builtins(shown)
        path = [archive_reference(archive.id) | {"size": archive.size_bytes} for archive in point.archives]
        parent = next((one for one in point.archives if one.id == point.link.parent), None)
        fit = None if parent is None else context.tarkeep.links.compared(point.archive, parent)
        names = [] if fit is None else [path_text(name) for name in fit.examples]
        missing = {"count": 0 if fit is None else fit.unresolved, "names": names}
        return {"profile": id.profile} | told | {"not_archived": missing, "path": path}

    return await context.answer(answer)


# -- all in one answer -----------------------------------------------------------------------------------------------


def _whole(profile: str, points: Iterable[Sequence[Point]]) -> Iterator[bytes]:
    yield b'{"profile":"%s","points":[' % profile.encode()
    is_first = True
    for some in points:
        encoded = msgspec.json.encode(some)[1:-1]
        yield encoded if is_first else b"," + encoded
        is_first = False
    yield b'],"next_cursor":null}\n'


def _timed(points: Iterable[Sequence[Point]], rate: float | None) -> Iterator[Sequence[Point]]:
    """*points* with the time that restoring each takes, at *rate* stored bytes per second; unknown if that is None."""
    for some in points:
        for point in some:
            _timed_one(point, rate)
        yield some


def _timed_one(point: Point, rate: float | None) -> None:
    if rate is not None and point.restorable:
        point.restore_minutes = round(point.path_size / rate / 60, 2)


def _all_of(points: ProfilePoints, page: PlacedPage) -> Iterator[Sequence[Point]]:
    """All points of a profile; *page* has the first ones. With short paths if there are no further points."""
    if page.next_cursor is None:
        yield from _in_pieces(_with_short_paths(page.places), _AT_ONCE)
        return
    while True:
        yield from _in_pieces(map(point_in_list, page.places), _AT_ONCE)
        if page.next_cursor is None:
            return
        page = points.page(page.next_cursor, SHORT_ANSWER)


def _with_short_paths(places: Sequence[PlacedArchive]) -> Iterator[Point]:
    number = {place.archive.id: at for at, place in enumerate(places)}
    all_paths = sum(place.standing.length for place in places if place.standing is not None)
    longest = SHORT_PATHS if all_paths <= SHORT_PATHS else SHORT_PATH
    for at, place in enumerate(places):
        told = point_in_list(place)
        if told.length <= longest:
            told.path = path = [at]
            while len(path) < told.length and (link := places[path[-1]].link) and link.parent in number:
                path.append(number[link.parent])
            path.reverse()
        yield told


def _with_paths(points: Sequence[RestorePoint]) -> Iterator[Point]:
    number = {point.archive.id: at for at, point in enumerate(points)}
    path: list[int] = []
    for at, point in enumerate(points):
        # Most paths extend the one before, and looking up thousands of archives takes far longer than copying them.
        goes_on = path and points[path[-1]].archive.id == point.link.parent and point.length == len(path) + 1
        path = [*path, at] if goes_on else [number[id] for id in point.path]
        standing = point.standing
        is_all = standing.obstructions == len(standing.obstacles)
        obstacles = standing.all_obstacles(point.archive.id) if is_all else point.obstacles
        told = _point(point.archive, point.link, standing, obstacles, standing.doubts)
        told.path = path
        yield told


def _page_with_paths(points: ProfilePoints, page: PlacedPage) -> list[Point]:
    wanted = {(place.archive.id.type.value, place.archive.id.name) for place in page.places}
    return [point for point in _with_paths(points.all()) if (point.type, point.name) in wanted]


def _in_pieces(points: Iterable[Point], size: int) -> Iterator[list[Point]]:
    left = iter(points)
    while some := list(islice(left, size)):
        yield some


# -- one -------------------------------------------------------------------------------------------------------------


def point_in_list(place: PlacedArchive) -> Point:
    """The point at *place* as shown in a list, without its path."""
    assert place.link is not None  # as `ProfilePoints` promises
    assert place.standing is not None
    standing = place.standing
    return _point(place.archive, place.link, standing, standing.all_obstacles(place.archive.id), standing.doubts)


def _point(
    archive: BackupArchive, link: Link, standing: Standing, obstacles: Iterable[Obstacle], doubts: Iterable[Doubt]
) -> Point:
    id = archive.id
    return Point(
        id.type.value,
        id.name,
        archive.size_bytes,
        rfc3339(archive.taken_at),
        rfc3339(archive.received_at),
        archive.contents.kind.value if archive.contents else None,
        archive.state.value,
        standing.is_restorable,
        standing.is_sound,
        standing.distrust or None,
        standing.seen.gaps,
        standing.fidelity.value,
        standing.evidence.value,
        link_json(link),
        standing.length,
        standing.size_bytes,
        archive.has_snapshot,
        [_found(one) for one in obstacles],
        [_found(one) for one in doubts],
        archive.notes,
        point_location(id),
    )


def _found(one: Obstacle | Doubt) -> dict[str, object]:
    return {"code": one.kind.value, "detail": one.reason, "archive": archive_reference(one.archive)}
