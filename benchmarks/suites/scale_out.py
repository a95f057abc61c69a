"""
A bucket and PostgreSQL against files and SQLite, and against curl to the same bucket: sending, fetching, memory, pages,
restoring, and writing from several processes.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from attrs import frozen

from tarkeep.adapters.sql.catalog import SqlCatalog
from tests.support.object_stores import ACCESS_KEY, SECRET_KEY, ObjectStore, credentials, running_seaweedfs
from tests.support.postgres import Postgres, running_postgres

from ..ask import is_ready
from ..contestants import CURL, Answer, WrongAnswer
from ..corpus import MB, Archive, filler_archive, real_archive, tiny_archive
from ..population import archive_rows
from ..processes import ServerProcess, free_port, run_timed, serving
from ..report import Table, Target, ratio_row, value_row
from ..runner import Context, Spread, settle
from ..tarkeep_server import PROFILE, serve_command, settings

TO_CURL = Target(1.6)
TO_FILES = Target(2.5)
FETCHED = Target(1.2)
PEAK = Target(124.0, unit=" MiB")
PAGE = Target(3.0)
WRITES = Target(1.6, at_least=True)
RESTORED = Target(1.5)
_PAGES = 100
_WRITERS, _EACH = 3, 300


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    tiny, large = tiny_archive(context.corpus), filler_archive(context.corpus, (64 if context.quick else 2048) * MB)
    with ExitStack() as up:
        up.enter_context(credentials())
        store, postgres = up.enter_context(running_seaweedfs()), up.enter_context(running_postgres())
        servers = _Servers(context, store, postgres)
        sent = [servers.sent(archive, tiny) for _ in range(context.rounds)]
        peaks = servers.peaks(large)
        restored = [servers.restored(archive) for _ in range(context.rounds)]
        pages = servers.pages(100_000 if context.quick else 1_000_000)
        writes = [servers.writes() for _ in range(context.rounds)]
    return Table(
        name="scale-out",
        title=f"a bucket of SeaweedFS and PostgreSQL ({archive.label})",
        rows=[
            ratio_row("PUT to the server / curl's PUT to the bucket", Spread.of(a.put_to_curl for a in sent), TO_CURL),
            ratio_row("PUT to the server / to one with files", Spread.of(a.put_to_files for a in sent), TO_FILES),
            ratio_row("GET from the server / curl's GET from the bucket", Spread.of(a.got for a in sent), FETCHED),
            value_row(f"peak memory, PUT of {large.size_bytes // MB} MB", Spread.of(peaks), 0, " MiB", PEAK),
            ratio_row("restore.tar of a FULL and 10 INC / from files", Spread.of(restored), RESTORED),
            ratio_row("first page, PostgreSQL / SQLite", Spread.of(pages), PAGE),
            ratio_row(f"archives entered by {_WRITERS} processes / by one", Spread.of(writes), WRITES),
        ],
        remarks=["all servers, PostgreSQL and SeaweedFS share the machine; the first archive to a server is not timed"],
    )


@frozen
class _Sent:
    put_to_curl: float
    put_to_files: float
    got: float


@frozen
class _Servers:
    context: Context
    store: ObjectStore
    postgres: Postgres

    @contextmanager
    def _scaled(self) -> Iterator[tuple[ServerProcess, int]]:
        with self.postgres.database() as url:
            where = ("--store", self.store.url(self.store.address()), "--s3-endpoint", self.store.endpoint)
            with self._serving(*where, "--catalog", url) as running:
                yield running

    @contextmanager
    def _serving(self, *options: str) -> Iterator[tuple[ServerProcess, int]]:
        port = free_port()
        with (
            tempfile.TemporaryDirectory(dir=self.context.work, prefix="scale-out-") as folder,
            serving(
                serve_command(port, Path(folder) / "data", *options),
                ready=lambda: is_ready(port, "/readyz"),
                log=Path(folder) / "server.log",
                environment=settings(),
            ) as server,
        ):
            yield server, port

    def sent(self, archive: Archive, tiny: Archive) -> _Sent:
        """Sending and fetching *archive*, each way once."""
        with self._scaled() as (_, port), self._serving() as (_, files_port):
            for each in (port, files_port):
                _put(each, tiny, "warm-up.tar.gz")
            archive.warm()
            settle()
            to_bucket = self._curl(archive, "--upload-file", str(archive.path))
            settle()
            to_server = _put(port, archive, "archive.tar.gz")
            settle()
            to_files = _put(files_port, archive, "archive.tar.gz")
            self._curl(archive, "--output", "/dev/null")
            from_bucket = self._curl(archive, "--output", "/dev/null")
            _get(port, "archive.tar.gz", archive)
            from_server = _get(port, "archive.tar.gz", archive)
        self.context.say(f"  PUT {to_server:.2f} s, bucket {to_bucket:.2f}, files {to_files:.2f}")
        return _Sent(to_server / to_bucket, to_server / to_files, from_server / from_bucket)

    def _curl(self, archive: Archive, *options: str) -> float:
        url = f"{self.store.endpoint}/tests/by-curl/{archive.path.name}"
        keys = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{ACCESS_KEY}:{SECRET_KEY}")
        command = [*CURL, "--fail", *keys, "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", *options, url]
        return run_timed(command).succeeded(command).seconds

    def peaks(self, large: Archive) -> list[float]:
        """The peak of a server that takes *large*, in MiB."""
        with self._scaled() as (server, port):
            _put(port, large, "large.tar.gz")
            return [server.peak_mib()]

    def restored(self, archive: Archive) -> float:
        """Seconds of restore.tar from the bucket, divided by those from files."""
        with (
            tempfile.TemporaryDirectory(dir=self.context.work, prefix="scale-out-") as folder,
            self._scaled() as (_, port),
            self._serving() as (_, files_port),
        ):
            for name, made in _chain(Path(folder), archive):
                for each in (port, files_port):
                    _send(each, name, made)
            seconds: dict[int, float] = {}
            for each in (port, files_port, port, files_port):
                command = [*CURL, "--fail", "--output", "/dev/null"]
                command += [f"http://127.0.0.1:{each}/api/v1/profiles/{PROFILE}/restore.tar"]
                seconds[each] = run_timed(command).succeeded(command).seconds
        return seconds[port] / seconds[files_port]

    def pages(self, archives: int) -> list[float]:
        """Milliseconds of the first page from PostgreSQL divided by those from SQLite, both with *archives*."""
        with (
            tempfile.TemporaryDirectory(dir=self.context.work, prefix="scale-out-") as folder,
            self.postgres.database() as url,
            ExitStack() as opened,
        ):
            catalogs = []
            for where in (url, f"sqlite:///{folder}/catalog.sqlite"):
                self.context.say(f"  entering {archives:,} archives")
                catalog = SqlCatalog.open(where, busy_seconds=600)
                opened.callback(catalog.close)
                catalog.replace(archive_rows({"one": archives // 2, "other": archives - archives // 2}))
                catalogs.append(catalog)
            self.postgres.execute("VACUUM ANALYZE", url.rpartition("/")[2])
            ratios = []
            for _ in range(self.context.rounds):
                times: list[list[float]] = [[], []]
                for _ in range(_PAGES):
                    for catalog, taken in zip(catalogs, times, strict=True):
                        begin = time.perf_counter()
                        catalog.page(limit=100)
                        taken.append(time.perf_counter() - begin)
                ratios.append(statistics.median(times[0]) / statistics.median(times[1]))
            return ratios

    def writes(self) -> float:
        """How many archives a second several processes enter together, divided by those of one."""
        rates = []
        with self.postgres.database() as url:
            for writers in (1, _WRITERS):
                begin = time.perf_counter()
                started = [
                    subprocess.Popen(
                        [sys.executable, "-m", "benchmarks.entering", url, f"{writers}-{number}", str(_EACH)]
                    )
                    for number in range(writers)
                ]
                if any(process.wait() for process in started):
                    raise WrongAnswer("entering archives failed")
                rates.append(writers * _EACH / (time.perf_counter() - begin))
        self.context.say(f"  entered by one: {rates[0]:.0f} a second, by {_WRITERS}: {rates[1]:.0f}")
        return rates[1] / rates[0]


_numbers = count()


def _chain(folder: Path, archive: Archive) -> Iterator[tuple[str, Path]]:
    """A FULL of what is in *archive*, and ten INC of a few changed files, by GNU tar."""
    tree, snapshot = folder / "tree", folder / "state.snar"
    tree.mkdir()
    subprocess.run(["tar", "-xzf", str(archive.path), "-C", str(tree)], check=True)
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    for number in range(11):
        for path in files[number::200] if number else ():
            path.chmod(0o600)
            path.write_bytes(path.read_bytes() + b"changed")
        made = folder / f"{number}.tar.gz"
        command = ["tar", "-cf", str(made), "-I", "gzip -1", f"--listed-incremental={snapshot}", "-C", str(tree), "."]
        subprocess.run(command, check=True)
        yield f"{'inc' if number else 'full'}_2026-11-{number + 1:02}_00-00-00.tar.gz", made


def _send(port: int, name: str, made: Path) -> None:
    command = [*CURL, "--form", f"profile={PROFILE}", "--form", f"type={'INC' if name[0] == 'i' else 'FULL'}"]
    command += ["--form", f"file=@{made};filename={name}", f"http://127.0.0.1:{port}/upload"]
    answer = Answer.parse(run_timed(command).succeeded(command).output)
    if answer.status != 201:
        raise WrongAnswer(f"sending {name} answered {answer.status}: {answer.body[:200]}")


def _put(port: int, archive: Archive, name: str) -> float:
    command = [*CURL, "--upload-file", str(archive.path), _url(port, name)]
    finished = run_timed(command).succeeded(command)
    answer = Answer.parse(finished.output)
    if answer.status != 201 or archive.sha256 not in answer.body:
        raise WrongAnswer(f"PUT answered {answer.status}: {answer.body[:200]}")
    return finished.seconds


def _get(port: int, name: str, archive: Archive) -> float:
    command = [*CURL[:-1], "%{size_download}", "--fail", "--output", "/dev/null", _url(port, name)]
    finished = run_timed(command).succeeded(command)
    if int(finished.output) != archive.size_bytes:
        raise WrongAnswer("a download has another length")
    return finished.seconds


def _url(port: int, name: str) -> str:
    return f"http://127.0.0.1:{port}/api/v1/profiles/{PROFILE}/archives/FULL/{name}"
