"""The settings that the server runs with, the rules of a profile, and the channels by which people are told."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ......domain.errors.notices import ChannelNotFound
from ......domain.identity.naming import check_profile
from ......domain.text.paths import printable
from ......domain.text.sizes import human_size
from .....settings.shown.effective import EffectiveSetting
from .....settings.shown.profile_rules import rules_in_words
from ....answers.problems import Problem
from ....context import Context
from ....edge.guard import note_written
from ...commands import at_server
from ...done import Done
from ...entries import SETTINGS
from ...forms import SentForm, carry_out
from ...frame import frame
from ...rendering import render


async def show_settings(request: Request) -> Response:
    """Settings and channels; and the rules of the profile that is asked for."""
    context, profile = Context.of(request), request.query_params.get("profile", "").strip()
    if profile:
        check_profile(profile)

    def answer() -> Response:
        tarkeep = context.tarkeep
        shown = tarkeep.show_channels()
        pattern, rules = tarkeep.show_rules(profile) if profile else (None, None)
        values = {
            **frame(request),
            "settings": context.effective,
            "sizes": {one.name: human_size(int(one.value)) for one in context.effective if _is_large(one)},
            "channels": [(printable(name), record) for name, record in shown.channels],
            "nobody_is_told": shown.are_missing,
            "profile": profile,
            "pattern": pattern,
            "rules": [] if rules is None else rules_in_words(rules),
            "now": tarkeep.clock.now(),
            "lines": {
                "rules": at_server("rules", "show", profile or "PROFILE"),
                "channels": at_server("notify", "test"),
            },
        }
        return render("settings.html", values)

    return await context.run(answer)


def _is_large(setting: EffectiveSetting) -> bool:
    """Whether it is a number of bytes that nobody reads as digits."""
    return setting.name.endswith("_bytes") and setting.value.isdecimal() and len(setting.value) > 5


async def try_channel(request: Request) -> Response:
    """Send a trial over a channel."""
    context, name = Context.of(request), request.path_params["name"]

    def work(asked: SentForm) -> str:
        try:
            error = context.tarkeep.try_channels(name)[name]
        except ChannelNotFound as missing:
            raise Problem(404, "not-found", str(missing)) from None
        note_written(request, f"channel {name}", None, "tried in vain" if error else "tried")
        if error:
            raise Problem(503, "backend-unavailable", f"the channel {name} did not take the trial: {error}")
        return Done.TRIED.at(SETTINGS.path)

    return await carry_out(request, show_settings, work)
