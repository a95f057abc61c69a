"""
Everything at once, for as long as one likes: memory, open files and staging of the server must not grow.

    python -m benchmarks.suites.everything --minutes 60 --archives 10000

A server with so many small archives is scrubbed again and again, rehearses its profiles, watches them and delivers
notices to a receiver, is scraped, and takes and gives back small archives, all at a time. Now and then a stored archive
is damaged, and sent again later, so that there is something to find and to tell. It is no bench like the others, since
it takes an hour: run it by hand.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from attrs import define, field, frozen

from ..ask import ask, is_ready
from ..contestants import WrongAnswer
from ..corpus import Archive, tiny_archive
from ..population import with_archives
from ..processes import ServerProcess, free_port, serving
from ..report import Row, Table, as_text, percentile
from ..tarkeep_server import serve_command

_PROFILES = 50
_OFTEN = "* * * * *"
_SAMPLE_SECONDS = 2.0
_SCRAPE_SECONDS = 5.0
_HARM_SECONDS = 15.0
_PAUSE_SECONDS = 0.02
_READS = ("/stats", "/api/v1/archives?limit=100", "/api/v1/status", "/api/v1/profiles/p00/points")
_MOST_GROWTH = 1.1
_NOTIFY = """
[channels.here]
webhook = "http://127.0.0.1:{port}/"
allow_private = true

[[routes]]
channels = ["here"]
"""


@frozen
class Sample:
    """The server at one moment."""

    resident_mib: float
    files: int
    staged: int


@define
class Load:
    """What is done to a server on *port* until `over` is set; what takes time is kept in milliseconds, by name."""

    port: int
    data: Path
    archive: Archive
    over: threading.Event = field(factory=threading.Event)
    taken: dict[str, list[float]] = field(factory=dict)
    counts: Counter[str] = field(factory=Counter)
    errors: list[str] = field(factory=list)

    def read(self) -> None:
        for path in itertools.cycle(_READS):
            if self.over.wait(_PAUSE_SECONDS):
                return
            self._ask(path.partition("?")[0], path)

    def send(self) -> None:
        content = self.archive.path.read_bytes()
        for number in itertools.count():
            if self.over.wait(_PAUSE_SECONDS):
                return
            place = f"/api/v1/profiles/p{number % _PROFILES:02}/archives/FULL/new-{number:07}.tar.gz"
            self._ask("PUT of a small archive", place, "PUT", content)
            self._ask("GET of a small archive", place)

    def scrape(self) -> None:
        while not self.over.wait(_SCRAPE_SECONDS):
            self._ask("/metrics", "/metrics")

    def scrub(self) -> None:
        """Have everything read again, as soon as that is done once more."""
        command = [sys.executable, "-m", "tarkeep", "scrub", "--data", str(self.data), "--json"]
        while True:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as scrub:
                while scrub.poll() is None and not self.over.wait(_PAUSE_SECONDS):
                    pass
                scrub.terminate()
                told, _ = scrub.communicate()
            if self.over.is_set():
                return
            if scrub.returncode not in (0, 13):
                self.errors.append(f"scrub: {told}")
                return
            counts = json.loads(told.splitlines()[-1])["counts"]
            self.counts += Counter({"scrubs": 1, "archives read by scrubs": counts["checked"]})

    def harm(self) -> None:
        """Damage one archive after the other, and send the one before again."""
        content = self.archive.path.read_bytes()
        before = ""
        for file in sorted((self.data / "archives").glob("p*/FULL/full_*.tar.gz")):
            if self.over.wait(_HARM_SECONDS):
                break
            file.chmod(0o600)
            file.write_bytes(bytes(len(content)))
            self.counts["damaged"] += 1
            if before:
                self._ask("PUT that repairs", before, "PUT", content)
            before = f"/api/v1/profiles/{file.parent.parent.name}/archives/FULL/{file.name}"

    def _ask(self, what: str, path: str, method: str = "GET", body: bytes | None = None) -> None:
        try:
            reply = ask(self.port, path, method=method, body=body)
        except OSError as error:
            if not self.over.is_set():
                self.errors.append(f"{method} {path}: {error}")
            return
        if reply.status >= 300:
            self.errors.append(f"{method} {path} answered {reply.status}: {reply.body[:200]!r}")
        self.taken.setdefault(what, []).append(reply.seconds * 1000)


def main() -> int:
    """1 if something grew, or an answer was wrong."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suites.everything", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--archives", type=int, default=10_000, help="how many are there at the beginning (10000)")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), help="where to make a folder for it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work, prefix="tarkeep-everything-") as folder:
        table, errors = _run(Path(folder), options.minutes, options.archives)
    print(as_text(table))
    for error in errors[:10]:
        print(error)
    return int(bool(errors) or any(row.verdict == "MISSED" for row in table.rows))


