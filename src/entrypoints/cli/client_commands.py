"""The commands that talk to a server: sending archives, comparing, and seeing what is stored."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from attrs import define, field
from cyclopts import Parameter

from ...domain.archives import ArchiveId, BackupType
from ...domain.client.ports import LocalArchive
from ...domain.client.push import Fate, Pushed, newest_of_each_type
from ...domain.client.status import Safety, take_stock
from ...domain.errors import InvalidSetting, NothingToSend, TarkeepError, UploadInterrupted
from ...domain.naming import check_archive_name, check_profile
from ...domain.sizes import human_size
from ...domain.sync import InventoryEntry
from .client_settings import ClientSettings
from .exits import DIFFERENT, FAILED, INTERRUPTED, OK, PARTLY, exit_code, hint
from .opening import local_digests, opening
from .output import Bars, Output

if TYPE_CHECKING:
    from ..client_wiring import Client


def push(
    profile: str,
    /,
    *files: Annotated[str, Parameter(allow_leading_hyphen=True)],
    all: bool = False,
    type: str | None = None,
    name: str | None = None,
    client: ClientSettings | None = None,
) -> int:
    """
    Send archives that the server does not have yet.

    Asks once what is there and sends the rest, several at once. What is cut goes on where it stopped, in this run or
    the next. Exit codes: 0 everything is stored, 1 nothing could be sent, 3 some could not, 14 the server gave no
    answer.

    Parameters
    ----------
    profile
        The profile to store them for.
    files
        Archives to send; - reads one from standard input. Default: the newest of each type in the backup folder.
    all
        Send every archive of the backup folder.
    type
        FULL, INC or DIFF, for files whose folder or name does not say it.
    name
        The name under which to store what comes from standard input.
    """
    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    check_profile(profile)
    for file in files:
        if file.startswith("-") and file != "-":
            raise InvalidSetting(file, "there is no such option; see tarkeep push --help")
    with opening(settings) as opened:
        if "-" in files:
            return _push_stream(opened, output, profile, files, type, name)
        archives = _chosen(opened, settings, files, type, everything=all)
        for archive in archives:
            check_archive_name(archive.name)
        return _Push(opened, output, settings, profile).run(archives)


def verify(
    profile: str | None = None,
    /,
    *,
    full: bool = False,
    report: bool = False,
    safe_to_delete: bool = False,
    null: Annotated[bool, Parameter(name=["--null", "-0"])] = False,
    client: ClientSettings | None = None,
) -> int:
    """
    Compare the local archives with what the server holds.

    Digests are remembered, so that a second run reads nothing. Exit codes: 0 all local archives are there, unchanged;
    13 something differs. What only the server has is told, and is no difference.

    Parameters
    ----------
    profile
        Compare with this profile only. Default: with all.
    full
        Read every file again, whatever is remembered.
    report
        List every archive, not only what differs.
    safe_to_delete
        Print just the paths of local archives that are stored, undamaged, with the same SHA-256; exit code 0.
    null
        End those paths by NUL bytes instead of line ends, for xargs -0.
    """
    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    with opening(settings) as opened:
        archives = opened.files.list()
        digests = local_digests(opened, output, archives, again=full)
        if safe_to_delete:
            stock = opened.retrying(lambda: take_stock(digests, opened.remote.archives(profile=profile)))
            return _print_paths(output, stock.having(Safety.SAFE), end="\0" if null else "\n")
        entries = [
            InventoryEntry(archive.type, _sendable(archive.name), archive.size_bytes, sha256=digests[archive])
            for archive in archives
        ]
        compared = opened.retrying(lambda: opened.remote.verify(profile, entries))
    safe = True
    for type, part in compared.types.items():
        if report and not settings.json:
            output.result(f"{type.value}: {part.local_count} here, {part.remote_count} on the server")
        for bucket, label in _BUCKETS.items():
            for name in getattr(part, bucket):
                if bucket != "synced" or report or settings.json:
                    output.result(f"{label:16} {type.value}/{name}", status=bucket, type=type.value, name=name)
        safe = safe and not (part.missing_remote or part.differing or part.unverified)
    counts = {bucket: sum(len(getattr(part, bucket)) for part in compared.types.values()) for bucket in _BUCKETS}
    words = (
        ", ".join(f"{count} {_BUCKETS[bucket]}" for bucket, count in counts.items() if count) or "nothing to compare"
    )
    output.result(f"{opened.remote.shown_url}: {words}", summary=True, synchronized=compared.is_synchronized, **counts)
    return OK if safe else DIFFERENT


def _sendable(name: str) -> str:
    """*name* with bytes that are not UTF-8 escaped: what JSON cannot say, and no archive on a server can be called."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _print_paths(output: Output, archives: Sequence[LocalArchive], *, end: str) -> int:
    """Print the paths as they are, byte by byte; a program reads them."""
    for archive in archives:
        if output.as_json:
            output.result("", path=archive.path)
        elif end in archive.path:
            output.error(f"{archive.path} has a line end in its name and is left out; use --null")
        else:
            sys.stdout.buffer.write(os.fsencode(archive.path + end))
    if output.as_json:
        output.result("", summary=True, safe=len(archives))
    sys.stdout.flush()
    return OK


