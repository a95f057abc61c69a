"""``tarkeep push``: sending archives to a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from attrs import evolve, frozen
from cyclopts import Parameter

from ....domain.archives.archive import BackupArchive
from ....domain.client.ports.local_archives import LocalArchive
from ....domain.client.progress import Progress
from ....domain.client.push.push_archive import PushOutcome, newest_of_each_type
from ....domain.client.retrying import Notice
from ....domain.errors.client import FolderUnusable, NothingToSend, Refused, RemoteConflict
from ....domain.errors.settings import UsageError
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.identity.invalid import InvalidName
from ....domain.identity.naming import check_archive_name
from ....domain.tarkeep_error import TarkeepError
from ....domain.text.sizes import human_size
from ...settings.client import ClientSettings, TypeWord
from ..shared.damage import damage_told
from ..shared.opening import opening, required_profile, retry_notice, tell_unusable
from ..shared.transfers import Ended, Transfer, run
from ..terminal.output import Output
from ..terminal.streams import IN, input_blocks, was_closed
from ..terminal.usage_errors import OptionAmongFiles

if TYPE_CHECKING:
    from ...wiring.client import Client


STANDARD_INPUT = Path("-")


def push(
    profile: str | None = None,
    /,
    *files: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    all: bool = False,
    type: TypeWord | None = None,
    name: str | None = None,
    client: ClientSettings | None = None,
) -> int:
    """
    Send archives that the server does not have yet.

    The command asks once what is stored, and sends what is missing or damaged there, several archives at once. An
    interrupted transfer continues where it stopped, in this run or the next. Exit codes: 0 everything is stored; 1
    nothing could be sent; 3 some archives could not be sent or read; 14 the server did not answer.

    Parameters
    ----------
    profile
        The profile to store them for. Default: the one in the settings.
    files
        Archives to send; - reads one from standard input. Default: the newest of each type in the backup folder.
    all
        Send every archive of the backup folder.
    type
        FULL, INC or DIFF, for files whose folder or name does not show it.
    name
        The name under which to store what comes from standard input.
    """
    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    profile = required_profile(profile, settings)
    for file in files:
        if str(file).startswith("-") and file != STANDARD_INPUT:
            raise OptionAmongFiles(str(file))
    with opening(settings) as opened:
        pushing = _Push(opened, output, settings, profile)
        if STANDARD_INPUT in files:
            return pushing.stream(_described(profile, files, type, name))
        if files:
            return pushing.files([_named(file, type) for file in files])
        contents = opened.files.look()
        tell_unusable(output, contents)
        if not contents.archives and not contents.unusable:
            raise NothingToSend(str(settings.backup_dir))
        return pushing.files(contents.archives if all else newest_of_each_type(contents.archives), contents.unusable)


@frozen
class Pushed:
    """
    The outcome of one archive: the archive as *stored*, or the *error* that prevented it. *damage* is how that of the
    copy that it replaced showed, None if unknown.
    """

    type: BackupType
    name: str
    size_bytes: int | None
    fate: PushOutcome
    stored: BackupArchive | None = None
    error: TarkeepError | None = None
    damage: str | None = None


@frozen
class _Push:
    _client: Client
    _output: Output
    _settings: ClientSettings
    _profile: str

    def files(self, archives: Sequence[LocalArchive], unusable: Sequence[FolderUnusable] = ()) -> int:
        """Send *archives*; *unusable* are the entries of the backup folder that could not be read."""
        known = []
        good = []
        for archive in archives:
            try:
                check_archive_name(archive.name)
                good.append(archive)
            except InvalidName as error:
                known.append(Pushed(archive.type, archive.name, archive.size_bytes, PushOutcome.FAILED, error=error))
        plan = self._client.retrying(
            lambda: self._client.plan(self._profile, good), on_retry=retry_notice(self._output)
        )
        known += [self._known(archive, fate) for archive, fate in plan.known.items()]
        for outcome in known:
            self._tell(outcome)
        to_send = [Transfer(archive, archive.label, archive.size_bytes) for archive in plan.to_send]

        def send(archive: LocalArchive, progress: Progress, notice: Notice) -> Pushed:
            outcome = self._send(archive, progress, notice)
            is_repaired = outcome.fate is PushOutcome.SENT and archive in plan.damaged
            if not is_repaired:
                return outcome
            return evolve(outcome, fate=PushOutcome.REPAIRED, damage=plan.damaged[archive])

        ended = run(to_send, send, self._tell, self._output, self._settings)
        return self._summary(Ended([*known, *ended.outcomes], ended.unfinished), unusable)

    def stream(self, id: ArchiveId) -> int:
        transfer = Transfer(id, id.label, None)
        kept = "nothing is stored, and standard input cannot be read again to continue"
        return self._summary(run([transfer], self._send_stream, self._tell, self._output, self._settings, kept))

    def _known(self, archive: LocalArchive, fate: PushOutcome) -> Pushed:
        error = RemoteConflict(archive.label) if fate is PushOutcome.CONFLICT else None
        return Pushed(archive.type, archive.name, archive.size_bytes, fate, error=error)

    def _send(self, archive: LocalArchive, progress: Progress, notice: Notice) -> Pushed:
        return _outcome(
            (archive.type, archive.name, archive.size_bytes),
            lambda: self._client.push(self._profile, archive, progress, notice),
        )

    def _send_stream(self, id: ArchiveId, progress: Progress, notice: Notice) -> Pushed:
        from ....domain.client.push.push_stream import PushStream

        push = PushStream(self._client.remote, self._client.hasher, self._client.retrying)
        return _outcome((id.type, id.name, None), lambda: push(id, _from_standard_input(), progress, notice))

    def _tell(self, outcome: Pushed) -> None:
        label = f"{outcome.type.value}/{outcome.name}"
        stored_name = outcome.stored.id.name if outcome.stored is not None else outcome.name
        size_bytes = outcome.stored.size_bytes if outcome.stored is not None else outcome.size_bytes
        if outcome.error is not None:
            line = f"{label}: not stored: {outcome.error}"
            self._output.error(line)
        elif outcome.fate is PushOutcome.ALREADY_THERE:
            line = f"{label}: stored already"
        elif outcome.fate is PushOutcome.PRUNED:
            line = f"{label}: not sent, the server had it and removed it by the retention policy"
        elif stored_name != outcome.name:
            line = f"{label}: stored as {stored_name}"
        else:
            word = "repaired" if outcome.fate is PushOutcome.REPAIRED else "stored"
            line = f"{label}: {word} ({human_size(size_bytes or 0)}){damage_told(outcome.damage, was=True)}"
        if outcome.error is None or self._output.as_json:
            self._output.result(
                line,
                profile=self._profile,
                type=outcome.type.value,
                name=stored_name,
                status=outcome.fate.value,
                size=size_bytes,
                error=str(outcome.error) if outcome.error else None,
                **({"damage": outcome.damage} if outcome.fate is PushOutcome.REPAIRED else {}),
            )

    def _summary(self, ended: Ended[Pushed], unusable: Sequence[FolderUnusable] = ()) -> int:
        counts = Counter(outcome.fate for outcome in ended.outcomes)
        failed = counts[PushOutcome.CONFLICT] + counts[PushOutcome.FAILED]
        repaired = f"{counts[PushOutcome.REPAIRED]} repaired, " if counts[PushOutcome.REPAIRED] else ""
        pruned = f"{counts[PushOutcome.PRUNED]} removed there, " if counts[PushOutcome.PRUNED] else ""
        self._output.result(
            f"{self._profile} at {self._client.remote.shown_url}: {counts[PushOutcome.SENT]} stored, "
            f"{repaired}{counts[PushOutcome.ALREADY_THERE]} stored already, {pruned}{failed} failed"
            + (f", {len(unusable)} could not be read" if unusable else "")
            + (f", {ended.unfinished} unfinished" if ended.unfinished else ""),
            summary=True,
            **{fate.value: counts[fate] for fate in PushOutcome},
            unfinished=ended.unfinished,
            unusable=len(unusable),
        )
        return ended.exit_code(self._output, unusable)


def _outcome(about: tuple[BackupType, str, int | None], send: Callable[[], BackupArchive]) -> Pushed:
    try:
        return Pushed(*about, PushOutcome.SENT, send())
    except TarkeepError as error:
        is_conflict = isinstance(error, Refused) and error.code == "name-conflict"
        return Pushed(*about, PushOutcome.CONFLICT if is_conflict else PushOutcome.FAILED, error=error)


def _named(file: Path, type: TypeWord | None) -> LocalArchive:
    from ...wiring.client import local_archive

    said = [type] if type else [file.absolute().parent.name, file.name.partition("_")[0]]
    word = next((word.upper() for word in said if word.upper() in BackupType.__members__), None)
    if word is None:
        raise UsageError(str(file), "neither its folder nor its name shows FULL, INC or DIFF; give --type")
    return local_archive(file, BackupType(word))


def _described(profile: str, files: Sequence[Path], type: TypeWord | None, name: str | None) -> ArchiveId:
    if len(files) > 1:
        raise UsageError("-", "it must be the only file: standard input holds one archive")
    if name is None or type is None:
        raise UsageError("-", "standard input has no name: give --name NAME.tar.gz and --type FULL, INC or DIFF")
    return ArchiveId(profile, BackupType(type), check_archive_name(name))


def _from_standard_input() -> Iterator[bytes]:
    try:
        yield from input_blocks()
    except OSError as error:
        reason = "it is closed" if was_closed(IN) else error.strerror or str(error)
        raise FolderUnusable("standard input", reason) from error
