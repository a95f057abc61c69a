"""
A server in memory, for use cases of the client: `RemoteStore` and `RemoteChains` in one, with the simplest idea of a
chain.

It keeps all bytes it is given, lets an INC build on the newest archive and a DIFF on the newest FULL, and can be set to
fail. It uses no code of the real server.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch

from attrs import define, evolve, field, frozen

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Lineage
from tarkeep.domain.archives.inventory import Bucket, InventoryEntry, Judged, SyncReport
from tarkeep.domain.archives.totals import Totals
from tarkeep.domain.client.ports.chains import (
    LATEST,
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
from tarkeep.domain.client.ports.remote import NO_LINEAGE, Download, ServerFacts, UploadProgress
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.errors.client import (
    NotRestorable,
    ParentMoved,
    Refused,
    RemoteNotFound,
    ServerUnreachable,
    UploadMoved,
)
from tarkeep.domain.errors.uploads import UploadGone
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tarkeep.domain.scrubbing.unread import LastChecked
from tests.support.archives import digests_of
from tests.support.memory_trees import Name, is_at_or_below, names_after, tar_of

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@define
class _Upload:
    id: ArchiveId
    digests: DeclaredDigests
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
    *cuts* are counts of bytes; after each of them the line breaks once. From *lost_from* on no upload makes progress;
    *refuse_snapshots* fails that many requests to keep a snapshot file. *damaged_snapshots* are found damaged when they
    are requested; *false_snapshots* arrive with different bytes each time. *details* are reported for points, and those
    with obstacles have no plan.
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
    finished: dict[str, UploadProgress] = field(factory=dict)
    suspected: list[ArchiveId] = field(factory=list)
    received_bytes: int = 0
    shown_url: str = "memory"
    _numbers: Iterator[int] = field(factory=lambda: itertools.count(1), init=False)

    # -- back doors --------------------------------------------------------------------------------------------------

    def tar_of(self, id: ArchiveId) -> bytes:
        """The tar inside an archive."""
        return gzip.GzipFile(fileobj=io.BytesIO(self.kept[id].content)).read()

    def damage(self, id: ArchiveId) -> None:
        """Record that the stored bytes of *id* are damaged."""
        kept = self.kept[id]
        self.kept[id] = evolve(kept, archive=evolve(kept.archive, state=ArchiveState.DAMAGED))

    # -- archives ----------------------------------------------------------------------------------------------------

    def facts(self, profile: str) -> ServerFacts | None:
        return ServerFacts(None, None, frozenset({"push", "list", "pull"}))

    def verify(self, profile: str | None, entries: Iterable[InventoryEntry]) -> SyncReport:
        here = {(entry.type, entry.name): entry for entry in entries}
        there = {(archive.id.type, archive.id.name): archive for archive in self.archives(profile=profile)}
        return SyncReport.of(
            Judged(place[0], _bucket(here.get(place), there.get(place)), [place[1]])
            for place in sorted({*here, *there}, key=lambda place: place[1])
        )

    def totals(self) -> list[Totals]:
        groups: dict[tuple[str, BackupType], list[BackupArchive]] = {}
        for archive in self.archives():
            groups.setdefault((archive.id.profile, archive.id.type), []).append(archive)
        return [
            Totals(*place, len(held), sum(one.size_bytes for one in held), max(one.received_at for one in held))
            for place, held in groups.items()
        ]

    def archives(self, *, profile: str | None = None, type: BackupType | None = None) -> Iterator[BackupArchive]:
        for archive in [kept.archive for kept in self.kept.values()]:
            if profile in (None, archive.id.profile) and type in (None, archive.id.type):
                yield archive

    def checked_archives(
        self, *, profile: str | None = None, type: BackupType | None = None
    ) -> Iterator[tuple[BackupArchive, LastChecked]]:
        for archive in self.archives(profile=profile, type=type):
            yield archive, LastChecked()

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
        return self._keep(id, b"".join(blocks), digests, lineage, taken_at, notes)

    def create_upload(
        self,
        id: ArchiveId,
        size_bytes: int | None,
        digests: DeclaredDigests,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
    ) -> str:
        self._check(id, lineage)
        upload = f"{self.shown_url}/upload-{next(self._numbers)}"
        self.uploads[upload] = _Upload(id, digests, lineage, taken_at, size_bytes)
        return upload

    def upload_progress(self, upload: str) -> UploadProgress:
        if upload in self.finished:
            return self.finished[upload]
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
        if offset_bytes != len(it.content):
            raise UploadMoved(upload, len(it.content))
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
        stored = self._keep(it.id, bytes(it.content), it.digests, it.lineage, it.taken_at, notes)
        self.finished[upload] = UploadProgress(it.size_bytes, stored)
        return self.finished[upload]

    def drop_upload(self, upload: str) -> None:
        self._upload(upload)
        del self.uploads[upload]
        self.dropped.append(upload)

    def suspect(self, archive: BackupArchive) -> None:
        self.suspected.append(archive.id)

    def read(self, archive: BackupArchive, start: int = 0) -> _Bytes:
        kept = self.kept.get(archive.id)
        if kept is None or kept.archive.digests != archive.digests:
            raise ArchiveNotFound(str(archive.id))
        return _Bytes(kept.content, start)

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
        self,
        id: ArchiveId,
        content: bytes,
        declared: DeclaredDigests,
        lineage: Lineage,
        taken_at: datetime | None,
        notes: tuple[str, ...],
    ) -> BackupArchive:
        digests = digests_of(content)
        try:
            gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise Refused("not-an-archive", str(error)) from error
        if declared.sha256 not in (None, digests.sha256):
            raise Refused("digest-mismatch", "other bytes came than were declared")
        if id in self.kept:
            if self.kept[id].archive.digests != digests:
                raise Refused("conflict", f"other bytes are stored as {id}")
            return self.kept[id].archive
        # its clock agrees with those of its senders
        self.now = max(self.now, taken_at or self.now) + timedelta(minutes=1)
        archive = BackupArchive(id, len(content), digests, self.now, taken_at or self.now, notes=notes)
        self.kept[id] = _Kept(archive, content, lineage)
        return archive

    # -- chains ------------------------------------------------------------------------------------------------------

    def points(self, profile: str) -> list[StoredPoint]:
        points: dict[ArchiveId, StoredPoint] = {}
        if all(id.profile != profile for id in self.kept):
            raise _not_found("profile")
        for id, kept in self.kept.items():
            if id.profile != profile:
                continue
            parent = ArchiveId(profile, *kept.lineage.parent) if kept.lineage.parent is not None else None
            before = points[parent] if parent is not None else None
            obstacles = before.obstacles if before is not None else ()
            if kept.archive.state is not ArchiveState.STORED:
                obstacles += (f"{id.type.value}/{id.name}: its bytes are wrong",)
            points[id] = StoredPoint(
                id=id,
                size_bytes=kept.archive.size_bytes,
                taken_at=kept.archive.taken_at,
                received_at=kept.archive.received_at,
                kind="incremental",
                state=kept.archive.state.value,
                is_restorable=not obstacles,
                fidelity="exact",
                evidence="proven",
                parent=parent,
                link_evidence="proven" if parent is not None else None,
                reason="",
                length=before.length + 1 if before is not None else 1,
                path_bytes=kept.archive.size_bytes + (before.path_bytes if before is not None else 0),
                has_snapshot=id in self.snapshots,
                obstacles=obstacles,
                notes=kept.archive.notes,
            )
        return list(points.values())

    def detail(self, id: ArchiveId) -> PointDetail:
        if id not in self.kept:
            raise _not_found("point")
        [point] = [one for one in self.points(id.profile) if one.id == id]
        return self.details.get(id, PointDetail(id, point.fidelity, point.obstacles))

    def base(self, profile: str, type: BackupType) -> Base | None:
        if all(id.profile != profile for id in self.kept):
            return None
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
            raise RemoteNotFound("not-found", f"the snapshot file kept with {id} is damaged or lost")
        if id not in self.snapshots:
            raise _not_found("snapshot file")
        return self.snapshots[id] + (b"!" if id in self.false_snapshots else b"")

    def put_snapshot(self, id: ArchiveId, snapshot: bytes) -> None:
        if self.refuse_snapshots:
            self.refuse_snapshots -= 1
            raise ServerUnreachable("memory", "the line broke")
        self.snapshots[id] = snapshot

    def plan(self, profile: str, at: str, *, path: bytes = b"", allow_gaps: bool = False) -> RestorePlan:
        point = self._point(profile, at)
        if path and path not in self._names(profile, at):
            raise _not_found("path")
        steps = [
            RestoreStep(id, kept.archive.size_bytes, kept.archive.digests.sha256, is_incremental=True)
            for id, kept in ((id, self.kept[id]) for id in self._path(point.id))
        ]
        return RestorePlan(point.id, point.taken_at, "exact", "proven", point.path_bytes, tuple(steps))

    def _point(self, profile: str, at: str) -> StoredPoint:
        points = self.points(profile)
        if at != LATEST and not at.endswith(".tar.gz"):
            points = [one for one in points if one.taken_at <= datetime.fromisoformat(at)]
        elif at != LATEST:
            points = [one for one in points if at in (one.id.name, f"{one.id.type.value}/{one.id.name}")]
        if not points:
            raise _not_found("point")
        if points[-1].obstacles:
            raise NotRestorable(at, points[-1].obstacles)
        return points[-1]

    def _path(self, id: ArchiveId) -> list[ArchiveId]:
        parent = self.kept[id].lineage.parent
        return [*(self._path(ArchiveId(id.profile, *parent)) if parent is not None else ()), id]

    def _names(self, profile: str, at: str) -> dict[bytes, Name]:
        return names_after([(id, self.tar_of(id)) for id in self._path(self._point(profile, at).id)])

    def gaps(self, profile: str, at: str, path: bytes = b"") -> Iterator[LackingName]:
        yield from ()

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
        names = self._names(profile, at)
        if path and path not in names:
            raise _not_found("path")
        if path and not recursive and not names[path].is_directory:
            yield names[path].entry
        for one in sorted(names):
            if one != path and ((recursive and is_at_or_below(one, path)) or one.rpartition(b"/")[0] == path):
                yield names[one].entry

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
        pattern = name if "*" in name else f"*{name}*"
        names = self._names(profile, at)
        yield from (names[one].entry for one in sorted(names) if fnmatch(one.rpartition(b"/")[2], pattern.encode()))

    def history(self, profile: str, path: bytes) -> list[RemoteVersion]:
        versions, before = [], None
        for point in self.points(profile):
            now = self._names(profile, point.id.name).get(path)
            if now is not None and (before is None or now.entry != before.entry):
                it, event = now.entry, "appeared" if before is None else "changed"
                versions.append(
                    RemoteVersion(point.id, point.taken_at, event, it.type, it.size_bytes, it.mtime_ns, None)
                )
            elif now is None and before is not None:
                versions.append(RemoteVersion(point.id, point.taken_at, "deleted", None, None, None, None))
            before = now
        return versions

    def restored(self, profile: str, at: str, path: bytes, *, allow_gaps: bool = False) -> Download:
        names = self._names(profile, at)
        if path and path not in names:
            raise _not_found("path")
        return _Bytes(tar_of(names, path), 0)


def _bucket(here: InventoryEntry | None, there: BackupArchive | None) -> Bucket:
    if here is None or there is None:
        return Bucket.EXTRA_REMOTE if here is None else Bucket.MISSING_REMOTE
    digest, known = (here.sha256, there.digests.sha256) if here.sha256 else (here.md5, there.digests.md5)
    if here.size_bytes not in (None, there.size_bytes) or digest not in (None, known):
        return Bucket.DIFFERING
    if digest is None:
        return Bucket.UNVERIFIED
    return Bucket.DAMAGED if there.state is ArchiveState.DAMAGED else Bucket.SYNCED


def _not_found(what: str) -> RemoteNotFound:
    return RemoteNotFound("not-found", f"no such {what}")


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