_BUCKETS = {
    "synced": "synced",
    "missing_remote": "missing there",
    "extra_remote": "only there",
    "differing": "differing",
    "unverified": "unverified",
}


def list_(profile: str | None = None, /, *, type: str | None = None, client: ClientSettings | None = None) -> int:
    """
    List what is stored, oldest receipt first.

    Parameters
    ----------
    profile
        Of this profile only.
    type
        FULL, INC or DIFF only.
    """
    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    wanted = BackupType.parse(type) if type else None
    with opening(settings) as opened:
        for archive in opened.remote.archives(profile=profile, type=wanted):
            output.result(
                f"{archive.received_at:%Y-%m-%d %H:%M:%S}Z  {human_size(archive.size_bytes):>10}  "
                f"{archive.digests.sha256[:12]}  {archive.state.value:8} {archive.id}",
                profile=archive.id.profile,
                type=archive.id.type.value,
                name=archive.id.name,
                size=archive.size_bytes,
                sha256=archive.digests.sha256,
                md5=archive.digests.md5,
                received_at=archive.received_at.isoformat(),
                taken_at=archive.taken_at.isoformat(),
                state=archive.state.value,
            )
    return OK


def stats(*, client: ClientSettings | None = None) -> int:
    """Count what is stored, by profile and type."""
    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    with opening(settings) as opened:
        rows = opened.retrying(opened.remote.totals)
    for row in rows:
        output.result(
            f"{row.profile:24} {row.type.value:4} {row.archives:7}  {human_size(row.size_bytes):>10}  "
            f"newest {row.newest:%Y-%m-%d %H:%M:%S}Z",
            profile=row.profile,
            type=row.type.value,
            archives=row.archives,
            size=row.size_bytes,
            newest=row.newest.isoformat(),
        )
    size = sum(row.size_bytes for row in rows)
    count = sum(row.archives for row in rows)
    output.result(f"{count} archives, {human_size(size)}", summary=True, archives=count, size=size)
    return OK


# -- push ------------------------------------------------------------------------------------------------------------


def _chosen(
    client: Client, settings: ClientSettings, files: Sequence[str], type: str | None, *, everything: bool
) -> list[LocalArchive]:
    if files:
        return [_named(Path(file), type) for file in files]
    there = client.files.list()
    if not there:
        raise NothingToSend(str(settings.backup_dir))
    return there if everything else newest_of_each_type(there)


def _named(file: Path, type: str | None) -> LocalArchive:
    from ..client_wiring import local_archive

    word = type or (
        file.absolute().parent.name if _is_type(file.absolute().parent.name) else file.name.partition("_")[0]
    )
    if not _is_type(word):
        raise InvalidSetting("type", f"neither folder nor name of {file} says FULL, INC or DIFF; give --type")
    try:
        return local_archive(file, BackupType.parse(word))
    except OSError as error:
        raise InvalidSetting("files", f"{file}: {error.strerror}") from error


def _is_type(word: str) -> bool:
    return word.upper() in {type.value for type in BackupType}


