"""
The pages at three sizes of a server, against the smallest answer of the same server in the same run; and uploads while
fifty tabs ask whether anything has changed.
"""

from __future__ import annotations

import html
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tarkeep.domain.access.chain import line_digest

from ..ask import ask, is_ready
from ..contestants import Answer, WrongAnswer
from ..corpus import Archive, names_archive, real_archive, tiny_archive
from ..dashed import LONG, NIGHTLY, dashed, name_of, night_name, nightly
from ..processes import free_port, run_timed, serving
from ..report import Row, Table, Target, percentile, ratio_row
from ..runner import Context, Spread, settle
from ..tarkeep_server import RunningTarkeep, Tarkeep, serve_command, settings

SMALLEST = "/healthz"
FLEET = Target(50.0, unit=" ms")
PROFILE = Target(250.0, unit=" ms")
LOG = Target(100.0, unit=" ms")
PLAN = Target(150.0, unit=" ms")
TREE = Target(50.0, unit=" ms")
POLL = Target(5.0, unit=" ms")
UPLOADS = Target(0.97, at_least=True)
SMALL = Target(1.2)
_REQUESTS = 60
_TABS, _EACH_SECONDS = 50, 30.0
_TREE = "tree"
_SMALL_REQUESTS, _PAUSE_SECONDS = 500, 0.005


def run(context: Context) -> Table:
    sizes = (20, 100, 500) if context.quick else (100, 1_000, 10_000)
    archives = 10 if context.quick else 100
    rows: list[Row] = []
    for number, profiles in enumerate(sizes):
        lines = (1_000_000 if not context.quick else 50_000) // 10 ** (len(sizes) - 1 - number)
        names = (1_000_000 if not context.quick else 20_000) // 10 ** (len(sizes) - 1 - number)
        context.say(f"  {profiles:,} profiles of {archives} archives, {lines:,} lines, {names:,} names")
        rows += _pages(context, profiles, archives, lines, is_last=number == len(sizes) - 1)
        rows.append(_tree(context, names, is_last=number == len(sizes) - 1))
    nights = (20, 50, 100) if context.quick else (100, 300, 1_000)
    for archives in nights:
        rows += _nights(context, archives, is_last=archives == nights[-1])
    rows.append(ratio_row(f"p99 of {SMALLEST} with {_TABS} tabs / without", _small_requests(context), SMALL))
    rows.append(ratio_row(f"upload with no tab / with {_TABS} tabs", _uploads(context), UPLOADS))
    return Table(
        name="dashboard",
        title="pages, by the size of the server",
        rows=rows,
        remarks=[
            f"p95 of {_REQUESTS} requests on new connections; the ratio is that to {SMALLEST} of the same server, "
            "which is asked in turns with the pages",
            "the profile with long chains has 1,000 archives; the page of the log is the newest, one that nobody finds "
            "a line on, and one far back",
            "the tree is asked for again, so that it is merged",
            "a nightly profile has a FULL each week; nobody said what its INC build on, so each plan links them anew",
            f"{_TABS} tabs ask once in {_EACH_SECONDS:.0f} s each whether anything has changed",
        ],
    )


def _pages(context: Context, profiles: int, archives: int, lines: int, *, is_last: bool) -> list[Row]:
    data = dashed(context.work, profiles, archives, lines)
    with _served(data, context.work) as port:
        fleet = ask(port, "/ui/").body.decode()
        polled = re.search(r'hx-get="([^"]*)"', fleet)
        if polled is None or name_of(0) not in fleet:
            raise WrongAnswer(f"the fleet page shows no profile, or does not refresh: {fleet[-300:]}")
        far = re.search(r'href="(/ui/log[^"]*below=[^"]*)"', ask(port, "/ui/log").body.decode())
        if far is None:
            raise WrongAnswer("the page of the log leads to no older lines")
        asked: dict[str, tuple[str, Target]] = {
            "fleet": ("/ui/", FLEET),
            "poll without a change": (html.unescape(polled[1]), POLL),
            "profile of 1,000 archives": (f"/ui/p/{LONG}", PROFILE),
            "log": ("/ui/log", LOG),
            "log, older lines": (html.unescape(far[1]), LOG),
            "log, far back": (f"/ui/log?below={_digest_of_an_old_line(data)}", LOG),
            "log, nothing found": ("/ui/log?profile=nobody", LOG),
            "storage": ("/ui/storage", PROFILE),
        }
        asked = {what: (path, target) for what, (path, target) in asked.items() if _answers(port, path)}
        times = _asked(port, {what: path for what, (path, _) in asked.items()})
    smallest = percentile(times[SMALLEST], 95)
    return [
        _row(f"{what}, {profiles:,} profiles, {lines:,} lines", times[what], smallest, target if is_last else None)
        for what, (_, target) in asked.items()
    ]


def _digest_of_an_old_line(data: Path) -> str:
    with (data / "audit.log").open("rb") as log:
        return line_digest([next(log) for _ in range(500)][-1].removesuffix(b"\n"))


