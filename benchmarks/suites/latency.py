"""
Small requests while four large uploads run: backups must not make a dashboard hang.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from attrs import Factory, define

from ..ask import ask
from ..contestants import Answer, WrongAnswer
from ..corpus import Archive, real_archive, tiny_archive
from ..peers.nginx import Nginx, RunningNginx
from ..processes import run_timed
from ..report import Table, Target, percentile, times_row
from ..runner import Context, fresh, settle
from ..tarkeep_server import RunningTarkeep, Tarkeep

P99 = Target(50, unit=" ms")
_UPLOADS = 4
_PAUSE_SECONDS = 0.005  # leaves the two cores to server and uploads
_PATHS = ("/healthz", "/stats", "/api/v1/archives?limit=100", "/list")
_SMALL_UPLOAD = "PUT of a tiny archive (fsync included)"
_CONTROL = "the same archive from an idle nginx"
_IDLE_SECONDS = 2.0


@define
class _Times:
    """Milliseconds by request."""

    of: dict[str, list[float]] = Factory(dict)

    def add(self, what: str, seconds: float) -> None:
        self.of.setdefault(what, []).append(seconds * 1000)

    def reads(self) -> list[float]:
        return [value for path in _PATHS for value in self.of.get(path, [])]


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    tiny = tiny_archive(context.corpus)
    idle, busy = _Times(), _Times()
    nginx = Nginx()
    for number in range(context.rounds):
        with tempfile.TemporaryDirectory(dir=context.work, prefix="latency-") as folder:
            _round(Path(folder), nginx if not nginx.missing() else None, archive, tiny, idle, busy)
        context.say(f"  round {number + 1}/{context.rounds}: {len(busy.reads())} small requests so far")
    together = busy.reads()
    p99 = percentile(together, 99)
    rows = [times_row("no upload running", idle.reads())]
    rows += [times_row(f"{_UPLOADS} uploads running, {path}", busy.of[path]) for path in _PATHS]
    rows.append(times_row(f"{_UPLOADS} uploads running, all of these", together, str(P99), P99.verdict(p99)))
    rows += [
        times_row(f"{_UPLOADS} uploads running, {what}", busy.of[what])
        for what in (_SMALL_UPLOAD, _CONTROL)
        if what in busy.of
    ]
    return Table(
        name="latency",
        title=f"small requests while {_UPLOADS} uploads run, validation full ({archive.label} each)",
        rows=rows,
        remarks=[
            "each request on a connection of its own, the client on the same cores as everything else",
            "an idle nginx beside them shows what the machine itself can give under that load",
        ],
    )


def _round(folder: Path, nginx: Nginx | None, archive: Archive, tiny: Archive, idle: _Times, busy: _Times) -> None:
    with ExitStack() as started:
        running = started.enter_context(Tarkeep().start(fresh(folder / "tarkeep")))
        control = started.enter_context(nginx.start(fresh(folder / "nginx"))) if nginx else None
        if control is not None:
            shutil.copy(tiny.path, control.folder / tiny.path.name)
        command = running.upload(tiny, "warm-up.tar.gz")
        running.check_upload(Answer.parse(run_timed(command).succeeded(command).output), tiny, "warm-up.tar.gz")
        archive.warm()
        settle()
        end = time.perf_counter() + _IDLE_SECONDS
        _ask_until(lambda: time.perf_counter() > end, running, control, tiny, idle, "idle")
        names = [f"archive-{number}.tar.gz" for number in range(_UPLOADS)]
        with ExitStack() as up:
            uploads = [
                up.enter_context(
                    subprocess.Popen(running.upload(archive, name), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
                )
                for name in names
            ]
            # If one has ended, fewer than four are running: only the time while all four run counts.
            _ask_until(
                lambda: any(upload.poll() is not None for upload in uploads), running, control, tiny, busy, "busy"
            )
            answers = [upload.communicate()[0].decode() for upload in uploads]
        for name, answer in zip(names, answers, strict=True):
            running.check_upload(Answer.parse(answer), archive, name)


def _ask_until(
    over: Callable[[], bool],
    running: RunningTarkeep,
    control: RunningNginx | None,
    tiny: Archive,
    times: _Times,
    phase: str,
) -> None:
    content = tiny.path.read_bytes()
    for number in itertools.count():
        for path in _PATHS:
            if over():
                return
            reply = ask(running.port, path)
            if reply.status != 200:
                raise WrongAnswer(f"{path} answered {reply.status}")
            times.add(path, reply.seconds)
            time.sleep(_PAUSE_SECONDS)
        if over():
            return
        url = running.download_url(f"{phase}-{number:06}.tar.gz")
        reply = ask(running.port, url.removeprefix(running.url), method="PUT", body=content)
        if reply.status != 201:
            raise WrongAnswer(f"the PUT of a tiny archive answered {reply.status}")
        times.add(_SMALL_UPLOAD, reply.seconds)
        if control is not None:
            reply = ask(control.port, f"/{tiny.path.name}")
            if reply.body != content:
                raise WrongAnswer(f"nginx answered {reply.status}")
            times.add(_CONTROL, reply.seconds)
