"""
Listing and verifying as the number of archives grows: requests that only read the catalog must not feel its size.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..ask import Reply, ask, is_ready
from ..contestants import WrongAnswer
from ..population import archive_rows, with_names
from ..processes import ServerProcess, free_port, serving
from ..report import Table, Target, ratio_row, value_row
from ..runner import Context, Spread, settle
from ..tarkeep_server import serve_command, settings

PAGE_GROWTH = Target(1.5)
VERIFY_SECONDS = Target(1.0, unit=" s")
VERIFY_PER_ENTRY = Target(1.5)
_PAGE = "/api/v1/archives"
_PAGES_PER_ROUND = 200
_REST = "rest"


def run(context: Context) -> Table:
    scale = 10 if context.quick else 1
    inventories = [count // scale for count in (10_000, 25_000, 50_000, 100_000)]
    small, large = 10_000 // scale, 1_000_000 // scale
    with ExitStack() as up:
        context.say(f"  entering {large:,} archives (kept for the next time)")
        many = _profiles(inventories, large)
        _, small_port = _serve(up, with_names(context.work, {_REST: small}), context.work)
        server, large_port = _serve(up, with_names(context.work, many), context.work)
        idle_mib = server.peak_mib()
        settle()
        few_ms, many_ms = _pages({small_port: small, large_port: large}, context)
        paged_mib = server.peak_mib()
        seconds = {count: _verify(large_port, f"verify-{count}", count, count, context) for count in inventories}
        verified_mib = server.peak_mib()
        beyond = _verify(large_port, _REST, inventories[-1], many[_REST], context)

    first, last = inventories[0], inventories[-1]
    growth = Spread.of(b / a for a, b in zip(few_ms, many_ms, strict=True))
    per_entry = Spread.of((b / last) / (a / first) for a, b in zip(seconds[first], seconds[last], strict=True))
    return Table(
        name="catalog",
        title=f"first page and verify with {large:,} archives in the catalog",
        rows=[
            value_row(f"first page of 100, {small:,} archives", Spread.of(few_ms), 2, " ms"),
            value_row(f"first page of 100, {large:,} archives", Spread.of(many_ms), 2, " ms"),
            ratio_row(f"page at {large:,} / page at {small:,}", growth, PAGE_GROWTH),
            *(value_row(f"verify {count:,} entries", Spread.of(seconds[count]), 3, " s") for count in inventories[:-1]),
            value_row(f"verify {last:,} entries", Spread.of(seconds[last]), 3, " s", VERIFY_SECONDS),
            value_row(f"verify {last:,} entries of a profile with {many[_REST]:,}", Spread.of(beyond), 3, " s"),
            ratio_row(f"cost per entry at {last:,} / at {first:,}", per_entry, VERIFY_PER_ENTRY),
        ],
        remarks=[
            f"a page is the median of {_PAGES_PER_ROUND} requests per round on new connections, the servers in turns",
            "verify is POST /verify of one whole profile, from connecting to the last byte of the answer",
            "the one of a larger profile also names every archive that the client lacks, and has no target",
            f"peak memory of the server: {idle_mib:.0f} MiB after start, {paged_mib:.0f} after paging, "
            f"{verified_mib:.0f} after verifying",
        ],
    )


def _profiles(inventories: list[int], total: int) -> Mapping[str, int]:
    return {**{f"verify-{count}": count for count in inventories}, _REST: total - sum(inventories)}


def _serve(up: ExitStack, data: Path, work: Path) -> tuple[ServerProcess, int]:
    port = free_port()
    logs = Path(up.enter_context(tempfile.TemporaryDirectory(dir=work, prefix="catalog-log-")))
    server = up.enter_context(
        serving(
            serve_command(port, data),
            ready=lambda: is_ready(port, "/readyz"),
            log=logs / "server.log",
            environment=settings(),
        )
    )
    listed = json.loads(ask(port, _PAGE).body)["archives"]
    if any(archive["state"] != "stored" for archive in listed):
        raise WrongAnswer("the server takes archives for damaged that are only listed")
    return server, port


def _pages(ports: Mapping[int, int], context: Context) -> list[list[float]]:
    """For each server the milliseconds of a page, one figure per round."""
    medians: dict[int, list[float]] = {port: [] for port in ports}
    for port, total in ports.items():
        _check_page(ask(port, _PAGE), total)
    for _ in range(context.rounds):
        times: dict[int, list[float]] = {port: [] for port in ports}
        for _ in range(_PAGES_PER_ROUND):
            for port in ports:
                reply = ask(port, _PAGE)
                if reply.status != 200:
                    raise WrongAnswer(f"a page answered {reply.status}")
                times[port].append(reply.seconds)
        for port in ports:
            medians[port].append(statistics.median(times[port]) * 1000)
    return [medians[port] for port in ports]


def _check_page(reply: Reply, total: int) -> None:
    told = json.loads(reply.body)
    listed = next((value for value in told.values() if isinstance(value, list)), [])
    if reply.status != 200 or len(listed) != min(100, total):
        raise WrongAnswer(f"the first page answered {reply.status} with {len(listed)} archives: {reply.body[:200]!r}")


def _verify(port: int, profile: str, count: int, stored: int, context: Context) -> list[float]:
    """
    Seconds per round to verify the first *count* of the *stored* archives of *profile*.

    Before any timing, an inventory with two mistakes must be reported as such.
    """
    backups: dict[str, list[dict[str, object]]] = {}
    for row in archive_rows({profile: count}):
        entry = {"name": row.id.name, "size": row.size_bytes, "md5": row.digests.md5, "sha256": row.digests.sha256}
        backups.setdefault(row.id.type.value, []).append(entry)
    body = json.dumps({"local_backups": backups, "profile": profile}).encode()

    wrong = {**backups, "FULL": [{**backups["FULL"][0], "sha256": "0" * 64, "md5": "0" * 32}, *backups["FULL"][2:]]}
    report = _ask_verify(port, json.dumps({"local_backups": wrong, "profile": profile}).encode())[1]
    full = report["verification"]["FULL"]
    extra = stored - count
    if (
        report["sync_status"] != "OUT_OF_SYNC"
        or len(full["differing"]) != 1
        or _named(report, "extra_remote") != extra + 1
    ):
        raise WrongAnswer("verify did not see the two mistakes in an inventory")

    seconds = []
    for _ in range(context.rounds):
        reply, report = _ask_verify(port, body)
        expected = "OUT_OF_SYNC" if extra else "SYNCHRONIZED"
        synced = _named(report, "synced")
        if report["sync_status"] != expected or synced != count or _named(report, "extra_remote") != extra:
            raise WrongAnswer(f"verify said {report['sync_status']} with {synced} of {count} synced")
        seconds.append(reply.seconds)
        context.say(f"  verify {count:,} of {stored:,}: {reply.seconds:.3f} s")
    return seconds


def _named(report: Mapping[str, Any], bucket: str) -> int:
    return sum(len(of_type[bucket]) for of_type in report["verification"].values())


def _ask_verify(port: int, body: bytes) -> tuple[Reply, Any]:
    reply = ask(port, "/verify", method="POST", body=body, headers={"Content-Type": "application/json"})
    if reply.status != 200:
        raise WrongAnswer(f"verify answered {reply.status}: {reply.body[:300]!r}")
    return reply, json.loads(reply.body)
