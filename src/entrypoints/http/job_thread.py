"""
The thread that runs the server's jobs, one at a time and with the lowest priority.

In a server it looks every few seconds which are due. Where the data directory was opened for one command, it only runs
what that command asks for. A stop is asked for by a flag, which each job reads between two archives.
"""

from __future__ import annotations

import threading

from ...domain.jobs.job import Remark
from ...domain.jobs.run import Run, RunOutcome
from ...domain.tarkeep_error import TarkeepError
from ..logs import Log
from ..wiring.tarkeep import Tarkeep
from ..wiring.threads import step_back

log = Log("tarkeep.jobs")

LOOK_SECONDS = 15.0


class JobThread:
    """Runs jobs until `close`. `start` makes it run them at their times; `wake` runs those that were asked for."""

    def __init__(self, tarkeep: Tarkeep) -> None:
        self._tarkeep = tarkeep
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._is_stopping = False

    def start(self) -> None:
        """Run each job at its times from now on."""
        self._begin(asked_only=False)

    def wake(self) -> None:
        """Look at once what was asked for."""
        self._begin(asked_only=True)
        self._woken.set()

    def stop_soon(self) -> None:
        """Begin no more jobs, and have the running one end at its next clean point. May be called by a signal."""
        self._is_stopping = True

    def close(self) -> None:
        """The same, and wait for that."""
        self.stop_soon()
        self._woken.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _begin(self, *, asked_only: bool) -> None:
        with self._lock:
            if self._thread is None and not self._is_stopping:
                self._thread = threading.Thread(target=self._run, args=(asked_only,), name="jobs")
                self._thread.start()

    def _goes_on(self) -> bool:
        return not self._is_stopping

    def _run(self, asked_only: bool) -> None:
        step_back()
        while self._goes_on():
            self._woken.clear()
            try:
                self._tarkeep.run_due_jobs(self._goes_on, log_run, asked_only=asked_only)
            except TarkeepError as error:
                log.error("no job can be run", reason=error)  # noqa: TRY400 it says what a person needs
            if self._goes_on():
                self._woken.wait(None if asked_only else LOOK_SECONDS)


def log_run(run: Run, error: Exception | None) -> None:
    """Log that *run* began, or what it came to."""
    report = run.report
    if run.outcome is RunOutcome.RUNNING:
        if error is not None:
            log.warning("a job runs without being noted in the catalog", job=run.job, reason=error)
        log.info("job begins", job=run.job, run=run.number, cause=run.cause.value)
        return
    for remark in () if report is None else report.waits:
        log.warning("waits for a person", job=run.job, reason=_sentence(remark))
    for remark in () if report is None else report.problems:
        log.error("failed in part", job=run.job, reason=_sentence(remark))
    told = {"job": run.job, "run": run.number, "outcome": run.outcome.value}
    if run.outcome is RunOutcome.FAILED:
        log.error("job failed", error=error, **told, reason=run.error)
    else:
        log.info("job ended", **told, summary="" if report is None else report.summary)


def _sentence(remark: Remark) -> str:
    return remark.text if remark.profile is None else f"{remark.profile}: {remark.text}"
