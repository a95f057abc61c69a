"""
A server in memory, for use cases of the client: `RemoteStore` and `RemoteChains` in one, with the plainest idea of a
chain.

It keeps what it is given byte by byte, takes an INC to build on the newest archive and a DIFF on the newest FULL, and
can be told to fail. Nothing of the real server's code is in it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from attrs import define, evolve, field, frozen

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Lineage
from tarkeep.domain.archives.inventory import InventoryEntry, SyncReport
from tarkeep.domain.archives.totals import Totals
from tarkeep.domain.client.ports.chains import (
    Base,
    LackingName,
    PointDetail,
    RemoteTreeEntry,
    RemoteVersion,
    RestorePlan,
    RestoreStep,
    StoredPoint,
    Tell,
    Warn,
)
from tarkeep.domain.client.ports.remote import NO_LINEAGE, ServerFacts, UploadProgress
from tarkeep.domain.errors.client import ParentMoved, RemoteNotFound, ServerUnreachable
from tarkeep.domain.errors.uploads import UploadGone
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tests.support.archives import digests_of

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@define
class _Upload:
    id: ArchiveId
    lineage: Lineage
    taken_at: datetime | None
    size_bytes: int | None
    content: bytearray = field(factory=bytearray)


@frozen
class _Kept:
    archive: BackupArchive
    content: bytes
    lineage: Lineage


@define(eq=False)
class MemoryServer:
    """
    *cuts* are counts of bytes after each of which the line breaks once, *lost_from* one from which on no upload gets
    any further; *refuse_snapshots* fails that many requests to keep a snapshot file. *damaged_snapshots* are found
    to be so when they are asked for; *false_snapshots* arrive as others each time. *details* are told of points, and
    those with obstacles have no plan.
    """

    cuts: list[int] = field(factory=list)
    lost_from: int | None = None
    refuse_snapshots: int = 0
    damaged_snapshots: set[ArchiveId] = field(factory=set)
    false_snapshots: set[ArchiveId] = field(factory=set)
    details: dict[ArchiveId, PointDetail] = field(factory=dict)
    now: datetime = NOON
    kept: dict[ArchiveId, _Kept] = field(factory=dict)
    snapshots: dict[ArchiveId, bytes] = field(factory=dict)
    uploads: dict[str, _Upload] = field(factory=dict)
    dropped: list[str] = field(factory=list)
    suspected: list[ArchiveId] = field(factory=list)
    received_bytes: int = 0
    shown_url: str = "memory"

    # -- back doors --------------------------------------------------------------------------------------------------

    def tar_of(self, id: ArchiveId) -> bytes:
        """The tar inside an archive."""
        return gzip.GzipFile(fileobj=io.BytesIO(self.kept[id].content)).read()

    def damage(self, id: ArchiveId) -> None:
        """Have it known that the stored bytes of *id* are wrong."""
        kept = self.kept[id]
        self.kept[id] = evolve(kept, archive=evolve(kept.archive, state=ArchiveState.DAMAGED))

    # -- archives ----------------------------------------------------------------------------------------------------

    def facts(self, profile: str) -> ServerFacts | None:
        return ServerFacts(None, None, frozenset({"push", "list", "pull"}))

    def verify(self, profile: str | None, entries: Iterable[InventoryEntry]) -> SyncReport:
        raise NotImplementedError

    def totals(self) -> list[Totals]:
        raise NotImplementedError

    def archives(self, *, profile: str | None = None, type: BackupType | None = None) -> Iterator[BackupArchive]:
        yield from (kept.archive for kept in self.kept.values() if profile in (None, kept.archive.id.profile))

    def put(
        self,
        id: ArchiveId,
        blocks: Iterable[bytes],
        size_bytes: int | None,
        digests: DeclaredDigests,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
        notes: tuple[str, ...] = (),
    ) -> BackupArchive:
        self._check(id, lineage)
        return self._keep(id, b"".join(blocks), lineage, taken_at, notes)

    def create_upload(
        self,
        id: ArchiveId,
        size_bytes: int | None,
        digests: DeclaredDigests,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
    ) -> str:
        self._check(id, lineage)
        upload = f"{self.shown_url}/upload-{len(self.uploads) + len(self.dropped)}"
        self.uploads[upload] = _Upload(id, lineage, taken_at, size_bytes)
        return upload

    def upload_progress(self, upload: str) -> UploadProgress:
        return UploadProgress(len(self._upload(upload).content))

    def append(
        self,
        upload: str,
        offset_bytes: int,
        blocks: Iterable[bytes],
        count_bytes: int | None,
        total_bytes: int | None = None,
        notes: tuple[str, ...] = (),
    ) -> UploadProgress:
        it = self._upload(upload)
        assert offset_bytes == len(it.content)
        for block in blocks:
            if self.lost_from is not None and len(it.content) >= self.lost_from:
                raise ServerUnreachable("memory", "the line is dead")
            it.content += block
            self.received_bytes += len(block)
            if self.cuts and len(it.content) >= self.cuts[0]:
                self.cuts.pop(0)
                raise ServerUnreachable("memory", "the line broke")
        if total_bytes is not None:
            assert it.size_bytes is None
            it.size_bytes = total_bytes
        if it.size_bytes is None or len(it.content) < it.size_bytes:
            return UploadProgress(len(it.content))
        assert it.size_bytes == len(it.content)
        del self.uploads[upload]
        return UploadProgress(it.size_bytes, self._keep(it.id, bytes(it.content), it.lineage, it.taken_at, notes))

    def drop_upload(self, upload: str) -> None:
        self._upload(upload)
        del self.uploads[upload]
        self.dropped.append(upload)

    def suspect(self, archive: BackupArchive) -> None:
        self.suspected.append(archive.id)

    def read(self, archive: BackupArchive, start: int = 0) -> _Bytes:
        return _Bytes(self.kept[archive.id].content, start)

    def _upload(self, upload: str) -> _Upload:
        if upload not in self.uploads:
            raise UploadGone(upload, "it ended")
        return self.uploads[upload]

    def _check(self, id: ArchiveId, lineage: Lineage) -> None:
        if lineage.parent is None:
            return
        base = self.base(id.profile, id.type)
        if base is None or (base.id.type, base.id.name) != lineage.parent:
            raise ParentMoved("the parent is another", str(base and base.id))

    def _keep(
        self, id: ArchiveId, content: bytes, lineage: Lineage, taken_at: datetime | None, notes: tuple[str, ...]
    ) -> BackupArchive:
        gzip.GzipFile(fileobj=io.BytesIO(content)).read()
        if id in self.kept:
            assert self.kept[id].content == content
            return self.kept[id].archive
        # its clock and those of its senders agree
        self.now = max(self.now, taken_at or self.now) + timedelta(minutes=1)
        digests = digests_of(content)
        archive = BackupArchive(id, len(content), digests, self.now, taken_at or self.now, notes=notes)
        self.kept[id] = _Kept(archive, content, lineage)
        return archive

    # -- chains ------------------------------------------------------------------------------------------------------

    def points(self, profile: str) -> list[StoredPoint]:
        points: dict[ArchiveId, StoredPoint] = {}
        for id, kept in self.kept.items():
            if id.profile != profile:
                continue
            parent = ArchiveId(profile, *kept.lineage.parent) if kept.lineage.parent is not None else None
            before = points[parent] if parent is not None else None
            is_good = kept.archive.state is ArchiveState.STORED and (before is None or before.is_restorable)
            points[id] = StoredPoint(
                id=id,
                size_bytes=kept.archive.size_bytes,
                taken_at=kept.archive.taken_at,
                received_at=kept.archive.received_at,
                kind="incremental",
                state=kept.archive.state.value,
                is_restorable=is_good,
                fidelity="exact",
                evidence="proven",
                parent=parent,
                link_evidence="proven" if parent is not None else None,
                reason="",
                length=before.length + 1 if before is not None else 1,
                path_bytes=kept.archive.size_bytes + (before.path_bytes if before is not None else 0),
                has_snapshot=id in self.snapshots,
                notes=kept.archive.notes,
            )
        return list(points.values())

    def detail(self, id: ArchiveId) -> PointDetail:
        if id not in self.kept:
            raise RemoteNotFound(404, "not-found", "no such point")
        return self.details.get(id, PointDetail(id, "exact"))

    def base(self, profile: str, type: BackupType) -> Base | None:
        candidates = [
            point
            for point in self.points(profile)
            if point.is_restorable
            and point.has_snapshot
            and (type is BackupType.INC or point.id.type is BackupType.FULL)
        ]
        if not candidates:
            return None
        point = candidates[-1]
        sha256 = hashlib.sha256(self.snapshots[point.id]).hexdigest()
        return Base(point.id, point.taken_at, sha256, point.length)

    def snapshot(self, id: ArchiveId) -> bytes:
        if id in self.damaged_snapshots:
            self.snapshots.pop(id, None)
            raise RemoteNotFound(404, "not-found", f"the snapshot file kept with {id} is damaged or lost")
        return self.snapshots[id] + (b"!" if id in self.false_snapshots else b"")

    def put_snapshot(self, id: ArchiveId, snapshot: bytes) -> None:
        if self.refuse_snapshots:
            self.refuse_snapshots -= 1
            raise ServerUnreachable("memory", "the line broke")
        self.snapshots[id] = snapshot

    def plan(self, profile: str, at: str, *, path: bytes = b"", allow_gaps: bool = False) -> RestorePlan:
        points = [
            one for one in self.points(profile) if at in ("latest", one.id.name, f"{one.id.type.value}/{one.id.name}")
        ]
        if not points:
            raise RemoteNotFound(404, "not-found", "no such point")
        point = points[-1]
        steps = [
            RestoreStep(id, kept.archive.size_bytes, kept.archive.digests.sha256, is_incremental=True)
            for id, kept in ((id, self.kept[id]) for id in self._path(point.id))
        ]
        return RestorePlan(point.id, point.taken_at, "exact", "proven", point.path_bytes, tuple(steps))

    def _path(self, id: ArchiveId) -> list[ArchiveId]:
        parent = self.kept[id].lineage.parent
        return [*(self._path(ArchiveId(id.profile, *parent)) if parent is not None else ()), id]

    def gaps(self, profile: str, at: str, path: bytes = b"") -> Iterator[LackingName]:
        raise NotImplementedError

    def tree(
        self,
        profile: str,
        at: str,
        path: bytes = b"",
        *,
        recursive: bool = False,
        allow_gaps: bool = False,
        tell: Tell | None = None,
        warn: Warn | None = None,
    ) -> Iterator[RemoteTreeEntry]:
        raise NotImplementedError

    def find(
        self,
        profile: str,
        at: str,
        name: str,
        *,
        allow_gaps: bool = False,
        tell: Tell | None = None,
        warn: Warn | None = None,
    ) -> Iterator[RemoteTreeEntry]:
        raise NotImplementedError

    def history(self, profile: str, path: bytes) -> list[RemoteVersion]:
        raise NotImplementedError

    def restored(self, profile: str, at: str, path: bytes, *, allow_gaps: bool = False) -> _Bytes:
        raise NotImplementedError


@frozen
class _Bytes:
    _content: bytes
    start_bytes: int

    def __iter__(self) -> Iterator[bytes]:
        for position in range(self.start_bytes, len(self._content), 1 << 20):
            yield self._content[position : position + (1 << 20)]

    def __enter__(self) -> _Bytes:
        return self

    def __exit__(self, *_error: object) -> None:
        return None
