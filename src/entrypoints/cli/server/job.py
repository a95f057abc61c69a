"""``tarkeep job``: what the server does by itself, and doing it now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...settings.server import StorageSettings
from ..shared.host import asking, refused
from ..terminal.columns import in_columns
from ..terminal.exits import FAILED, OK, PARTLY, PAUSED
from ..terminal.output import Output
from .serve import Unused

if TYPE_CHECKING:
    from ...http.host_door import HostDoor

_FIRST_PAUSE, _LAST_PAUSE = 0.05, 1.0


def list_(*, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    List the jobs of the server: when each runs next, and what its last run came to.

    Parameters
    ----------
    json
        Print each as a JSON object.
    """
    from ...http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    with asking(storage) as door:
        try:
            jobs = door.ask("GET", target("jobs"))["jobs"]
        except HostRefused as error:
            return refused(output, error)
    for job, line in in_columns(jobs, _cells):
        output.result(line, **job)
    return OK


def run(
    job: str,
    /,
    *,
    wait: bool = False,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Run a job now. If no server runs, this command runs it, and ends when it has ended.

    Exit codes: 0 it has ended well, or has begun; 1 it failed, or runs already; 3 a part of it failed; 10 there is no
    such job; 15 something waits for a person.

    Parameters
    ----------
    job
        The job, as tarkeep job list shows it.
    wait
        Wait until it has ended.
    json
        Print the run as a JSON object.
    """
    from ...http.host_door import HostRefused, OpenedDoor, target

    output = Output(json, quiet=False)
    with asking(storage) as door:
        try:
            told = door.ask("POST", target("jobs", job, "run"))
            if wait or isinstance(door, OpenedDoor):
                told = ended(door, job, told["run"])
        except HostRefused as error:
            advice = {404: "tarkeep job list shows the jobs", 409: "tarkeep job list shows what it came to"}
            return refused(output, error, advice.get(error.status, ""))
    return _show(output, told)


def ended(door: HostDoor, job: str, number: int) -> dict[str, Any]:
    """The run when it has ended."""
    from ...http.host_door import target

    pause = _FIRST_PAUSE
    while True:
        found = door.ask("GET", f"{target('jobs', job, 'runs')}?limit=1&before={number + 1}")["runs"]
        run: dict[str, Any] = found[0]
        if run["outcome"] != "running":
            return run
        time.sleep(pause)
        pause = min(pause * 2, _LAST_PAUSE)


def _show(output: Output, run: dict[str, Any]) -> int:
    name, outcome = f"{run['job']} run {run['run']}", run["outcome"]
    if outcome == "running":
        output.result(f"{name}: it has begun; tarkeep job list shows what it comes to", **run)
        return OK
    output.result(f"{name}: {_said(run)}", **run)
    if not output.as_json:
        for kind, remarks in (("waits for a person", run["waits"]), ("failed", run["problems"])):
            for remark in remarks:
                whose = "" if remark["profile"] is None else f"{remark['profile']}: "
                output.result(f"{kind}: {whose}{remark['detail']}")
    if outcome in ("failed", "interrupted"):
        return FAILED
    if run["problems"]:
        return PARTLY
    return PAUSED if run["waits"] else OK


def _said(run: dict[str, Any]) -> str:
    return "; ".join(word for word in (run["outcome"], run["summary"], run["error"]) if word)


def _cells(job: dict[str, Any]) -> Sequence[str]:
    last = job["last_run"]
    return (
        job["name"],
        "off" if job["schedule"] == "off" else f"{job['schedule']} ({job['time_zone']})",
        "" if job["next_at"] is None else f"next {_minute(job['next_at'])}",
        "has not run" if last is None else f"run {last['run']} {_minute(last['started_at'])} ({last['cause']})",
        "" if last is None else _said(last),
    )


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}Z"
