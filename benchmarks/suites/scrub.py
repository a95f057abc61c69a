"""
Reading everything that is stored again: against what a person would run instead, and what people notice of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from attrs import Factory, define

from ..ask import ask, is_ready
from ..contestants import WrongAnswer
from ..corpus import Archive, filler_archive, tiny_archive
from ..population import with_archives
from ..processes import free_port, serving
from ..report import Row, Table, Target, percentile, race_row, times_row
from ..runner import Context, Entrant, Spread, command_entrant, race
from ..scrubbing import drop_cached, stored_in
from ..tarkeep_server import serve_command, settings

TO_OPENSSL = Target(1.05)
P99_TO_QUIET = Target(1.2)
MORE_MEMORY = Target(32, unit=" MiB")

_PATHS = ("/healthz", "/stats", "/api/v1/archives?limit=100", "/api/v1/status")
_PAUSE_SECONDS = 0.005  # leaves the two cores to the server
_QUIET_SECONDS = 3.0
_WARM_UP_SECONDS = 2.0


def run(context: Context) -> Table:
    kinds = (
        (filler_archive(context.corpus, (20 if context.quick else 200) << 20), 8),
        (tiny_archive(context.corpus), 500 if context.quick else 10_000),
    )
    rows: list[Row] = []
    for archive, count in kinds:
        context.say(f"  writing {count:,} archives (kept for the next time)")
        data = with_archives(context.work, {"host": count}, archive)
        what = f"{count:,} archives of {archive.label}"
        yardstick = _entrant(f"openssl: {what}", "openssl", data, archive, count)
        scrub = _entrant(f"scrub: {what}", "tarkeep", data, archive, count)
        result = race(yardstick, [scrub], context)
        rows += [
            race_row(result, yardstick.label),
            race_row(result, scrub.label, to=yardstick.label, target=TO_OPENSSL),
        ]
        context.say(f"  small requests beside a scrub of {what}")
        rows += _beside(data, what, context)
    return Table(
        name="scrub",
        title="reading all archives again, with nothing of them in the page cache",
        rows=rows,
        remarks=[
            "`find -type f | xargs -P2 -n64 openssl dgst -sha256` over archives and side-cars, and the job of the "
            "server without its start",
            "small requests: each on a connection of its own, the client on the same cores; by turns some seconds "
            "without a scrub, and one scrub of everything from its beginning to its end, in one server",
        ],
    )


@define
class _Beside:
    """Milliseconds of small requests *without* a scrub and *during* one, in one round each."""

    without: list[float] = Factory(list)
    during: list[float] = Factory(list)

    @property
    def ratio(self) -> float:
        return percentile(self.during, 99) / percentile(self.without, 99)


def _beside(data: Path, what: str, context: Context) -> list[Row]:
    """What small requests, and the memory of the server, are like while everything in *data* is read again."""
    (data / "tokens.json").unlink(missing_ok=True)  # of an earlier run
    token = _token(data)
    port = free_port()
    with serving(
        serve_command(port, data),
        ready=lambda: is_ready(port, "/healthz"),  # which needs no token
        log=context.work / "scrub-server.log",
        environment=settings(),
    ) as server:
        until = time.perf_counter() + _WARM_UP_SECONDS
        _ask_until(lambda: time.perf_counter() > until, port, token)
        before = server.peak_mib()
        rounds = [_round(data, port, token) for _ in range(context.rounds)]
        more = server.peak_mib() - before
    without = [value for one in rounds for value in one.without]
    during = [value for one in rounds for value in one.during]
    ratio = Spread.of(one.ratio for one in rounds)
    return [
        times_row(f"small requests without a scrub: {what}", without),
        times_row(f"small requests during a scrub: {what}", during),
        Row(
            f"p99 during / without: {what}",
            ratio=ratio.text(2, "x"),
            target=str(P99_TO_QUIET),
            verdict=P99_TO_QUIET.verdict(ratio.median),
        ),
        Row(
            f"more peak memory by scrubs: {what}",
            peak=f"{more:.0f}",
            target=str(MORE_MEMORY),
            verdict=MORE_MEMORY.verdict(more),
        ),
    ]


def _round(data: Path, port: int, token: str) -> _Beside:
    """Half of the time without a scrub is before it, half after it."""
    times = _Beside()
    drop_cached(stored_in(data))
    half = time.perf_counter() + _QUIET_SECONDS / 2
    times.without += _ask_until(lambda: time.perf_counter() > half, port, token)
    asked = ask(port, "/api/v1/scrub", method="POST", headers=_bearer(token))
    if asked.status != 202:
        raise WrongAnswer(f"the scrub was answered with {asked.status}")
    number = json.loads(asked.body)["run"]
    looked_at = 0.0

    def has_ended() -> bool:
        nonlocal looked_at
        if time.perf_counter() < looked_at + 0.2:
            return False
        looked_at = time.perf_counter()
        runs = json.loads(ask(port, "/api/v1/jobs/scrub/runs?limit=1", headers=_bearer(token)).body)["runs"]
        return bool(runs[0]["run"] != number or runs[0]["ended_at"])

    times.during += _ask_until(has_ended, port, token)
    half = time.perf_counter() + _QUIET_SECONDS / 2
    times.without += _ask_until(lambda: time.perf_counter() > half, port, token)
    return times


def _ask_until(over: Callable[[], bool], port: int, token: str) -> list[float]:
    """Milliseconds of small requests until *over* says yes."""
    times = []
    while not over():
        for path in _PATHS:
            reply = ask(port, path, headers=_bearer(token))
            if reply.status != 200:
                raise WrongAnswer(f"{path} answered {reply.status}")
            times.append(reply.seconds * 1000)
            time.sleep(_PAUSE_SECONDS)
    return times


def _token(data: Path) -> str:
    """A new token for everything."""
    scopes = [word for scope in ("list", "admin", "metrics") for word in ("--scope", scope)]
    command = [sys.executable, "-m", "tarkeep", "token", "create", *scopes, "--profile", "*", "--data", str(data)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _entrant(label: str, way: str, data: Path, archive: Archive, count: int) -> Entrant:
    def check(output: str) -> float:
        seconds, read = output.split()
        if int(read) != count:
            raise WrongAnswer(f"{read} archives were read and not {count}")
        return float(seconds)

    return command_entrant(label, [sys.executable, "-m", "benchmarks.scrubbing", way, str(data)], archive, check)
