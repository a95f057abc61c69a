"""
Backing up through a file on this machine: for dumps that must not be repeated because of a bad line.

The dump stays in a spool until the server has both it and its snapshot file. A dump that one run could not send is sent
first by the next run, continuing where it was cut; it is dropped only if the server by then continues from another
archive.
"""

from __future__ import annotations

from attrs import evolve, frozen

from ...archives.archive import Lineage
from ...errors.client import ParentMoved
from ...identity.naming import time_in_name
from ...ports.inspection import Hasher
from ...tarkeep_error import TarkeepError
from ...uploads import ChecksumAlgorithm
from ..ports.chains import RemoteChains
from ..ports.dumping import NOBODY, DumpEnd, DumpSource, Making, Watch
from ..ports.spool import Spool, Spooled
from ..progress import Progress
from ..push.push_archive import PushArchive
from ..retrying import Notice, Retrying
from .back_up import BackedUp, PlannedDump


@frozen
class BackUpThroughFile:
    """Make a dump, keep it in the spool, and store it."""

    chains: RemoteChains
    making: Making
    spool: Spool
    push: PushArchive
    hasher: Hasher
    retrying: Retrying

    def __call__(
        self, planned: PlannedDump, source: DumpSource, progress: Progress, notice: Notice, watch: Watch = NOBODY
    ) -> BackedUp:
        """
        Returns the result, once the archive is stored.

        Raises:
            DumpFailed, DumpTooLarge: tar failed, or the archive is too large; nothing stays here, nothing is stored.
            ParentMoved: another dump was stored since this one was planned; nothing stays here, nothing is stored.
            LocalDiskFull, FolderUnusable: the spool cannot hold the dump.
            All errors of `PushArchive`: the dump is not stored, and waits for the next run.
        """
        with self.making.dumper.start(
            source, planned.before, watch.foresee, is_whole=planned.not_whole is None
        ) as dump:
            archive = self.spool.write(planned.id, self.making.blocks(dump, watch))
            end = dump.finish()
        base = planned.base
        lineage = Lineage(
            parent=(base.id.type, base.id.name) if base is not None else None,
            snapshot_before=base.snapshot_sha256 if base is not None else None,
            snapshot_after=self._sha256(end.snapshot),
        )
        waiting = Spooled(planned.id, archive, lineage, end.snapshot, planned.notes(end))
        self.spool.describe(waiting)
        return evolve(self.send(waiting, progress, notice, end), not_whole=planned.not_whole)

    def send(self, dump: Spooled, progress: Progress, notice: Notice, end: DumpEnd | None = None) -> BackedUp:
        """
        Store a waiting dump; *end* has tar's messages, if this run made it.

        Raises:
            As for `__call__`.
        """
        try:
            taken_at = time_in_name(dump.id.name)
            stored = self.push(dump.id.profile, dump.archive, progress, notice, dump.lineage, taken_at, dump.notes)
        except ParentMoved:
            self.spool.remove(dump)
            raise
        error = None
        try:
            self.retrying(lambda: self.chains.put_snapshot(stored.id, dump.snapshot), on_retry=notice)
        except TarkeepError as failed:
            error = failed
        else:
            self.spool.remove(dump)
        return BackedUp(stored, end, error)

    def _sha256(self, content: bytes) -> str:
        checksum = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        checksum.update(content)
        return checksum.digest().hex()
