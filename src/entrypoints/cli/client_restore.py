"""Restoring a tree into a directory: the server's plan, downloads with digests, and tar."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from attrs import frozen
from cyclopts import Parameter

from ...domain.archives import BackupArchive
from ...domain.client.chain import LATEST, RestorePlan, TreeEntry
from ...domain.client.comparing import differences
from ...domain.client.fetching import Arrival, PullArchive, Pulled
from ...domain.client.ports import LocalArchive
from ...domain.client.push import Progress
from ...domain.client.restoring import PlannedRestore
from ...domain.client.retrying import Notice
from ...domain.errors import FolderUnusable, LocalDiskFull, NotRestorable, TarkeepError, WrongUse
from ...domain.path_text import path_text
from ...domain.sizes import human_size
from .client_settings import ClientSettings
from .exits import DIFFERENT, FAILED, OK, PARTLY, exit_code
from .opening import one_profile, opening, retry_notice
from .output import Output
from .paths import given_path
from .transfers import Pace, Transfer, run

if TYPE_CHECKING:
    from ..client_chain_wiring import Restoring

_SHOWN_DIFFERENCES = 100


def restore(
    profile: str | None = None,
    /,
    *,
    into: Path,
    at: str = LATEST,
    path: str | None = None,
    merged: bool = False,
    overwrite: bool = False,
    numeric_owner: bool = False,
    work: Path | None = None,
    tar: str = "tar",
    check: bool = False,
    dry_run: Annotated[bool, Parameter(name=["--dry-run", "-n"])] = False,
    client: ClientSettings | None = None,
) -> int:
    """
    Restore the tree of a profile, as it was at some time, into an empty directory.

    The archives that it takes are downloaded with their digests checked, each member is looked at, and only then tar
    extracts them in order. What is cut goes on when the same command is run again. When that point cannot be restored
    nothing is done, and those that can be are named, the nearest first. Exit codes: 0 restored; 1 not, or not all of
    it; 10 there is no such point or path; 13 --check found differences; 14 the server gave no answer.

    Parameters
    ----------
    profile
        The profile to restore. Default: the one of the settings.
    into
        The directory to restore into; made where it is not there.
    at
        A time or date, the name of an archive, or latest.
    path
        Restore this file or folder only, written as tarkeep ls shows it.
    merged
        Have the server put the tree together as one tar, in place of downloading archives: it takes no space beside the
        directory, and gets by where the tar of an ordinary user cannot go on in read-only folders. What is cut does not
        go on.
    overwrite
        Restore into a directory that holds something. What the archives hold replaces it, and in directories that they
        list completely what was not there at that time is removed.
    numeric_owner
        Give files to the numbers of their owners, whatever the names of these are on this machine.
    work
        Where to keep the archives meanwhile. Default: beside the directory, DIR.tarkeep-work.
    tar
        The GNU tar to use.
    check
        Compare names, types, sizes, times and link targets with what the server says they were; after restoring, or
        with --dry-run without.
    dry_run
        Say what would be done, and do nothing.
    """
    from ..client_chain_wiring import restoring

    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    profile = one_profile(profile, settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    into = into.expanduser().absolute()
    work = (work or into.with_name(f"{into.name}.tarkeep-work")).expanduser().absolute()
    if work == into or into in work.parents:
        raise WrongUse("--work", "must be outside the directory to restore into")
    with opening(settings, output) as opened:
        how = restoring(opened, into, work, tar=tar)
        task = _Restore(how, output, settings, profile, into, work, numeric_owner=numeric_owner)
        try:
            if path is not None:
                wanted = given_path(path)
                code = task.merged(wanted, at, overwrite=overwrite, dry_run=dry_run)
            else:
                wanted = b""
                planned = how.plan(profile, at, retry_notice(output))
                at = _label(planned.plan)  # for all that follows, whatever is stored meanwhile
                code = task.whole(planned, merged=merged, overwrite=overwrite, dry_run=dry_run)
        except NotRestorable as error:
            return _explain(output, profile, error)
        if code == OK and check:
            code = task.compare(wanted, at)
        if output.as_json:
            output.result("", summary=True, exit_code=code)
    return code


def _explain(output: Output, profile: str, error: NotRestorable) -> int:
    output.error(str(error))
    if error.nearest:
        output.error(f"points of {profile} that can be restored, the nearest first:")
        for point in error.nearest:
            output.error(f"  {point}")
        output.error(f"restore one of them with --at NAME; tarkeep points {profile} shows all")
    else:
        output.error(f"no other point of {profile} can be restored either")
    if output.as_json:
        output.result(
            "",
            summary=True,
            error=str(error),
            exit_code=exit_code(error),
            obstacles=list(error.obstacles),
            nearest=list(error.nearest),
        )
    return FAILED


@frozen
class _Restore:
    _how: Restoring
    _output: Output
    _settings: ClientSettings
    _profile: str
    _into: Path
    _work: Path
    _numeric_owner: bool

    def whole(self, planned: PlannedRestore, *, merged: bool, overwrite: bool, dry_run: bool) -> int:
        """Bring back the tree, from archives downloaded one by one where tar can do it right."""
        self._tell_plan(planned.plan, dry_run=dry_run)
        if dry_run:
            return OK
        if merged or not planned.plan.is_sound:
            return self.merged(b"", _label(planned.plan), overwrite=overwrite, dry_run=False)
        self._how.extractor.check()
        self._how.tree.prepare(may_hold_something=overwrite)
        self._check_space(planned)
        code = self._download(planned.archives)
        if code != OK:
            return code
        archives = [self._here(archive) for archive in planned.archives]
        self._how.extract(planned.plan, archives, str(self._into), self._output.step, numeric_owner=self._numeric_owner)
        self._clean_up(archives)
        self._output.result(
            f"{self._profile} of {planned.plan.taken_at:%Y-%m-%d %H:%M:%S}Z restored into {self._into}",
            status="restored",
            profile=self._profile,
            point=_label(planned.plan),
            taken_at=planned.plan.taken_at.isoformat(),
            into=str(self._into),
        )
        return OK

    def merged(self, path: bytes, at: str, *, overwrite: bool, dry_run: bool) -> int:
        """Bring back what lay at *path*, which the server puts together."""
        label = path_text(path) or "the tree"
        if dry_run:
            line = f"{label} of {self._profile} as of {at} would be restored into {self._into}"
            self._output.result(line, status="planned", profile=self._profile, path=path_text(path), at=at)
            return OK
        self._how.extractor.check()
        self._how.tree.prepare(may_hold_something=overwrite)
        pace = Pace(self._settings.limit_rate)
        position = 0
        with self._output.bars(None) as bars:

            def progress(count_bytes: int) -> None:
                nonlocal position
                position += count_bytes
                bars.at(label, position, count_bytes, None)
                pace.moved(count_bytes)

            self._how.part(self._profile, at, path, str(self._into), progress, numeric_owner=self._numeric_owner)
        self._output.result(
            f"{label} of {self._profile} restored into {self._into}",
            status="restored",
            profile=self._profile,
            path=path_text(path),
            into=str(self._into),
        )
        return OK

    def compare(self, path: bytes, at: str) -> int:
        """Hold what lies here against what the server says of *path*."""
        tree = self._how.chains.tree
        first = next(iter(tree(self._profile, at, path)), None)
        is_file = first is not None and first.path == path
        roots = [path] if path else [entry.path for entry in tree(self._profile, at)]
        # a folder that was asked for is the frame of what is compared, no part of it
        frame = path if path and not is_file else None
        here = (entry for root in roots for entry in self._how.tree.entries(root) if entry.path != frame)
        compared = found = 0

        def there() -> Iterator[TreeEntry]:
            nonlocal compared
            for entry in [first] if is_file and first else tree(self._profile, at, path, recursive=True):
                if entry.path != frame:
                    compared += 1
                    yield entry

        for difference in differences(there(), here):
            found += 1
            if found <= _SHOWN_DIFFERENCES or self._output.as_json:
                name = path_text(difference.path)
                self._output.result(f"{name} {difference.what}", status="different", path=name, what=difference.what)
        if found > _SHOWN_DIFFERENCES and not self._output.as_json:
            self._output.result(f"and {found - _SHOWN_DIFFERENCES} more")
        self._output.result(
            f"{compared} names compared, {f'{found} different' if found else 'all the same'}",
            status="compared",
            compared=compared,
            different=found,
        )
        return DIFFERENT if found else OK

    def _tell_plan(self, plan: RestorePlan, *, dry_run: bool) -> None:
        first = f"{_label(plan)} of {plan.taken_at:%Y-%m-%d %H:%M:%S}Z from {len(plan.steps)} archives"
        words = f"{first}, {human_size(plan.size_bytes)}, {plan.fidelity}, {plan.evidence or 'no link to doubt'}"
        if not dry_run:
            self._output.step(words)
        for warning in plan.warnings:
            self._output.error(warning)
        if not plan.is_exact:
            self._output.error("not all of these archives know what was deleted: files that were deleted may come back")
        if dry_run:
            steps = [f"{step.id.type.value}/{step.id.name}" for step in plan.steps]
            self._output.result(
                words,
                status="planned",
                profile=self._profile,
                point=_label(plan),
                taken_at=plan.taken_at.isoformat(),
                fidelity=plan.fidelity,
                evidence=plan.evidence,
                size=plan.size_bytes,
                steps=steps,
                warnings=list(plan.warnings),
            )
            for step in () if self._output.as_json else steps:
                self._output.result(f"  {step}")

    def _check_space(self, planned: PlannedRestore) -> None:
        here = [self._how.landing.find(archive) for archive in planned.archives]
        needed = sum(archive.size_bytes for archive, found in zip(planned.archives, here, strict=True) if found is None)
        free = self._how.free_bytes(self._work)
        if needed > free:
            raise LocalDiskFull(str(self._work.parent), needed, free)

    def _download(self, archives: Sequence[BackupArchive]) -> int:
        pull: PullArchive = self._how.pull
        transfers = [
            Transfer(archive, f"{archive.id.type.value}/{archive.id.name}", archive.size_bytes) for archive in archives
        ]

        def receive(archive: BackupArchive, progress: Progress, notice: Notice) -> Pulled:
            try:
                return pull(archive, progress, notice, replace=True)
            except TarkeepError as error:
                return Pulled(archive, Arrival.FAILED, error)

        def tell(outcome: Pulled) -> None:
            if outcome.error is not None:
                self._output.error(f"{outcome.archive.id}: {outcome.error}")

        ended = run(transfers, receive, tell, self._output, self._settings)
        code = ended.exit_code(self._output)
        return FAILED if code == PARTLY else code

    def _here(self, archive: BackupArchive) -> LocalArchive:
        found = self._how.landing.find(archive)
        if found is None:
            raise FolderUnusable(str(self._work), f"{archive.id} vanished from it")
        return found

    def _clean_up(self, archives: Iterable[LocalArchive]) -> None:
        for archive in archives:
            with suppress(OSError):
                Path(archive.path).unlink()
        for folder in [*self._work.glob("*"), self._work]:
            with suppress(OSError):
                folder.rmdir()


def _label(plan: RestorePlan) -> str:
    return f"{plan.point.type.value}/{plan.point.name}"
