"""Getting archives back from a server."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import define, field

from ...domain.archives import BackupArchive, BackupType
from ...domain.client.fetching import Arrival, PullArchive, Pulled, named
from ...domain.errors import ArchiveNotFound, DownloadStopped, LocalConflict, ProfileNotFound, TarkeepError
from ...domain.naming import check_profile
from ...domain.sizes import human_size
from .client_settings import ClientSettings
from .exits import FAILED, INTERRUPTED, NOT_FOUND, OK, PARTLY, exit_code, hint
from .opening import opening
from .output import Bars, Output


def pull(
    profile: str,
    /,
    *names: str,
    into: Path | None = None,
    type: str | None = None,
    force: bool = False,
    client: ClientSettings | None = None,
) -> int:
    """
    Get archives back: all of a profile, or those that are named.

    Each is written to DIR/{FULL,INC,DIFF}/NAME.part and gets its name when it is whole and its SHA-256 is right. What
    is cut goes on where it stopped, in this run or the next; what is here already is not sent again. Exit codes: 0
    everything is here, 1 nothing could be had, 3 some could not, 10 a name or the profile is not there, 14 the server
    gave no answer.

    Parameters
    ----------
    profile
        The profile to get archives of.
    names
        Archives to get, as NAME or TYPE/NAME. Default: all of the profile.
    into
        The folder to put them in. Default: the backup folder.
    type
        FULL, INC or DIFF only.
    force
        Replace files that have other bytes than the server.
    """
    from ..client_wiring import pull_archive

    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    check_profile(profile)
    wanted = BackupType.parse(type) if type else None
    with opening(settings) as opened:
        stored = opened.retrying(
            lambda: list(opened.remote.archives(profile=profile, type=wanted)),
            on_retry=lambda error, pause: output.message(f"{error}; again in {pause:.0f} s"),
        )
        if not stored:
            raise ArchiveNotFound(f"{profile}/{wanted.value}/") if wanted else ProfileNotFound(profile)
        archives, not_there = named(stored, names)
        for name in not_there:
            _tell_missing(output, profile, name)
        stopped = threading.Event()
        run = _Run(
            pull_archive(opened, into or settings.backup_dir, _stoppable_wait(stopped)),
            output,
            settings,
            profile,
            stopped,
            replace=force,
        )
        code = run(archives)
    return NOT_FOUND if not_there and code == OK else PARTLY if not_there and code != INTERRUPTED else code


def _tell_missing(output: Output, profile: str, name: str) -> None:
    output.error(f"{name}: there is no such archive of {profile}; tarkeep list {profile} shows what is stored")
    if output.as_json:
        output.result("", profile=profile, name=name, status="not-there")


def _stoppable_wait(stopped: threading.Event) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        if stopped.wait(seconds):
            raise DownloadStopped(0)

    return wait


@define
class _Run:
    """One run of pull: a few receivers, one account of what became of each archive."""

    _pull: PullArchive
    _output: Output
    _settings: ClientSettings
    _profile: str
    _stopped: threading.Event
    _replace: bool = field(kw_only=True)
    _started: float = field(factory=time.monotonic, init=False)
    _received_bytes: int = field(default=0, init=False)
    _at: dict[str, int] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def __call__(self, archives: Sequence[BackupArchive]) -> int:
        outcomes: list[Pulled] = []
        with self._output.bars() as bars:
            bars.begin(sum(archive.size_bytes for archive in archives))
            try:
                for outcome in self._outcomes(archives, bars):
                    outcomes.append(outcome)
                    self._tell(outcome)
            except KeyboardInterrupt:
                self._stopped.set()
                self._output.error("interrupted; what has arrived is kept, run the same command again to go on")
                return INTERRUPTED
        return self._summary(outcomes)

    def _outcomes(self, archives: Sequence[BackupArchive], bars: Bars) -> Iterator[Pulled]:
        # Daemon threads and no pool, whose end waits for all of its threads: one that waits for a silent server would
        # hold up an interrupted run for minutes, and what it has written is good at any moment.
        waiting = deque(archives)
        done: queue.SimpleQueue[Pulled | BaseException] = queue.SimpleQueue()

        def receive() -> None:
            while not self._stopped.is_set():
                try:
                    archive = waiting.popleft()
                except IndexError:
                    return
                try:
                    done.put(self._receive(archive, bars))
                except BaseException as error:  # raised below, in the thread that asked
                    done.put(error)

        for number in range(min(self._settings.jobs, len(archives))):
            threading.Thread(target=receive, name=f"pull-{number}", daemon=True).start()
        for _ in archives:
            outcome = done.get()
            if isinstance(outcome, BaseException):
                self._stopped.set()
                raise outcome
            yield outcome

    def _receive(self, archive: BackupArchive, bars: Bars) -> Pulled:
        label = _label(archive)

        def progress(archive: BackupArchive, position: int) -> None:
            if self._stopped.is_set():
                raise DownloadStopped(position)
            bars.at(label, position, archive.size_bytes)
            self._pace(label, position)

        def notice(_archive: BackupArchive, error: TarkeepError, pause: float) -> None:
            self._output.message(f"{label}: {error}; again in {pause:.0f} s")

        try:
            return self._pull(archive, progress, notice, replace=self._replace)
        except TarkeepError as error:
            arrival = Arrival.CONFLICT if isinstance(error, LocalConflict) else Arrival.FAILED
            return Pulled(archive, arrival, error)
        finally:
            bars.done(label)

    def _pace(self, label: str, position: int) -> None:
        if self._settings.limit_rate is None:
            return
        with self._lock:
            self._received_bytes += max(0, position - self._at.get(label, 0))
            self._at[label] = position
            ahead = self._received_bytes / self._settings.limit_rate - (time.monotonic() - self._started)
        if ahead > 0:
            self._stopped.wait(ahead)

    def _tell(self, outcome: Pulled) -> None:
        archive = outcome.archive
        words = {
            Arrival.PULLED: f"{_label(archive)}: pulled ({human_size(archive.size_bytes)})",
            Arrival.ALREADY_HERE: f"{_label(archive)}: here already",
        }
        line = words.get(outcome.arrival, f"{_label(archive)}: not pulled: {outcome.error}")
        if outcome.error is not None:
            self._output.error(line)
        if outcome.error is None or self._output.as_json:
            self._output.result(
                line,
                profile=archive.id.profile,
                type=archive.id.type.value,
                name=archive.id.name,
                status=outcome.arrival.value,
                size=archive.size_bytes,
                sha256=archive.digests.sha256,
                error=str(outcome.error) if outcome.error else None,
            )

    def _summary(self, outcomes: Sequence[Pulled]) -> int:
        counts = {arrival: sum(outcome.arrival is arrival for outcome in outcomes) for arrival in Arrival}
        good = counts[Arrival.PULLED] + counts[Arrival.ALREADY_HERE]
        self._output.result(
            f"{self._profile} from {self._pull.remote.shown_url}: {counts[Arrival.PULLED]} pulled, "
            f"{counts[Arrival.ALREADY_HERE]} here already, {len(outcomes) - good} failed",
            summary=True,
            **{arrival.value: count for arrival, count in counts.items()},
        )
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        if not errors:
            return OK
        for advice in dict.fromkeys(map(hint, errors)):
            if advice:
                self._output.error(advice)
        if good:
            return PARTLY
        codes = {exit_code(error) for error in errors}
        return codes.pop() if len(codes) == 1 else FAILED


def _label(archive: BackupArchive) -> str:
    return f"{archive.id.type.value}/{archive.id.name}"
