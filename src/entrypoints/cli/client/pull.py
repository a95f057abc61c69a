"""``tarkeep pull``: downloading archives from a server."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from attrs import frozen

from ....domain.archives.archive import BackupArchive
from ....domain.client.progress import Progress
from ....domain.client.pull.pull_archive import PullArchive, Pulled, PullOutcome, named
from ....domain.client.retrying import Notice
from ....domain.errors.archives import ArchiveNotFound, ProfileNotFound
from ....domain.errors.client import LocalConflict
from ....domain.identity.archive_id import BackupType
from ....domain.tarkeep_error import TarkeepError
from ....domain.text.sizes import human_size
from ...settings.client import ClientSettings
from ...settings.files import expanded
from ..shared.opening import opening, required_profile, retry_notice
from ..shared.options import OnlyType
from ..shared.transfers import Ended, Transfer, run
from ..terminal.output import Output


def pull(
    profile: str | None = None,
    /,
    *names: str,
    into: Path | None = None,
    type: OnlyType = None,
    force: bool = False,
    client: ClientSettings | None = None,
) -> int:
    """
    Download archives: all of a profile, or those that are named.

    Each is written to DIR/{FULL,INC,DIFF}/NAME.part, and renamed when it is complete and its SHA-256 is right. An
    interrupted transfer continues where it stopped, in this run or the next; files that are here already are not
    downloaded again. Exit codes: 0 all of them are here; 1 nothing could be downloaded; 3 some could not be downloaded;
    10 a named archive does not exist; 14 the server did not answer.

    Parameters
    ----------
    profile
        The profile whose archives to download. Default: the one in the settings.
    names
        Archives to download, as NAME or TYPE/NAME. Default: all of the profile.
    into
        The folder to put them in. Default: the backup folder.
    force
        Replace files that have other bytes than the server's.
    """
    from ...wiring.client import pull_archive

    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    profile = required_profile(profile, settings)
    wanted = BackupType(type) if type else None
    with opening(settings) as opened:
        stored = opened.retrying(
            lambda: list(opened.remote.archives(profile=profile, type=wanted)), on_retry=retry_notice(output)
        )
        if not stored:
            raise ArchiveNotFound(f"{profile}/{wanted.value}/") if wanted else ProfileNotFound(profile)
        archives, not_there = named(stored, names)
        folder = expanded("into", into) if into is not None else settings.backup_dir
        pulling = _Pull(pull_archive(opened, folder), output, settings, profile, replace=force)
        return pulling(archives, not_there)


@frozen
class _Pull:
    _pull: PullArchive
    _output: Output
    _settings: ClientSettings
    _profile: str
    _replace: bool

    def __call__(self, archives: list[BackupArchive], not_there: list[str]) -> int:
        missing = [ArchiveNotFound(f"{self._profile}/{name}") for name in not_there]
        for name, error in zip(not_there, missing, strict=True):
            self._tell_missing(name, error)
        transfers = [Transfer(archive, archive.id.label, archive.size_bytes) for archive in archives]
        ended = run(transfers, self._receive, self._tell, self._output, self._settings)
        self._summary(ended, len(not_there))
        return ended.exit_code(self._output, missing)

    def _receive(self, archive: BackupArchive, progress: Progress, notice: Notice) -> Pulled:
        try:
            return self._pull(archive, progress, notice, replace=self._replace)
        except TarkeepError as error:
            return Pulled(
                archive, PullOutcome.CONFLICT if isinstance(error, LocalConflict) else PullOutcome.FAILED, error
            )

    def _tell_missing(self, name: str, error: ArchiveNotFound) -> None:
        self._output.error(f"{name}: not pulled: {error}")
        if self._output.as_json:
            self._output.result("", profile=self._profile, name=name, status="not-there", error=str(error))

    def _tell(self, outcome: Pulled) -> None:
        archive, label = outcome.archive, outcome.archive.id.label
        if outcome.error is not None:
            line = f"{label}: not pulled: {outcome.error}"
            self._output.error(line)
        elif outcome.arrival is PullOutcome.ALREADY_HERE:
            line = f"{label}: here already"
        else:
            line = f"{label}: pulled ({human_size(archive.size_bytes)})"
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

    def _summary(self, ended: Ended[Pulled], not_there: int) -> None:
        counts = Counter(outcome.arrival for outcome in ended.outcomes)
        failed = counts[PullOutcome.CONFLICT] + counts[PullOutcome.FAILED]
        self._output.result(
            f"{self._profile} from {self._pull.remote.shown_url}: {counts[PullOutcome.PULLED]} pulled, "
            f"{counts[PullOutcome.ALREADY_HERE]} here already, {failed} failed"
            + (f", {not_there} not there" if not_there else "")
            + (f", {ended.unfinished} unfinished" if ended.unfinished else ""),
            summary=True,
            **{arrival.value: counts[arrival] for arrival in PullOutcome},
            **{"not-there": not_there},
            unfinished=ended.unfinished,
        )
