"""``tarkeep backup``: tar makes the dump; the server says what it continues from, and stores it."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from .....domain.client.backup.back_up import BackedUp, PlannedDump
from .....domain.client.backup.through_spool import BackUpThroughFile
from .....domain.client.backup.verdict import DumpVerdict
from .....domain.client.ports.dumping import NO_LIMITS, DumpSource, Limits
from .....domain.client.progress import Progress
from .....domain.client.retrying import Notice
from .....domain.errors.client import ParentMoved
from .....domain.errors.settings import UsageError
from .....domain.identity.archive_id import ArchiveId, BackupType
from .....domain.identity.naming import check_profile
from .....domain.tarkeep_error import TarkeepError
from .....domain.text.counted import counted
from .....domain.text.sizes import human_size
from ....settings.backups import BackupOptions, BackupSettings, from_table
from ....settings.client import ClientSettings, where_to_set
from ...shared.opening import facts_of_server, opening, required_profile
from ...shared.options import DryRun
from ...shared.settings_file import command_table
from ...shared.transfers import Pace
from ...terminal.ending import INTERRUPTED
from ...terminal.exits import DIFFERENT, FAILED, OK, PARTLY, exit_code
from ...terminal.hints import in_full
from ...terminal.output import Output
from .checks import Checks, Made
from .report import MAKING_IT_FULL, Course, on_top_of, report
from .watch import WatchedDump, warn_of_limit

if TYPE_CHECKING:
    from ....wiring.client import Client
    from ....wiring.client_dumps import Dumping


def backup(
    profile: str | None = None,
    directory: str | None = None,
    /,
    *,
    all: bool = False,
    check: bool = False,
    check_all: bool = False,
    options: BackupOptions | None = None,
    dry_run: DryRun = False,
    client: ClientSettings | None = None,
) -> int:
    """
    Back up a directory: GNU tar dumps what has changed, straight to the server.

    The server decides what the dump continues from, and keeps tar's snapshot file with each archive. So no dump builds
    on one that was not stored, and a newly installed machine continues where the old one stopped. The archive is named
    after the time in UTC, such as inc_2025-11-21_09-07-19.tar.gz, and its members begin with the directory's name. It
    is compressed in independent gzip members, so that reading can begin at any of them; pigz does not write such files.

    In the settings file each profile may have a table, [backup.laptop], with directory, check (weekly, always or
    never), and any of the options below written with underscores. Exit codes: 0 everything is stored; 1 nothing is
    stored; 3 an archive is stored, but files could not be read or were left out by tar, or its parent lacks files, or
    it does not restore, or its snapshot file is not stored, so that the next dump continues from the one before, or
    with --all some profiles are not stored; 12 the token lacks a required scope; 13 a check found that tar missed
    something; 14 the server did not answer.

    Parameters
    ----------
    profile
        The profile to store it for. Default: the one in the settings.
    directory
        The directory to back up. Default: the one in the table of the profile.
    all
        Back up every profile that has a table in the settings file, one after the other.
    check
        Afterwards compare the directory with what the server has: names, types, sizes, modes, times, hard links, and
        the contents of 50 files. GNU tar itself misses something now and then. What it missed is named, and the next
        dump of the type auto is a FULL. What changed since the dump began is no difference.
    check_all
        The same, with the contents of all files, which are all read again from the server.
    dry_run
        Show what would be done, and how large it would be; send nothing.
    """
    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    said = (options or BackupOptions()).of(directory)
    wanted = _wanted(profile, settings, said, everything=all)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped service cleans up as Ctrl-C does
    with opening(settings) as opened:
        wants_check = "all" if check_all else "some" if check else None
        run = _Backup(opened, output, settings, dry_run=dry_run, wants_check=wants_check)
        codes = [run.or_error(profile, its) if all else run(profile, its) for profile, its in wanted.items()]
        failed = sum(code not in (OK, PARTLY, DIFFERENT) for code in codes)
        if all or output.as_json:
            done = "looked at" if dry_run else "backed up"
            output.result(
                f"{len(codes) - failed} of {counted(len(codes), 'profile')} {done}",
                summary=True,
                profiles=len(codes),
                failed=failed,
            )
        return _worst(codes)


def _wanted(
    profile: str | None, settings: ClientSettings, said: BackupSettings, *, everything: bool
) -> dict[str, BackupSettings]:
    """The profiles to back up, with the settings of each."""
    known = from_table(*command_table("backup"))
    if not everything:
        name = check_profile(required_profile(profile, settings))
        return {name: said.over(known.get(name, BackupSettings()))}
    if profile is not None:
        raise UsageError("--all", "backs up the profiles of the settings file; do not name one")
    if not known:
        raise UsageError("--all", f"there is no table such as [backup.laptop] in {where_to_set()}")
    return {name: said.over(its) for name, its in known.items()}


def _worst(codes: Sequence[int]) -> int:
    if INTERRUPTED in codes:
        return INTERRUPTED
    if len(set(codes)) == 1:
        return codes[0]
    if DIFFERENT in codes and all(code in (OK, PARTLY, DIFFERENT) for code in codes):
        return DIFFERENT
    return PARTLY if any(code in codes for code in (OK, PARTLY, DIFFERENT)) else FAILED


@frozen
class _Backup:
    _client: Client
    _output: Output
    _settings: ClientSettings
    _dry_run: bool
    _wants_check: str | None = None

    def or_error(self, profile: str, how: BackupSettings) -> int:
        """Back up one of several profiles; an error is reported and becomes an exit code, so the others go on."""
        try:
            return self(profile, how)
        except TarkeepError as error:
            self._output.error(f"{profile}: {in_full(error)}")
            if self._output.as_json:
                self._output.result("", profile=profile, status="failed", error=str(error))
            return exit_code(error)

    def __call__(self, profile: str, how: BackupSettings) -> int:
        from ....wiring.client_dumps import dumping

        source, rule, wanted = how.source(), how.rule(), how.wanted()
        jobs, level = how.compression()
        spool = None if self._dry_run else how.spool_folder()
        notice = self._notice(profile)
        facts = facts_of_server(self._client, self._output, "backup", profile)
        limits = NO_LIMITS if facts is None else Limits(facts.max_upload_bytes, facts.max_unpacked_bytes)
        with dumping(
            self._client,
            profile,
            tar=how.program(),
            compress_jobs=jobs,
            level=level,
            spool=spool,
            strict=how.strict,
            limits=limits,
        ) as dumps:
            dumps.dumper.check()
            if dumps.through is not None:
                self._send_waiting(dumps, dumps.through, source, notice)
            began = time.monotonic()
            checks = Checks(self._client, self._output, profile, how, self._wants_check)
            after_check = BackupType.FULL if wanted is None and checks.full_because else wanted
            planned = dumps.plan(profile, source, after_check, rule, datetime.now(UTC), notice)
            if wanted is None and checks.full_because:
                planned = evolve(planned, reason=checks.full_because)
            if planned.passed_over is not None:
                self._output.error(f"{profile}: {planned.passed_over}; planned anew, {on_top_of(_parent(planned))}")
            if self._dry_run:
                return self._explain(dumps, planned, how)
            made = self._make(dumps, planned, source, began, notice)
            verdict = made.verdict
            if verdict is None or verdict.is_good or wanted is not None or planned.base is None:
                return checks(dumps, made, source)
            no_better = dumps.judge.full_that_is_no_better(profile, verdict, notice)
            if no_better is not None:
                self._output.error(f"{profile}: no FULL is made at once: {no_better} does not restore either")
                return checks(dumps, made, source)
            began = time.monotonic()
            full = dumps.plan(profile, source, BackupType.FULL, rule, datetime.now(UTC), notice)
            what = "does not restore" if verdict.obstacles else "lacks files"
            reason = f"{planned.id.label} {what}: this is a FULL, so that all of it is backed up"
            return checks(dumps, self._make(dumps, evolve(full, reason=reason), source, began, notice), source)

    def _make(self, dumps: Dumping, planned: PlannedDump, source: DumpSource, began: float, notice: Notice) -> Made:
        """Make a dump, whose planning *began* then, and report it."""
        began_ns = dumps.live.now_ns()
        self._output.step(f"{planned.id}, {on_top_of(_parent(planned))}: {planned.reason}")
        with self._making(planned.id, dumps.limits) as making:
            done = dumps.back_up(planned, source, making.sent, notice, making.watch())
        course = Course(making.read_bytes, time.monotonic() - began)
        code, verdict = self._report(dumps, done, source, _parent(planned), planned.reason, course, notice)
        return Made(done, began_ns, code, verdict)

    def _report(
        self,
        dumps: Dumping,
        done: BackedUp,
        source: DumpSource,
        parent: str | None,
        reason: str,
        course: Course,
        notice: Notice,
    ) -> tuple[int, DumpVerdict | None]:
        """Ask the server for its verdict on a dump, and report both: the exit code, and the verdict."""
        try:
            verdict = dumps.judge(done.archive.id, source, notice, [one.path for one in done.unreadable])
        except TarkeepError as error:
            report(self._output, done, parent, reason, course)
            self._output.error(f"{done.archive.id}: stored, but the server did not say whether it restores: {error}")
            return PARTLY, None
        return report(self._output, done, parent, reason, course, verdict), verdict

    def _send_waiting(self, dumps: Dumping, through: BackUpThroughFile, source: DumpSource, notice: Notice) -> None:
        """Send the dumps that an earlier run could not send; this run's dump continues from them."""
        for dump in through.spool.waiting():
            self._output.step(f"{dump.id}: found in the spool; it is sent now")
            parent = dump.lineage.parent
            try:
                with self._moving(dump.id, dump.archive.size_bytes) as progress:
                    done = through.send(dump, progress, notice)
            except ParentMoved as error:
                self._output.error(f"{dump.id}: dropped from the spool: {error}")
                continue
            for note in dump.notes:
                self._output.error(f"{dump.id}: {note}")
            on = f"{parent[0].value}/{parent[1]}" if parent is not None else None
            self._report(dumps, done, source, on, "sent from the spool", Course(), notice)

    @contextmanager
    def _moving(self, id: ArchiveId, size_bytes: int) -> Iterator[Progress]:
        """Progress for *id* while it is sent: a bar, and the rate limit of the settings."""
        label = id.label
        pace = Pace(self._settings.limit_rate)
        with self._output.bars(size_bytes) as bars:

            def progress(position: int, moved_bytes: int) -> None:
                bars.at(label, position, moved_bytes, size_bytes)
                pace.moved(moved_bytes)

            yield progress

    @contextmanager
    def _making(self, id: ArchiveId, limits: Limits) -> Iterator[WatchedDump]:
        """Progress for *id* while it is made: a bar, and the rate limit of the settings."""
        with self._output.bars(None) as bars:
            yield WatchedDump(id.label, bars, Pace(self._settings.limit_rate), self._output, limits)

    def _notice(self, profile: str) -> Notice:
        return lambda error, pause: self._output.message(f"{profile}: {error}; again in {pause:.0f} s")

    def _explain(self, dumps: Dumping, planned: PlannedDump, how: BackupSettings) -> int:
        source = how.source()
        estimate = dumps.dumper.estimate(source, planned.before)
        command = shlex.join(dumps.dumper.command(source))
        members = counted(estimate.members, "file or directory", "files and directories")
        about = f"about {members}, {human_size(estimate.size_bytes)} before compression"
        self._output.result(
            f"{planned.id}: would be made, {on_top_of(_parent(planned))}: {planned.reason}",
            profile=planned.id.profile,
            type=planned.id.type.value,
            name=planned.id.name,
            status="planned",
            parent=_parent(planned),
            reason=planned.reason,
            not_whole=planned.not_whole,
            command=command,
            members=estimate.members,
            unpacked_size=estimate.size_bytes,
        )
        for line in () if self._output.as_json else (command, about):
            self._output.result(line)
        if planned.not_whole is not None:
            self._output.error(f"{planned.id}: {planned.not_whole} ({MAKING_IT_FULL})")
        warn_of_limit(self._output, estimate, dumps.limits)
        return OK


def _parent(planned: PlannedDump) -> str | None:
    return planned.base.id.label if planned.base is not None else None