def _nights(context: Context, archives: int, *, is_last: bool) -> list[Row]:
    """Pages that show or plan what is kept of a profile, by the number of its archives."""
    prune, page = f"/ui/p/{NIGHTLY}/prune", f"/ui/p/{NIGHTLY}"
    asked = {
        "profile": (page, PROFILE),
        "an archive, and why it is kept": (f"{page}/INC/{night_name(archives - 2 - (archives - 2) % 7 + 1)}", PROFILE),
        "prune plan": (prune, PLAN),
        "the same by another policy, most would go": (f"{prune}?keep_weekly=8&keep_yearly=3", PLAN),
        "the same by another policy, few would go": (f"{prune}?keep_daily={archives - 10}", PLAN),
    }
    with _served(nightly(context.work, archives), context.work) as port:
        for path, _ in asked.values():
            _answers(port, path)
        times = _asked(port, {what: path for what, (path, _) in asked.items()})
    smallest = percentile(times[SMALLEST], 95)
    return [
        _row(f"{what}, {archives:,} nightly archives", times[what], smallest, target if is_last else None)
        for what, (_, target) in asked.items()
    ]


def _answers(port: int, path: str) -> bool:
    status = ask(port, path).status
    if status not in (200, 204, 404):
        raise WrongAnswer(f"{path} answered {status}")
    return status != 404


def _asked(port: int, paths: Mapping[str, str]) -> dict[str, list[float]]:
    """The milliseconds of each of *paths* and of the smallest answer, in turns."""
    every = {SMALLEST: SMALLEST, **paths}
    times: dict[str, list[float]] = {what: [] for what in every}
    for _ in range(_REQUESTS):
        for what, path in every.items():
            reply = ask(port, path)
            if reply.status not in (200, 204):
                raise WrongAnswer(f"{path} answered {reply.status}")
            times[what].append(reply.seconds * 1000)
    return times


def _row(figure: str, times: list[float], smallest: float, target: Target | None) -> Row:
    p95 = percentile(times, 95)
    told = f"p50 {percentile(times, 50):.1f}, p95 {p95:.1f} ms"
    verdict = target.verdict(p95) if target else ""
    return Row(figure, told, ratio=f"{p95 / smallest:.1f}", target=str(target) if target else "", verdict=verdict)


def _tree(context: Context, names: int, *, is_last: bool) -> Row:
    archive = names_archive(context.corpus, names)
    with (
        tempfile.TemporaryDirectory(dir=context.work, prefix="dashboard-tree-") as folder,
        _served(Path(folder) / "data", context.work) as port,
    ):
        url = f"/api/v1/profiles/{_TREE}/archives/FULL/{archive.path.name}"
        sent = ask(port, url, method="PUT", body=archive.path.read_bytes(), timeout_seconds=600)
        page = f"/ui/p/{_TREE}/tree"
        first = ask(port, page, timeout_seconds=600)
        if sent.status != 201 or first.status != 200:
            raise WrongAnswer(f"the archive answered {sent.status}, its tree {first.status}")
        times = _asked(port, {_TREE: page})
    return _row(
        f"tree of {names:,} names, warm", times[_TREE], percentile(times[SMALLEST], 95), TREE if is_last else None
    )


def _uploads(context: Context) -> Spread:
    """How long an upload takes without tabs, divided by how long it takes with them, in turns."""
    archive, tiny = real_archive(context.corpus, quick=True), tiny_archive(context.corpus)
    ratios = []
    with (
        tempfile.TemporaryDirectory(dir=context.work, prefix="dashboard-tabs-") as folder,
        Tarkeep(route="raw").start(Path(folder)) as running,
    ):
        _upload(running, tiny, "warm-up.tar.gz")
        for number in range(max(context.rounds, 5)):
            archive.warm()
            settle()
            alone = _upload(running, archive, f"alone-{number}.tar.gz")
            settle()
            with _tabs(running.port):
                watched = _upload(running, archive, f"watched-{number}.tar.gz")
            ratios.append(alone / watched)
    return Spread.of(ratios)


def _small_requests(context: Context) -> Spread:
    """The p99 of the smallest answer with tabs, divided by that without, in turns."""
    with (
        tempfile.TemporaryDirectory(dir=context.work, prefix="dashboard-small-") as folder,
        Tarkeep(route="raw").start(Path(folder)) as running,
    ):
        _upload(running, tiny_archive(context.corpus), "one.tar.gz")

        def p99() -> float:
            times = []
            for _ in range(_SMALL_REQUESTS):
                times.append(ask(running.port, SMALLEST).seconds)
                time.sleep(_PAUSE_SECONDS)
            return percentile(times, 99)

        ratios = []
        for _ in range(max(context.rounds, 5)):
            alone = p99()
            with _tabs(running.port):
                ratios.append(p99() / alone)
    return Spread.of(ratios)


def _upload(running: RunningTarkeep, archive: Archive, name: str) -> float:
    command = running.upload(archive, name)
    finished = run_timed(command).succeeded(command)
    running.check_upload(Answer.parse(finished.output), archive, name)
    return finished.seconds


@contextmanager
def _tabs(port: int) -> Iterator[None]:
    """Meanwhile fifty tabs ask, one after the other."""
    over = threading.Event()

    def ask_again() -> None:
        path = "/ui/"
        while not over.wait(_EACH_SECONDS / _TABS):
            polled = re.search(r'hx-get="([^"]*)"', ask(port, path).body.decode())
            path = html.unescape(polled[1]) if polled is not None else path

    asking = threading.Thread(target=ask_again, daemon=True)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()


@contextmanager
def _served(data: Path, work: Path) -> Iterator[int]:
    port = free_port()
    with (
        tempfile.TemporaryDirectory(dir=work, prefix="dashboard-log-") as logs,
        serving(
            serve_command(port, data),
            ready=lambda: is_ready(port, "/readyz"),
            log=Path(logs) / "server.log",
            # the files are empty: whoever looked at them would find damage, and that is no part of a page
            environment={**settings(), "TARKEEP_JOB_WATCH": "off"},
        ),
    ):
        yield port
