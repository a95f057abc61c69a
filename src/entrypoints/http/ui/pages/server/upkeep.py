"""What the server does by itself: its jobs, what was read again, restore drills, and the trash."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from ......domain.access.on_record import BACK
from ......domain.access.tokens import Principal, Scope
from ......domain.drills.drill import Drill, DrillKind, DrillOutcome
from ......domain.identity.archive_id import ArchiveId
from ......domain.jobs.run import Run, RunOutcome
from ......domain.retention.trash_note import TrashNote
from ......domain.text.counted import counted
from ......domain.text.paths import path_text, printable
from ......domain.usecases.jobs.show_jobs import ShownJob
from ......domain.watching.light import Light
from ....answers.jobs import visible
from ....context import Context
from ....edge.access import Access, Where
from ....edge.guard import note_written, principal_of
from ....routes.chains import requested_archive
from ...commands import at_client, at_server
from ...done import Done
from ...entries import UPKEEP
from ...forms import SentForm, carry_out
from ...frame import frame
from ...lights import SHAPES
from ...rendering import render
from ..archive import archive_url

_DRILLS = 50
_TRASHED = 100

_RUNS_REMOVAL = Access((Scope.ADMIN,), Where.EVERY)
_REMOVES = frozenset({"prune", "purge"})
"""Jobs that remove something: to run one now asks for a token."""

_MEANINGS = {
    "prune": "moves to the trash what no rule wants any more",
    "purge": "empties the trash of what was in it long enough",
    "scrub": "reads archives again, to find damage while another copy may still exist",
    "rehearse": "puts trees together as for a restore, where no machine runs drills",
    "replicate": "copies archives of another server that are not here, and heals damaged ones from there",
    "watch": "looks at profiles that changed or are due",
    "deliver": "sends notices to people",
}

_OUTCOMES = {
    RunOutcome.RUNNING: (Light.GREY, "running"),
    RunOutcome.DONE: (Light.GREEN, "done"),
    RunOutcome.NOTHING: (Light.GREEN, "nothing to do"),
    RunOutcome.FAILED: (Light.RED, "failed"),
    RunOutcome.INTERRUPTED: (Light.YELLOW, "interrupted"),
}
_DRILLED = {
    DrillOutcome.OPEN: (Light.GREY, "not reported yet"),
    DrillOutcome.EQUAL: (Light.GREEN, "equal"),
    DrillOutcome.DIFFERENT: (Light.RED, "different"),
    DrillOutcome.FAILED: (Light.YELLOW, "failed"),
    DrillOutcome.ABANDONED: (Light.GREY, "never reported"),
}


@frozen
class JobRow:
    """
    A job as it is shown; *said* is what its last run came to, *remarks* what a person should know of it. *lacks* is as
    in `Job`.
    """

    name: str
    meaning: str
    schedule: str
    next_at: datetime | None
    started_at: datetime | None
    seconds: float | None
    light: Light | None
    word: str
    said: str
    remarks: tuple[str, ...]
    removes: bool
    lacks: str


@frozen
class DrillRow:
    """A drill as it is shown; *details* are its report, line by line."""

    at: datetime
    point: ArchiveId
    kind: str
    light: Light
    word: str
    names: int
    seconds: float
    different: int
    details: tuple[str, ...]


@frozen
class TrashedRow:
    """An archive in the trash as it is shown; *note* is None if it cannot be read."""

    id: ArchiveId
    size_bytes: int
    note: TrashNote | None
    reasons: str

    @property
    def url(self) -> str:
        """Where its forms are sent to."""
        return f"{UPKEEP.path}/trash/{self.id.profile}/{self.id.type.value}/{quote(self.id.name, safe='')}"


async def show_upkeep(request: Request) -> Response:
    """Everything that the server does by itself, as far as its reader may see it."""
    context, principal = Context.of(request), principal_of(request)

    def answer() -> Response:
        tarkeep = context.tarkeep
        now = tarkeep.clock.now()
        drills = [_drilled(one) for one in tarkeep.list_drills(principal.sees, None, _DRILLS)]
        trash = list(_trash(context, principal))
        values = {
            **frame(request),
            "now": now,
            "shapes": SHAPES,
            "red": Light.RED,
            "yellow": Light.YELLOW,
            "green": Light.GREEN,
            "jobs": [_job(job, principal) for job in tarkeep.list_jobs()],
            "is_admin": principal.may(Scope.ADMIN) and principal.sees_everything,
            "sees_all": principal.sees_everything,
            "nobody_is_told": principal.sees_everything and tarkeep.show_channels().are_missing,
            "scrubs": tarkeep.read_scrubs(principal.sees),
            "drills": drills,
            "is_drilled": any(one.kind == DrillKind.DRILL.value for one in drills),
            "trash": trash[:_TRASHED],
            "has_more_trash": len(trash) > _TRASHED,
            "archive_url": archive_url,
            "lines": {
                "jobs": at_server("job", "list"),
                "drills": at_client(request, "drill", "list"),
                "evidence": at_server("evidence", "export", "--month", f"{now:%Y-%m}"),
                "trash": at_server("trash", "list"),
            },
        }
        return render("upkeep.html", values)

    return await context.run(answer)


async def run_job(request: Request) -> Response:
    """Run a job now; one that removes something for somebody who shows a token for that."""
    context, job = Context.of(request), request.path_params["job"]

    def work(asked: SentForm) -> str:
        try:
            run = context.tarkeep.ask_for_run(job, asked.principal.token)
        finally:
            context.jobs.wake()  # also where one runs already: it may be one whose end could not be noted
        note_written(request, f"job {run.job}", None, f"run {run.number} asked for")
        return Done.RUN_ASKED.at(UPKEEP.path)

    return await carry_out(request, show_upkeep, work, proof=_RUNS_REMOVAL if job in _REMOVES else None)


async def undelete(request: Request) -> Response:
    """Bring an archive back from the trash, with what it builds on."""
    context, id = Context.of(request), requested_archive(request)

    def work(asked: SentForm) -> str:
        for one in context.tarkeep.undelete(id):
            context.enter(request, one, None, BACK)
        return Done.UNDELETED.at(UPKEEP.path)

    return await carry_out(request, show_upkeep, work)


def _job(job: ShownJob, principal: Principal) -> JobRow:
    run = job.last
    light, word = _OUTCOMES[run.outcome] if run is not None else (None, "")
    return JobRow(
        job.name,
        _MEANINGS.get(job.name, ""),
        job.timing.stated,
        job.next_at,
        None if run is None else run.started_at,
        None if run is None or run.ended_at is None else (run.ended_at - run.started_at).total_seconds(),
        light,
        word,
        "" if run is None else _said(run, principal),
        () if run is None else tuple(_remarks(run, principal)),
        job.name in _REMOVES,
        job.lacks,
    )


def _said(run: Run, principal: Principal) -> str:
    """What a run came to altogether, which only who sees all profiles is told."""
    if not principal.sees_everything:
        return ""
    return printable(run.error or (run.report.summary if run.report is not None else ""))


def _remarks(run: Run, principal: Principal) -> Iterator[str]:
    if run.report is not None:
        for remark in visible((*run.report.waits, *run.report.problems), principal):
            yield printable(remark.text if remark.profile is None else f"{remark.profile}: {remark.text}")


def _drilled(drill: Drill) -> DrillRow:
    report = drill.report
    light, word = _DRILLED[drill.outcome]
    folders = [f"Only the folder {path_text(folder)} was restored." for folder in drill.folders]
    differences = [f"{path_text(one.path)}: {one.what}" for one in report.differences]
    more = report.different - len(differences)
    details = [
        f"Restored by {drill.way.value} from {counted(len(drill.archives), 'archive')}.",
        *folders,
        *([f"Nothing could be judged: {report.error}"] if report.error else []),
        *differences,
        *([f"and {more} more names differ"] if more > 0 else []),
        *(f"Not compared: {one}" for one in report.not_compared),
        *([f"With {report.tar}" + (f" in {report.sandbox}" if report.sandbox else "")] if report.tar else []),
        *report.said,
    ]
    at = drill.ended_at or drill.started_at
    shown = tuple(map(printable, details))
    return DrillRow(
        at, drill.point, drill.kind.value, light, word, report.names, report.seconds, report.different, shown
    )


def _trash(context: Context, principal: Principal) -> Iterator[TrashedRow]:
    """What can be brought back, one more than is shown."""
    number = 0
    for trashed, note in context.tarkeep.list_trash():
        if number > _TRASHED:
            return
        if trashed.size_bytes is not None and principal.sees(trashed.id.profile):
            number += 1
            reasons = printable("; ".join(note.reasons)) if note is not None else ""
            yield TrashedRow(trashed.id, trashed.size_bytes, note, reasons)
