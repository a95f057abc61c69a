"""
One restore, step by step: its messages, how it resumes after an interruption, and what an early end leaves behind.

At every moment a sentence is ready that says what is left and how to continue; it is printed on Ctrl-C and on errors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field

from .....domain.archives.archive import BackupArchive
from .....domain.client.ports.chains import RestorePlan
from .....domain.client.ports.extracting import Held
from .....domain.client.progress import Progress
from .....domain.client.pull.pull_archive import Pulled, PullOutcome
from .....domain.client.restore.restore import PlannedRestore, Reached
from .....domain.client.restore.resuming import Begun, TrailFile, Work, goes_on_at, read_begun, strangers
from .....domain.client.retrying import Notice
from .....domain.errors.client import FolderUnusable, LocalDiskFull, NotRestorable
from .....domain.tarkeep_error import TarkeepError
from .....domain.text.counted import counted
from .....domain.text.paths import path_text
from .....domain.text.sizes import human_size
from ....settings.client import ClientSettings
from ...shared.transfers import Pace, Transfer, run
from ...terminal.ending import was_interrupted
from ...terminal.exits import FAILED, OK, PARTLY
from ...terminal.output import Output
from ...terminal.progress import Progress as Shown

if TYPE_CHECKING:
    from ....wiring.client_dumps import Restoring

_SHOWN_MESSAGES = 5
_SHOWN_NAMES = 3
_TAR_BLOCK = 512
_NOTHING = "nothing was restored; run the same command again"


@define
class Left:
    """*words* for a person: what is left if the restore ends at this moment, and how to continue."""

    words: str = _NOTHING

    @contextmanager
    def told(self) -> Iterator[None]:
        """An interrupt or TarkeepError that ends the block also carries *words*, except NotRestorable."""
        try:
            yield
        except NotRestorable:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or was_interrupted():
                raise KeyboardInterrupt(self.words) from None
            if isinstance(error, TarkeepError) and self.words not in (_NOTHING, *getattr(error, "__notes__", ())):
                error.add_note(self.words)
            raise


@define
class RestoreRun:
    """Restores *profile* into *into*; *work* is the private folder of this restore."""

    _how: Restoring
    _output: Output
    _settings: ClientSettings
    _profile: str
    _into: Path
    _work: Path
    _left: Left
    _numeric_owner: bool = field(kw_only=True)
    _overwrite: bool = field(kw_only=True)
    _allow_gaps: bool = field(kw_only=True)

    def whole(self, planned: PlannedRestore, *, merged: bool, dry_run: bool) -> int:
        """Restore the whole tree: from downloaded archives, or merged by the server if asked or if tar would fail."""
        plan = planned.plan
        self._tell_plan(plan, dry_run=dry_run)
        if dry_run:
            return OK
        if merged or not plan.is_sound:
            return self._merged(plan, b"")
        self._how.extractor.check()
        self._how.tree.make()
        with closing(self._how.open_work()) as work:
            begun = self._begun(work)
            self._check_space(work, planned.archives)
            self._left.words = (
                f"nothing was restored yet; what has come is kept in {self._work}: "
                "run the same command again to continue, or remove it"
            )
            code = self._download(work, planned.archives)
            if code != OK:
                return code
            with ExitStack() as stack:
                archives = [stack.enter_context(closing(work.hold(archive))) for archive in planned.archives]
                self._extract(plan, archives, work, begun)
            work.remove()
        self._restored(f"{self._profile} of {plan.taken_at:%Y-%m-%d %H:%M:%S}Z", plan)
        return OK

    def _extract(self, plan: RestorePlan, archives: Sequence[Held], work: Work, begun: Begun | None) -> None:
        trail = work.begin_trail()
        with closing(trail):
            self._extract_noted(plan, archives, work, begun, trail)

    def _extract_noted(
        self, plan: RestorePlan, archives: Sequence[Held], work: Work, begun: Begun | None, trail: TrailFile
    ) -> None:
        steps = tuple(f"{'exact' if plan.is_exact else 'overlay'} {archive.sha256}" for archive in archives)
        with self._reached("looking at every member", archives) as reached:
            links = self._how.tree.links() if self._overwrite and begun is None else ()
            looked = self._how.extract.look(archives, reached, links, trail.add)
        first = 0
        if begun is not None:
            goes_on = goes_on_at(begun, steps, looked.renames)
            if goes_on is None:
                self._clear(work)
            first = goes_on or 0
        is_noted = not self._overwrite or begun is not None
        if is_noted:
            trail.keep()

        def begin(number: int) -> None:
            if is_noted:
                work.put_note(Begun(self._how.tree.identity, steps, number).written())
            self._left.words = self._part_left(f"{self._work} the archives")
            self._output.step(f"{archives[number].label}: extracting")

        with self._reached("extracting", archives[first:]) as reached:
            said = self._how.extract(
                plan,
                archives,
                self._how.tree.place,
                reached,
                begin,
                first=first,
                numeric_owner=self._numeric_owner,
            )
        self._tell_what_tar_said(said)

    def part(self, plan: RestorePlan, path: bytes, *, dry_run: bool) -> int:
        """Restore what was at *path*, merged by the server."""
        if not plan.is_whole:
            for warning in plan.warnings:
                self._output.error(warning)
        if dry_run:
            at = plan.point.label
            line = f"{path_text(path) or 'the tree'} of {self._profile} as of {at} would be restored into {self._into}"
            self._output.result(line, status="planned", profile=self._profile, path=path_text(path), at=at)
            return OK
        return self._merged(plan, path)

    def _merged(self, plan: RestorePlan, path: bytes) -> int:
        label, at = path_text(path) or "the tree", plan.point.label
        self._how.extractor.check()
        self._how.tree.make()
        with ExitStack() as stack:
            work = self._work_if_possible(stack)
            begun = self._begun(work)
            if begun is not None and work is not None:
                self._clear(work)
            links = self._how.tree.links() if self._overwrite and begun is None else ()
            steps = (f"merged {plan.steps[-1].sha256} {path_text(path)}",)
            trail = stack.enter_context(closing(work.begin_trail())) if work is not None else None
            is_begun = False

            def left(records: bytes) -> None:
                nonlocal is_begun
                if trail is not None and work is not None:
                    trail.add(records)
                    trail.flush()
                if is_begun:
                    return
                if trail is not None and work is not None:
                    trail.keep()
                    work.put_note(Begun(self._how.tree.identity, steps, 0).written())
                self._left.words = self._part_left(f"{self._work} says so" if work is not None else "")
                is_begun = True

            said = self._stream(label, at, path, links, left)
            if work is not None:
                work.remove()
        self._tell_what_tar_said(said)
        self._restored(f"{label} of {self._profile}", plan, path=path_text(path))
        return OK

    def _stream(
        self,
        label: str,
        at: str,
        path: bytes,
        links: Iterator[bytes] | tuple[()],
        trail: Callable[[bytes], None],
    ) -> tuple[str, ...]:
        pace = Pace(self._settings.limit_rate)
        position = 0
        with self._output.bars(None) as bars, self._foreseen(at, path, bars) as foreseen:

            def progress(count_bytes: int) -> None:
                nonlocal position
                position += count_bytes
                bars.at(label, position, count_bytes, max(foreseen[0], position) if foreseen else None)
                pace.moved(count_bytes)

            return self._how.part(
                self._profile,
                at,
                path,
                self._how.tree.place,
                progress,
                links=links,
                trail=trail,
                numeric_owner=self._numeric_owner,
                allow_gaps=self._allow_gaps,
            )

    @contextmanager
    def _foreseen(self, at: str, path: bytes, bars: Shown) -> Iterator[list[int]]:
        """The size in bytes of the tar for *path*, once known; asked only if a person sees the bar."""
        foreseen: list[int] = []
        is_over = threading.Event()

        def add_up() -> None:
            size = 0
            with suppress(TarkeepError):  # the restore itself meets the same error
                tree = self._how.chains.tree
                for entry in tree(self._profile, at, path, recursive=True, allow_gaps=self._allow_gaps):
                    if is_over.is_set():
                        return
                    size += _TAR_BLOCK + -(-entry.size_bytes // _TAR_BLOCK) * _TAR_BLOCK
                foreseen.append(size)

        if bars.is_seen:
            threading.Thread(target=add_up, name="how much there is", daemon=True).start()
        try:
            yield foreseen
        finally:
            is_over.set()

    # -- interrupted restores ------------------------------------------------------------------------------------

    def _work_if_possible(self, stack: ExitStack) -> Work | None:
        """The folder of this restore, if usable: without it an interrupted restore must begin in an empty directory."""
        if self._overwrite:
            return None
        with suppress(FolderUnusable):
            return stack.enter_context(closing(self._how.open_work()))
        return None

    def _begun(self, work: Work | None) -> Begun | None:
        """
        The note of an interrupted restore into this very directory, if any; without one the directory is prepared.

        Raises:
            TargetNotEmpty: the directory holds something and no restore was begun in it.
            FolderUnusable: the directory holds names that the interrupted restore did not extract.
        """
        tree = self._how.tree
        begun = read_begun(work.note()) if work is not None else None
        if begun is None or begun.target != tree.identity:
            tree.prepare(may_hold_something=self._overwrite)
            return None
        if self._overwrite or work is None:
            return begun
        with closing(tree.paths()) as paths:
            others = strangers(begun, work.trail(), paths)
        if others:
            named = ", ".join(map(path_text, others[:_SHOWN_NAMES])) + (", ..." if len(others) > _SHOWN_NAMES else "")
            reason = f"it contains {named} besides the part of an interrupted restore; move that elsewhere"
            raise FolderUnusable(str(self._into), f"{reason}, or remove {self._work} and restore into a new directory")
        return begun

    def _clear(self, work: Work) -> None:
        if self._overwrite:
            return
        self._output.message(f"{self._into} holds a part of an interrupted restore: it is emptied, and begins anew")
        self._how.tree.clear()
        work.put_note(None)

    # -- steps ---------------------------------------------------------------------------------------------------

    def _check_space(self, work: Work, archives: Sequence[BackupArchive]) -> None:
        needed = sum(archive.size_bytes for archive in archives if work.find(archive) is None)
        free = self._how.free_bytes(self._work)
        if needed > free:
            raise LocalDiskFull(str(self._work.parent), needed, free)

    def _download(self, work: Work, archives: Sequence[BackupArchive]) -> int:
        pull = self._how.pull(work)
        transfers = [Transfer(archive, archive.id.label, archive.size_bytes) for archive in archives]

        def receive(archive: BackupArchive, progress: Progress, notice: Notice) -> Pulled:
            try:
                return pull(archive, progress, notice, replace=True)
            except TarkeepError as error:
                return Pulled(archive, PullOutcome.FAILED, error)

        def tell(outcome: Pulled) -> None:
            if outcome.error is not None:
                self._output.error(f"{outcome.archive.id}: {outcome.error}")

        ended = run(transfers, receive, tell, self._output, self._settings, self._left.words)
        code = ended.exit_code(self._output)
        if work.held_bytes == 0:
            self._left.words = _NOTHING
        elif code != OK and not ended.unfinished:
            self._output.error(self._left.words)
        if was_interrupted() and not ended.unfinished:
            raise KeyboardInterrupt
        return FAILED if code == PARTLY else code

    @contextmanager
    def _reached(self, what: str, archives: Sequence[Held]) -> Iterator[Reached]:
        """Show progress while *archives* are inspected or extracted."""
        self._output.step(what)
        with self._output.bars(sum(archive.size_bytes for archive in archives)) as bars:

            def reached(label: str, position: int, new_bytes: int, size_bytes: int) -> None:
                bars.at(label, position, new_bytes, size_bytes)
                if position == size_bytes:
                    bars.done(label, size_bytes)

            yield reached

    # -- messages ------------------------------------------------------------------------------------------------

    def _tell_plan(self, plan: RestorePlan, *, dry_run: bool) -> None:
        first = f"{plan.point.label} of {plan.taken_at:%Y-%m-%d %H:%M:%S}Z from {counted(len(plan.steps), 'archive')}"
        words = f"{first}, {human_size(plan.size_bytes)}, {plan.fidelity}, {plan.evidence or 'no link to doubt'}"
        if not dry_run:
            self._output.step(words)
        for warning in plan.warnings:
            self._output.error(warning)
        if not plan.is_exact and len(plan.steps) > 1:
            self._output.error("not all of these archives know what was deleted: files that were deleted may come back")
        if dry_run:
            steps = [step.id.label for step in plan.steps]
            self._output.result(
                words,
                status="planned",
                profile=self._profile,
                point=plan.point.label,
                taken_at=plan.taken_at.isoformat(),
                fidelity=plan.fidelity,
                evidence=plan.evidence,
                size=plan.size_bytes,
                steps=steps,
                warnings=list(plan.warnings),
            )
            for step in () if self._output.as_json else steps:
                self._output.result(f"  {step}")

    def _part_left(self, elsewhere: str) -> str:
        """What is left if tar is interrupted; *elsewhere* names what is left outside the directory."""
        left = ", ".join(filter(None, (f"{self._into} holds a part of it", elsewhere)))
        if self._overwrite:  # mixed with earlier files, so there is nothing to remove
            return f"{left}: run the same command again to continue"
        if not elsewhere:
            return f"{left}: empty it, then run the same command again"
        return f"{left}: run the same command again to continue, or remove both"

    def _tell_what_tar_said(self, said: Sequence[str]) -> None:
        """Print tar's messages: even if tar succeeds, something may differ, such as an attribute."""
        for line in said[:_SHOWN_MESSAGES]:
            self._output.message(f"tar: {line}")
        if len(said) > _SHOWN_MESSAGES:
            self._output.message(f"tar: and {counted(len(said) - _SHOWN_MESSAGES, 'more such line')}")

    def _restored(self, what: str, plan: RestorePlan, **more: object) -> None:
        self._left.words = f"{self._into} is restored"
        self._output.result(
            f"{what} restored into {self._into}",
            status="restored",
            profile=self._profile,
            point=plan.point.label,
            taken_at=plan.taken_at.isoformat(),
            into=str(self._into),
            **more,
        )