def _run(folder: Path, minutes: float, archives: int) -> tuple[Table, list[str]]:
    archive = tiny_archive(folder / "corpus")
    data = with_archives(folder, {f"p{number:02}": archives // _PROFILES for number in range(_PROFILES)}, archive)
    port, log = free_port(), folder / "server.log"
    environment = {"TARKEEP_JOB_SCRUB": _OFTEN, "TARKEEP_JOB_REHEARSE": _OFTEN, "TARKEEP_RESERVE_BYTES": "0"}
    with _receiver() as (received, receiving_port):
        (data / "notify.toml").write_text(_NOTIFY.format(port=receiving_port))
        (data / "notify.toml").chmod(0o600)
        ready: Callable[[], bool] = lambda: is_ready(port, "/readyz")  # noqa: E731 as the others have it
        with serving(serve_command(port, data), ready=ready, log=log, environment=environment) as server:
            for number in range(_PROFILES):  # the catalog was made in bulk: what builds on what is worked out once
                ask(port, f"/api/v1/profiles/p{number:02}/points?limit=1", timeout_seconds=600)
            load = Load(port, data, archive)
            samples = _sampled(server, load, minutes * 60)
    complaints = [line for line in log.read_text().splitlines() if " ERROR " in line and "damaged" not in line]
    rows = [_grown(samples, "resident MiB", lambda one: one.resident_mib), _grown(samples, "open files", _files)]
    staged = samples[-1].staged
    rows.append(Row("files in staging at the end", str(staged), target="none", verdict="MISSED" if staged else "met"))
    for what, taken in sorted(load.taken.items()):
        rows.append(Row(what, f"p50 {percentile(taken, 50):.1f}, p99 {percentile(taken, 99):.1f} ms ({len(taken)})"))
    counts = {**load.counts, "notices received": len(received)}
    rows += [Row(what, str(count)) for what, count in sorted(counts.items())]
    title = f"everything at once for {minutes:g} min over {archives:,} archives"
    return Table(name="everything", title=title, rows=rows), load.errors + complaints


def _sampled(server: ServerProcess, load: Load, seconds: float) -> list[Sample]:
    work = (load.read, load.send, load.scrape, load.scrub, load.harm)
    threads = [threading.Thread(target=each, name=each.__name__) for each in work]
    end, samples = time.monotonic() + seconds, list[Sample]()
    for thread in threads:
        thread.start()
    try:
        while time.monotonic() < end:
            time.sleep(_SAMPLE_SECONDS)
            samples.append(_sample(server.process.pid, load.data))
    finally:
        load.over.set()
        for thread in threads:
            thread.join()
    time.sleep(_SAMPLE_SECONDS)
    return [*samples, _sample(server.process.pid, load.data)]


def _sample(pid: int, data: Path) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    staged = sum(1 for file in (data / "staging").rglob("*") if file.is_file())
    return Sample(int(kib) / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), staged)


def _files(one: Sample) -> float:
    return one.files


def _grown(samples: Sequence[Sample], what: str, value: Callable[[Sample], float]) -> Row:
    """The median of the last quarter against that of the second: at first caches fill."""
    values = [value(one) for one in samples]
    if len(values) < 8:
        raise WrongAnswer("it ran too short a time to see whether anything grows")
    quarter = len(values) // 4
    before, after = statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])
    told = (
        f"{values[0]:.0f} at first, {before:.0f} in the 2nd quarter, {after:.0f} in the last, {max(values):.0f} at most"
    )
    verdict = "met" if after <= before * _MOST_GROWTH + 1 else "MISSED"
    return Row(what, told, ratio=f"{after / before:.2f}x", target="no growth", verdict=verdict)


@contextmanager
def _receiver() -> Iterator[tuple[list[str], int]]:
    """What was received, by title, and the port."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append(body["title"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received, server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main())