@define
class _Push:
    """One run of push: a few senders, one account of what became of each archive."""

    _client: Client
    _output: Output
    _settings: ClientSettings
    _profile: str
    _stopped: threading.Event = field(factory=threading.Event, init=False)
    _started: float = field(factory=time.monotonic, init=False)
    _sent_bytes: int = field(default=0, init=False)
    _at: dict[str, int] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def run(self, archives: list[LocalArchive]) -> int:
        plan = self._client.retrying(
            lambda: self._client.plan(self._profile, archives),
            on_retry=lambda error, pause: self._output.message(f"{error}; again in {pause:.0f} s"),
        )
        outcomes = [Pushed(archive, fate) for archive, fate in plan.items() if fate is not None]
        for outcome in outcomes:
            self._tell(outcome)
        to_send = [archive for archive, fate in plan.items() if fate is None]
        with self._output.bars() as bars:
            bars.begin(sum(archive.size_bytes for archive in to_send))
            try:
                for outcome in self._send(to_send, bars):
                    outcomes.append(outcome)
                    self._tell(outcome)
            except KeyboardInterrupt:
                self._stopped.set()
                self._output.error("interrupted; what was received is kept, run the same command again to go on")
                return INTERRUPTED
        return self._summary(outcomes)

    def _send(self, archives: list[LocalArchive], bars: Bars) -> Iterator[Pushed]:
        with ThreadPoolExecutor(self._settings.jobs) as senders:
            sending = [senders.submit(self._send_one, archive, bars) for archive in archives]
            try:
                for sent in as_completed(sending):
                    yield sent.result()
            except BaseException:
                self._stopped.set()
                senders.shutdown(cancel_futures=True)
                raise

    def _send_one(self, archive: LocalArchive, bars: Bars) -> Pushed:
        def progress(archive: LocalArchive, position: int) -> None:
            if self._stopped.is_set():
                raise UploadInterrupted(position)
            bars.at(archive.name, position, archive.size_bytes)
            self._pace(archive, position)

        def notice(archive: LocalArchive, error: TarkeepError, pause: float) -> None:
            self._output.message(f"{archive.type.value}/{archive.name}: {error}; again in {pause:.0f} s")

        try:
            stored = self._client.push(self._profile, archive, progress, notice)
        except TarkeepError as error:
            fate = Fate.CONFLICT if getattr(error, "code", "") == "name-conflict" else Fate.FAILED
            return Pushed(archive, fate, error=error)
        finally:
            bars.done(archive.name)
        return Pushed(archive, Fate.SENT, stored)

    def _pace(self, archive: LocalArchive, position: int) -> None:
        if self._settings.limit_rate is None:
            return
        with self._lock:
            self._sent_bytes += max(0, position - self._at.get(archive.path, 0))
            self._at[archive.path] = position
            ahead = self._sent_bytes / self._settings.limit_rate - (time.monotonic() - self._started)
        if ahead > 0:
            self._stopped.wait(ahead)

    def _tell(self, outcome: Pushed) -> None:
        archive, stored = outcome.archive, outcome.stored
        label = f"{archive.type.value}/{archive.name}"
        words = {
            Fate.SENT: f"{label}: stored ({human_size(archive.size_bytes)})",
            Fate.ALREADY_THERE: f"{label}: stored already",
            Fate.CONFLICT: f"{label}: other bytes are stored under this name",
            Fate.FAILED: f"{label}: not stored",
        }
        line = words[outcome.fate]
        if stored is not None and stored.id.name != archive.name:
            line = f"{label}: stored as {stored.id.name}"
        members = {
            "profile": self._profile,
            "type": archive.type.value,
            "name": stored.id.name if stored else archive.name,
            "status": outcome.fate.value,
            "size": archive.size_bytes,
            "error": str(outcome.error) if outcome.error else None,
        }
        if outcome.error is not None or outcome.fate is Fate.CONFLICT:
            why = f": {outcome.error}" if outcome.error else ""
            self._output.error(line + why)
            if self._output.as_json:
                self._output.result(line, **members)
        else:
            self._output.result(line, **members)

    def _summary(self, outcomes: list[Pushed]) -> int:
        counts = {fate: sum(outcome.fate is fate for outcome in outcomes) for fate in Fate}
        good = counts[Fate.SENT] + counts[Fate.ALREADY_THERE]
        self._output.result(
            f"{self._profile} at {self._client.remote.shown_url}: {counts[Fate.SENT]} stored, "
            f"{counts[Fate.ALREADY_THERE]} stored already, {len(outcomes) - good} failed",
            summary=True,
            **{fate.value: count for fate, count in counts.items()},
        )
        if good == len(outcomes):
            return OK
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        for error in errors[:1]:
            if hint(error):
                self._output.error(hint(error))
        if good:
            return PARTLY
        codes = {exit_code(error) for error in errors}
        return codes.pop() if len(codes) == 1 and len(errors) == len(outcomes) else FAILED


# -- from standard input ---------------------------------------------------------------------------------------------


def _push_stream(
    client: Client, output: Output, profile: str, files: Sequence[str], type: str | None, name: str | None
) -> int:
    if len(files) > 1:
        raise InvalidSetting("files", "- stands alone: one archive comes from standard input")
    if name is None or type is None:
        raise InvalidSetting("name", "standard input has no name: give --name NAME.tar.gz and --type FULL, INC or DIFF")
    id = ArchiveId(profile, BackupType.parse(type), check_archive_name(name))
    from ...domain.client.stream import PushStream

    stored = PushStream(client.remote, client.hasher, client.retrying)(id, _blocks(sys.stdin.buffer.read))
    output.result(
        f"{stored.id}: stored ({human_size(stored.size_bytes)})",
        profile=profile,
        type=stored.id.type.value,
        name=stored.id.name,
        status=Fate.SENT.value,
        size=stored.size_bytes,
        error=None,
    )
    return OK


def _blocks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while block := read(1 << 20):
        yield block
