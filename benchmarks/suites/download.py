"""
Downloading an archive, against nginx sending the same bytes as a static file.

All servers stay up and have the archive in the page cache; the bytes from each are compared with the archive once
before any timing.
"""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import ExitStack
from pathlib import Path

from ..contestants import CURL, Answer, RunningFileServer, WrongAnswer
from ..corpus import Archive, read_through, real_archive
from ..peers import Nginx, Rclone
from ..processes import run_timed
from ..report import Row, Table, Target, race_row
from ..runner import Context, Entrant, Sample, race, settle
from ..tarkeep_server import Tarkeep

TO_NGINX = Target(1.3)
_NAME = "archive.tar.gz"


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    tarkeep, nginx, rclone = Tarkeep(title="tarkeep"), Nginx(title="nginx, static file"), Rclone()
    absent = [(peer, reason) for peer in (nginx, rclone) if (reason := peer.missing())]
    present = [peer for peer in (nginx, rclone) if not peer.missing()]
    with ExitStack() as up:
        entrants = {}
        for contestant in (tarkeep, *present):
            folder = Path(up.enter_context(tempfile.TemporaryDirectory(dir=context.work, prefix="download-")))
            running = up.enter_context(contestant.start(folder))
            entrants[contestant.title] = _entrant(contestant.title, running, archive)
        first, *others = [entrants[title] for title in sorted(entrants, key=lambda title: title != nginx.title)]
        result = race(first, others, context)

    compared = nginx.title if nginx in present else None
    rows = [race_row(result, nginx.title)] if compared else []
    rows.append(race_row(result, tarkeep.title, to=compared, target=TO_NGINX if compared else None))
    rows += [race_row(result, peer.title, to=compared) for peer in present if peer.title != compared]
    rows += [Row(peer.title, measured=reason) for peer, reason in absent]
    return Table(
        name="download",
        title=f"download of one archive to /dev/null ({archive.label})",
        rows=rows,
        remarks=[
            "ratio: to nginx of the same round; nginx with sendfile, as Debian sets it up",
            "peak memory of a Tarkeep that received the archive before",
            result.disturbance(),
        ],
    )


def _entrant(title: str, running: RunningFileServer, archive: Archive) -> Entrant:
    command = running.upload(archive, _NAME)
    answer = Answer.parse(run_timed(command).succeeded(command).output)
    running.check_upload(answer, archive, _NAME)
    stored = running.stored(_NAME, answer)
    url = running.download_url(_NAME)
    _compare(url, archive, stored.parent)

    def run(folder: Path) -> Sample:
        del folder
        read_through(stored)
        settle()
        fetch = [*CURL[:-1], "%{http_code} %{size_download}", "--output", "/dev/null", url]
        before = running.server.cpu_seconds()
        finished = run_timed(fetch).succeeded(fetch)
        used = running.server.cpu_seconds() - before
        if finished.output.split() != ["200", str(archive.size_bytes)]:
            raise WrongAnswer(f"{title} answered {finished.output!r}")
        return Sample.of(finished, server_cpu_seconds=used, peak_mib=running.server.peak_mib())

    return Entrant(title, run)


def _compare(url: str, archive: Archive, folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder.parent) as copy:
        command = [*CURL, "--output", copy.name, url]
        run_timed(command).succeeded(command)
        if hashlib.file_digest(copy, "sha256").hexdigest() != archive.sha256:
            raise WrongAnswer("what was downloaded is not what was uploaded")
