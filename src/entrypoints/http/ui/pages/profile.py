"""One profile: what is wrong with it and what to do, and its points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from .....domain.chains.standing import PlacedArchive
from .....domain.identity.archive_id import ArchiveId
from .....domain.retention.marks import Marks
from .....domain.watching.calendar import months, summary, weeks
from .....domain.watching.learning import FEWEST
from .....domain.watching.pictures.chain_picture import chain_picture
from ...context import Context
from ...requests.parameters import whole_number
from ...routes.chains import requested_profile
from ...routes.points import Point, point_in_list
from ..commands import at_client, at_server
from ..frame import frame
from ..lights import SHAPES, WORDS
from ..rendering import render
from ..sending.refresh import refresh
from .archive import archive_url

_PAGE = 100
_FARTHEST = 1 << 40
_YEAR, _SEASON = 53, 12
"""Weeks: what a wide screen shows of the calendar, and a narrow one."""


def profile_url(profile: str) -> str:
    """The path of the page of a profile."""
    return f"/ui/p/{profile}"


async def show_profile(request: Request) -> Response:
    """The profile with its reasons, and the points that it can be brought back to, the newest first."""
    context, profile = Context.of(request), requested_profile(request)
    start = whole_number(request.query_params, "start", 0, 0, _FARTHEST)

    def answer() -> Response:
        refreshed = refresh(request, profile)
        if refreshed.unchanged is not None:
            return refreshed.unchanged
        tarkeep = context.tarkeep
        status = tarkeep.check_profile(profile)
        placed = tarkeep.load_points(profile).places()
        places = sorted(placed, key=_received, reverse=True)
        rate = tarkeep.measure_restores(profile)
        days = tarkeep.read_year(profile)
        year = weeks(days)[-_YEAR:]
        points = [(place.archive, point_in_list(place)) for place in places[start : start + _PAGE]]
        marks, now = tarkeep.read_all_marks(profile), tarkeep.clock.now()
        values = {
            **frame(request),
            "refresh": refreshed.url,
            "profile": profile,
            "page_url": profile_url(profile),
            "calendars": [("year", year), ("season", year[-_SEASON:])],
            "summary": summary(days),
            "months": months(days)[::-1],
            "picture": chain_picture(placed),
            "status": status,
            "to_learn": max(FEWEST - len(places), 0) if status.next_deadline is None else 0,
            "shapes": SHAPES,
            "words": WORDS,
            "points": points,
            "protection": {id: held for id, one in marks.items() if (held := one.protection(now))},
            "rate": rate,
            "now": now,
            "minutes": {point.url: _minutes(point, rate) for _, point in points},
            "archive_url": archive_url,
            "newer": max(start - _PAGE, 0) if start else None,
            "older": start + _PAGE if start + _PAGE < len(places) else None,
            "first": start + 1,
            "total": len(places),
            **_attack(marks, places),
            "lines": {
                "points": at_client(request, "points", profile),
                "drill": at_client(request, "drill", "run", profile),
            },
        }
        return render("profile.html", values)

    return await context.run(answer)


def _attack(marks: Mapping[ArchiveId, Marks], places: Sequence[PlacedArchive]) -> dict[str, object]:
    """
    The suspicious archives that are still there, and the newest point from before the first of all; *places* are the
    newest first.
    """
    known = {place.archive.id: place.archive for place in places}
    suspicions = {id: one.suspicion for id, one in marks.items() if one.suspicion is not None}
    since = min(
        (known[id].received_at if id in known else one.judged_at for id, one in suspicions.items()), default=None
    )
    clean = None
    if since is not None:
        clean = next((one for one in places if _is_good(one) and one.archive.received_at < since), None)
    in_order = sorted(suspicions, key=lambda id: (suspicions[id].judged_at, id))
    last = next((id for id in reversed(in_order) if id in known), None)
    return {
        "release": "" if last is None else at_server("brake", "release", last.profile, "--to", last.label),
        "suspicious": [(id, suspicions[id], id in known) for id in in_order],
        "last_suspicious": last,
        "clean": None if clean is None else clean.archive,
    }


def _is_good(place: PlacedArchive) -> bool:
    return place.standing is not None and place.standing.is_restorable


def _received(place: PlacedArchive) -> tuple[object, object]:
    return place.archive.received_at, place.archive.id


def _minutes(point: Point, rate: float | None) -> str:
    """How long a restore is expected to take; empty where nothing was measured."""
    if rate is None or not point.restorable:
        return ""
    minutes = point.path_size / rate / 60
    return "under a minute" if minutes < 1 else f"{round(minutes)} min"
