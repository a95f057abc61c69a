"""
Normal requests beside hundreds of connections that stall, trickle, or do not read: they must not delay the others.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.support.crowd import slow_sockets

from ..ask import ask
from ..contestants import WrongAnswer
from ..corpus import Archive, tiny_archive
from ..report import Table, Target, percentile, times_row
from ..runner import Context, settle
from ..tarkeep_server import RunningTarkeep, Tarkeep

P99 = Target(1000, unit=" ms")
_SLOW = 500
_SECONDS = 60.0
_SECONDS_QUICK = 10.0
_SECONDS_IDLE = 5.0
_PAUSE_SECONDS = 0.01
_PATHS = ("/healthz", "/stats", "/api/v1/archives?limit=100")
_UPLOAD = "PUT of a tiny archive"


def run(context: Context) -> Table:
    tiny = tiny_archive(context.corpus)
    seconds = _SECONDS_QUICK if context.quick else _SECONDS
    with (
        tempfile.TemporaryDirectory(dir=context.work, prefix="slow-") as folder,
        Tarkeep().start(Path(folder)) as running,
    ):
        settle()
        idle = _times(running, tiny, _SECONDS_IDLE, "idle")
        context.say(f"  {_SLOW} slow sockets for {seconds:.0f} s")
        with slow_sockets(("127.0.0.1", running.port), _SLOW):
            busy = _times(running, tiny, seconds, "busy")
        peak = running.server.peak_mib()
    together = [value for values in busy.values() for value in values]
    p99 = percentile(together, 99)
    return Table(
        name="slow",
        title=f"small requests while {_SLOW} slow sockets are open for {seconds:.0f} s",
        rows=[
            times_row("no slow socket, all", [value for values in idle.values() for value in values]),
            *(times_row(f"{_SLOW} slow sockets, {what}", values) for what, values in busy.items()),
            times_row(f"{_SLOW} slow sockets, all of these", together, str(P99), P99.verdict(p99)),
        ],
        remarks=[
            "a fifth each says nothing, trickles a head, has an upload that stalls or trickles, does not read answers",
            "each request on a connection of its own, the client and the slow ones on the same cores as the server",
            f"peak memory of the server {peak:.0f} MiB",
        ],
    )


def _times(running: RunningTarkeep, tiny: Archive, seconds: float, phase: str) -> dict[str, list[float]]:
    """Milliseconds by request."""
    content = tiny.path.read_bytes()
    times: dict[str, list[float]] = {}
    end = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < end:
        number += 1
        place = running.download_url(f"{phase}-{number:06}.tar.gz").removeprefix(running.url)
        for what in (*_PATHS, _UPLOAD):
            reply = ask(running.port, what) if what in _PATHS else ask(running.port, place, method="PUT", body=content)
            if reply.status != (200 if what in _PATHS else 201):
                raise WrongAnswer(f"{what} answered {reply.status}")
            times.setdefault(what, []).append(reply.seconds * 1000)
            time.sleep(_PAUSE_SECONDS)
    return times
