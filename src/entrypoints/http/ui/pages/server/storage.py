"""How much is stored, how it grows, and when there will be no room."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ......domain.text.sizes import human_size
from ......domain.usecases.watching.read_storage import GROWN_OVER, StoreGrowth
from ......domain.watching.light import Light
from ....context import Context
from ....edge.guard import principal_of
from ...commands import curl
from ...frame import frame
from ...lights import SHAPES
from ...rendering import render
from .usage_chart import HEIGHT, WIDTH, usage_chart

_PROFILES = 100
_DAYS = 14


async def show_storage(request: Request) -> Response:
    """The profiles by what came to them, and for who sees all of them the store as a whole."""
    context, principal = Context.of(request), principal_of(request)

    def answer() -> Response:
        profiles, growth = context.tarkeep.read_storage(principal.sees, with_server=principal.sees_everything)
        values = {
            **frame(request),
            "shapes": SHAPES,
            "growth": growth,
            "light": None if growth is None else _light(growth),
            "forecast": "" if growth is None else _forecast(growth),
            "chart": None if growth is None else usage_chart(growth),
            "words": "" if growth is None else _words(growth),
            "width": WIDTH,
            "height": HEIGHT,
            "days": () if growth is None else growth.days[: -_DAYS - 1 : -1],
            "profiles": profiles[:_PROFILES],
            "hidden": max(len(profiles) - _PROFILES, 0),
            "over": GROWN_OVER,
            "line": curl(request, "/api/v1/profiles"),
        }
        return render("storage.html", values)

    return await context.run(answer)


def _light(growth: StoreGrowth) -> Light:
    """Red if nothing more fits, yellow if that may be so within 30 days."""
    if growth.is_full:
        return Light.RED
    return Light.YELLOW if growth.expected is not None and growth.expected.soon is not None else Light.GREEN


def _forecast(growth: StoreGrowth) -> str:
    """When it will be full, a sentence."""
    if growth.capacity_bytes is None:
        return "No end of the store is known."
    if growth.is_full:
        return "It is full: no archive is accepted that needs the reserve."
    expected = growth.expected
    if expected is None:
        return "When it will be full cannot be said yet: that takes two weeks."
    sign, size = ("-" if expected.per_day < 0 else "+"), human_size(round(abs(expected.per_day)))
    return f"With a chance of four in five it is {expected.words} ({sign}{size} a day)."


def _words(growth: StoreGrowth) -> str:
    """The picture in words."""
    first, last = growth.days[0], growth.days[-1]
    room = "" if growth.capacity_bytes is None else f"; there is room for {human_size(growth.capacity_bytes)}"
    return (
        f"On {first.day.isoformat()} {human_size(first.total_bytes)} were used, and on {last.day.isoformat()} "
        f"{human_size(last.total_bytes)}{room}. {_forecast(growth)}"
    )
