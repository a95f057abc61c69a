"""What is kept of a profile and why, what would go next, and what another policy would do to the same archives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from .....domain.profiles.retention_policy import Every, RetentionPolicy
from .....domain.retention.decisions import PauseKind, PrunePlan, PruneVerdict, kept_bytes
from .....domain.text.counted import counted
from .....domain.watching.arrived import ArrivedOnDay, day_of
from .....domain.watching.calendar import CalendarDay, calendar, months, traced, weeks
from .....domain.watching.light import Light
from ....settings.retention import RULES, policy_of
from ...answers.problems import Problem
from ...context import Context
from ...requests.parameters import whole_number
from ...routes.chains import requested_profile
from ..commands import at_server
from ..done import DONE
from ..frame import frame
from ..lights import SHAPES
from ..rendering import render, size_text
from ..toml import retention_table
from .archive import archive_url
from .profile import profile_url

_PAGE = 100
_FARTHEST = 1 << 40
_DAYS, _YEAR, _SEASON = 365, 53, 12
_LENGTHS = [every.value for every in Every if every is not Every.POINT]
_PROPOSED = {"keep_daily": "14", "keep_weekly": "8", "keep_monthly": "12"}
"""What the fields hold where a profile has no policy: enough to see what one would do."""

_VERDICTS = {
    PruneVerdict.READY: (Light.GREEN, "ready"),
    PruneVerdict.NOTHING: (Light.GREEN, "nothing goes"),
    PruneVerdict.PAUSED: (Light.YELLOW, "paused"),
}


def prune_url(profile: str) -> str:
    """The path of the page."""
    return f"{profile_url(profile)}/prune"


async def show_prune(request: Request) -> Response:
    """The plan with every reason: of the profile's own policy, or of the one that the fields state."""
    context, profile, query = Context.of(request), requested_profile(request), request.query_params
    start = whole_number(query, "start", 0, 0, _FARTHEST)
    what = query.get("show", "")
    if what not in ("", "gone", "kept"):
        raise Problem(400, "invalid-parameter", "show must be gone or kept, or left out")

    def answer() -> Response:
        own: list[RetentionPolicy | None] = []
        problem = ""
        try:
            plan = context.tarkeep.plan_prune(profile, _otherwise(query, own))
        except ValueError as error:  # what the fields say is no policy
            problem, own = str(error), []
            plan = context.tarkeep.plan_prune(profile, _otherwise(QueryParams(), own))
        result = _result(plan, context.tarkeep.clock.now().date())
        year = weeks(result)[-_YEAR:]
        shown = [one for one in plan.decisions[::-1] if not what or one.is_kept == (what == "kept")]
        values = {
            **frame(request),
            "profile": profile,
            "plan": plan,
            "problem": problem,
            "has_policy": own[0] is not None,
            "is_own": problem != "" or not _stated(query),
            "sentence": sentence(plan),
            "fields": _fields(plan, query, has_policy=bool(plan.settings)),
            "lengths": _LENGTHS,
            "full_from": query.get("prefer_full") or plan.settings.get("prefer_full", "weekly"),
            "alone": list(plan.alone.items()),
            "calendars": [("year", year), ("season", year[-_SEASON:])],
            "months": months(result)[::-1],
            "decisions": shown[start : start + _PAGE],
            "is_first": not start,
            "older": _link(query, start=start + _PAGE) if start + _PAGE < len(shown) else "",
            "kinds": [
                (name, _link(query, show=value, start=0), value == what)
                for name, value in (
                    (f"all {len(plan.decisions)}", ""),
                    (f"would go {len(plan.removed)}", "gone"),
                    (f"kept {len(plan.decisions) - len(plan.removed)}", "kept"),
                )
            ],
            "may_be_approved": [pause.kind for pause in plan.pauses] == [PauseKind.SHARE],
            "is_ready": plan.verdict is PruneVerdict.READY,
            "verdict": _VERDICTS[plan.verdict],
            "shapes": SHAPES,
            "toml": retention_table(profile, plan.settings or {name: int(text) for name, text in _PROPOSED.items()}),
            "archive_url": archive_url,
            "profile_url": profile_url(profile),
            "prune_url": prune_url(profile),
            "lines": {
                "plan": at_server("prune", "plan", profile),
                "apply": at_server("prune", "apply", profile, "--plan", plan.digest[:12]),
                "approve": at_server("prune", "approve", profile, "--plan", plan.digest[:12]),
            },
        }
        return render("prune.html", values)

    return await context.run(answer)


def sentence(plan: PrunePlan) -> str:
    """What the plan comes to, in a sentence: how many archives stay, how many of their points restore, what goes."""
    kept, points = len(plan.decisions) - len(plan.removed), counted(plan.kept_points, "point")
    if not plan.removed:
        return f"All is kept: {counted(kept, 'archive')} ({points}), {size_text(kept_bytes(plan.decisions))}."
    return f"{kept} kept ({points}), {len(plan.removed)} would go to the trash, {size_text(plan.removed_bytes)}."


def _stated(query: QueryParams) -> dict[str, str]:
    """The settings that the fields state."""
    names = (*RULES, "prefer_full")
    return {name: query[name].strip() for name in names if name in query}


def _otherwise(
    query: QueryParams, own: list[RetentionPolicy | None]
) -> Callable[[RetentionPolicy | None], RetentionPolicy | None]:
    """The policy that the fields state, but for what they leave out; *own* is told the profile's own one."""

    def policy(present: RetentionPolicy | None) -> RetentionPolicy | None:
        own.append(present)
        stated = _stated(query)
        if not stated:
            return present
        others = {} if present is None else present.settings()
        table = {name: value for name, value in others.items() if name not in RULES}
        return policy_of(table | {name: _number(text) for name, text in stated.items() if text})

    return policy


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _fields(plan: PrunePlan, query: QueryParams, *, has_policy: bool) -> list[tuple[str, str, str]]:
    """For each rule its setting, what it is called, and what its field holds."""
    stated = _stated(query)
    held: Mapping[str, object] = stated or (plan.settings if has_policy else _PROPOSED)
    return [(name, name.removeprefix("keep_"), str(held.get(name, ""))) for name in RULES]


def _result(plan: PrunePlan, today: date) -> tuple[CalendarDay, ...]:
    """What came on each day of a year and is still there, and how much of that the plan keeps."""
    counts = Counter((day_of(one.archive.received_at), one.archive.id.type) for one in plan.decisions)
    arrived = [ArrivedOnDay(plan.profile, day, type, number, 0) for (day, type), number in counts.items()]
    kept = Counter(day_of(one.archive.received_at) for one in plan.decisions if one.is_kept)
    return traced(calendar(today - timedelta(days=_DAYS - 1), today, arrived), kept, fate="would go")


def _link(query: QueryParams, **more: object) -> str:
    """The query of the same page with something else in it."""
    asked = {name: value for name, value in query.items() if name not in ("start", DONE)} | more
    return "?" + urlencode({name: value for name, value in asked.items() if value or name in RULES})
