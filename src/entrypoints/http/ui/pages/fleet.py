"""All profiles at a glance."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from .....domain.text.counted import counted
from .....domain.usecases.watching.read_fleet import Fleet
from .....domain.watching.light import Light, light_of
from ...answers.problems import Problem
from ...context import Context
from ...edge.guard import principal_of
from ...requests.parameters import whole_number
from ..commands import curl
from ..frame import frame
from ..lights import SHAPES, WORDS
from ..rendering import render
from ..sending.refresh import refresh

_PAGE = 100
_STRIP_DAYS = 30
_FIRST = "/api/v1/profiles/laptop/archives/FULL/first.tar.gz"


async def show_fleet(request: Request) -> Response:
    """One sentence that says whether everything is fine, and the profiles, those that need somebody first."""
    context, principal, query = Context.of(request), principal_of(request), request.query_params
    text, wanted = query.get("find", ""), query.get("light", "")
    if wanted and wanted not in {light.value for light in Light}:
        raise Problem(400, "invalid-parameter", "light must be red, yellow, grey or green")
    start = whole_number(query, "start", 0, 0, 1 << 40)

    def answer() -> Response:
        refreshed = refresh(request)
        if refreshed.unchanged is not None:
            return refreshed.unchanged
        fleet = context.tarkeep.read_fleet(
            principal,
            text=text,
            light=Light(wanted) if wanted else None,
            start=start,
            limit=_PAGE,
        )
        values = {
            **frame(request),
            "refresh": refreshed.url,
            "fleet": fleet,
            "strips": context.tarkeep.read_strips([row.profile for row in fleet.rows], _STRIP_DAYS),
            "light": _light(fleet),
            "sentence": sentence(fleet),
            "lights": [Light.RED, Light.YELLOW, Light.GREY, Light.GREEN],
            "shapes": SHAPES,
            "words": WORDS,
            "find": text,
            "wanted": wanted,
            "next": _following(fleet, text, wanted, start),
            "first": "tar -czf - ~/Documents | " + curl(request, _FIRST, "-T", "-"),
            "line": curl(request, "/api/v1/status"),
        }
        return render("fleet.html", values)

    return await context.run(answer)


def sentence(fleet: Fleet) -> str:
    """Whether everything is fine, in one sentence."""
    total, red, yellow = fleet.total, fleet.counts[Light.RED], fleet.counts[Light.YELLOW]
    if fleet.server and fleet.server[0].light is Light.RED:
        return "The server itself needs you."
    if not total:
        return "Nothing is stored yet."
    if fleet.is_stale:
        since = "" if fleet.looked_at is None else f" since {fleet.looked_at:%Y-%m-%d %H:%M} UTC"
        return f"The jobs stand still{since}: nobody knows how the profiles are."
    if red:
        return f"{red} of {counted(total, 'profile')} {'needs' if red == 1 else 'need'} you."
    if yellow or fleet.server:
        return f"Nothing is broken; {counted(yellow + bool(fleet.server), 'thing')} to look at when there is time."
    if fleet.counts[Light.GREY]:
        return f"Nothing is broken; of {counted(fleet.counts[Light.GREY], 'profile')} nothing is known yet."
    return f"Everything is fine with {counted(total, 'profile')}." if total > 1 else "Everything is fine."


def _light(fleet: Fleet) -> Light:
    worst = [light for light, count in fleet.counts.items() if count] or [Light.GREY]  # an empty server proves nothing
    return max([light_of(fleet.server), *worst], key=lambda light: light.rank)


def _following(fleet: Fleet, text: str, wanted: str, start: int) -> str:
    """The query of the next page; empty on the last one."""
    after = start + len(fleet.rows)
    if after >= fleet.matching:
        return ""
    return urlencode({name: value for name, value in (("find", text), ("light", wanted), ("start", after)) if value})
