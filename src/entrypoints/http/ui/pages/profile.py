"""One profile: what is wrong with it and what to do, and its points."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .....domain.chains.standing import PlacedArchive
from .....domain.watching.calendar import summary, weeks
from ...context import Context
from ...routes.chains import requested_profile
from ...routes.points import Point, point_in_list
from ..frame import frame
from ..lights import SHAPES, WORDS
from ..rendering import render
from ..sending.refresh import refresh
from .archive import archive_url

_PAGE = 200
_YEAR, _SEASON = 53, 12
"""Weeks: what a wide screen shows of the calendar, and a narrow one."""


async def show_profile(request: Request) -> Response:
    """The profile with its reasons, and the points that it can be brought back to, the newest first."""
    context, profile = Context.of(request), requested_profile(request)

    def answer() -> Response:
        refreshed = refresh(request, profile)
        if refreshed.unchanged is not None:
            return refreshed.unchanged
        status = context.tarkeep.check_profile(profile)
        places = list(context.tarkeep.load_points(profile).places())
        places.sort(key=_received, reverse=True)
        rate = context.tarkeep.measure_restores(profile)
        days = context.tarkeep.read_calendar(profile, 365)
        year = weeks(days)[-_YEAR:]
        points = [(place.archive, point_in_list(place)) for place in places[:_PAGE]]
        values = {
            **frame(request),
            "refresh": refreshed.url,
            "profile": profile,
            "calendars": [("year", year), ("season", year[-_SEASON:])],
            "summary": summary(days),
            "status": status,
            "shapes": SHAPES,
            "words": WORDS,
            "points": points,
            "minutes": {point.url: _minutes(point, rate) for _, point in points},
            "archive_url": archive_url,
            "hidden": max(len(places) - _PAGE, 0),
            "server_url": str(request.base_url).rstrip("/"),
        }
        return render("profile.html", values)

    return await context.run(answer)


def _received(place: PlacedArchive) -> tuple[object, object]:
    return place.archive.received_at, place.archive.id


def _minutes(point: Point, rate: float | None) -> str:
    """How long a restore is expected to take; empty where nothing was measured."""
    if rate is None or not point.restorable:
        return ""
    minutes = point.path_size / rate / 60
    return "under a minute" if minutes < 1 else f"{round(minutes)} min"
