"""
One restore drill: restore a point with the tar of this machine where it can do no harm, and have the server judge it.

The rule: nothing is restored before it was seen that a changed byte is found here. A chain made on the spot is restored
twice, once with one byte changed, and both results must be judged right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from attrs import define, frozen

from ...drills.comparison import compare
from ...drills.drill import DrilledArchive, DrillWay
from ...errors.client import DrillBlind, DrillStopped, ServerUnreachable, Unauthorized
from ...ports.inspection import Hasher
from ...tarkeep_error import TarkeepError
from ...uploads import ChecksumAlgorithm
from ..ports.drilling import DrillRoom, DrillVerdict, DueDrill, RemoteDrills, RestoredAs
from ..ports.extracting import Members
from ..retrying import Notice, Retrying

_TRIAL_SECONDS = 60.0
_MOST_SAID = 50


@frozen
class DrillWatch:
    """
    Told what is done: *sees* once a changed byte was found, *begins* with what is restored, *retries* before each time
    that the server is asked again.
    """

    sees: Callable[[], None] = lambda: None
    begins: Callable[[DueDrill], None] = lambda _drill: None
    retries: Notice = lambda _error, _pause: None


ONCE = Retrying(0, lambda _seconds: None, lambda: 0.0)


@frozen
class RunDrill:
    """
    Run a drill. A server that is not there for a moment, when it is asked for work or for an archive, is asked again; a
    report is sent once, since it ends the drill.
    """

    drills: RemoteDrills
    room: DrillRoom
    members: Members
    hasher: Hasher
    seconds: Callable[[], float]
    retrying: Retrying = ONCE

    def __call__(self, profile: str | None = None, watch: DrillWatch | None = None) -> DrillVerdict | None:
        """
        Drill *profile*, or the one that waits longest; None if none is due.

        Raises:
            SandboxUnusable, TarUnusable, FolderUnusable: this machine cannot run a drill.
            DrillBlind: it cannot tell a changed byte from a right one.
            ServerUnreachable, Unauthorized, Refused, RemoteNotFound: from the server.
        """
        watch = watch or DrillWatch()
        with self.room.opened():
            self._try_out()
            watch.sees()
            due = self.retrying(lambda: self.drills.due(profile), on_retry=watch.retries)
            if due is None:
                return None
            watch.begins(due)
            restored = self._restored(due, watch.retries)
            return self.drills.report(due, restored, () if restored.error else self.room.lines())

    def _try_out(self) -> None:
        """
        Restore a chain made here, right and with one byte changed.

        Raises:
            DrillBlind: the results are not judged as they must be.
        """
        trial = self.room.trial()
        for inc, wanted in ((trial.inc, ()), (trial.changed_inc, (trial.changed,))):
            for tar in (trial.full, inc):
                self.room.extract((tar,), incremental=True, seconds=_TRIAL_SECONDS)
            judgement = compare(trial.lines, self.room.lines())
            self.room.clear()
            found = tuple(one.path for one in judgement.differences)
            if found != wanted or not judgement.observed or judgement.is_equal is bool(wanted):
                if wanted:
                    raise DrillBlind("a changed byte was not found in a small chain made for the purpose")
                first = judgement.differences[0] if judgement.differences else None
                named = "nothing was there" if first is None else f"{first.path.decode(errors='replace')} {first.what}"
                raise DrillBlind(f"a small chain made for the purpose does not restore right: {named}")

    def _restored(self, due: DueDrill, retries: Notice) -> RestoredAs:
        pace, said = _Pace(self.seconds, due.minutes * 60.0), list[str]()
        error = ""
        try:
            for blocks, incremental in self._tars(due, retries):
                said += self.room.extract(blocks, incremental=incremental, seconds=pace.left())
        except (ServerUnreachable, Unauthorized):
            raise
        except TarkeepError as stopped:
            error = str(stopped)
        return RestoredAs(pace.passed(), self.room.tar, self.room.sandbox, tuple(said[:_MOST_SAID]), error)

    def _tars(self, due: DueDrill, retries: Notice) -> Iterator[tuple[Iterable[bytes], bool]]:
        """The tars to extract, one after the other, and whether each tells what was removed."""
        if due.way is DrillWay.PLAN:
            for archive in due.archives:
                with self.retrying(partial(self.drills.archive, archive), on_retry=retries) as download:
                    yield self.members.unpacked(self._checked(archive, download)), due.is_exact
            return
        for folder in due.folders or (b"",):
            with self.retrying(partial(self.drills.merged, due, folder), on_retry=retries) as download:
                yield download, False

    def _checked(self, archive: DrilledArchive, blocks: Iterable[bytes]) -> Iterator[bytes]:
        checksum = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        for block in blocks:
            checksum.update(block)
            yield block
        found = checksum.digest().hex()
        if found != archive.sha256:
            raise DrillStopped(f"{archive.id.label} arrived with the SHA-256 {found} instead of {archive.sha256}")


@define
class _Pace:
    """How much time is left."""

    _seconds: Callable[[], float]
    _most: float
    _began: float | None = None

    def left(self) -> float:
        return self._most - self.passed()

    def passed(self) -> float:
        now = self._seconds()
        if self._began is None:
            self._began = now
        return now - self._began
