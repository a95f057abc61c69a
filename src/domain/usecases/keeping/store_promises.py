"""
The promises of every archive store, each as a sentence and as a check on a store.

A check uses only the port, on an empty store that has no other user. So every kind of store can be checked: by the
tests of its contract, and by an operator before it gets real archives. Promises that the port cannot show, such as
surviving a power cut, are left to the tests of the adapter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

from attrs import frozen

from ...errors.archives import AlreadyPublished, ArchiveNotFound, ArchiveProtected, SnapshotNotFound
from ...identity.archive_id import ArchiveId, BackupType
from ...identity.digests import Digests
from ...ports.store import ArchiveReader, ArchiveStore, StoredArchive, TrashedArchive
from ...retention import trash_note
from ...retention.marks import UNMARKED, Hold, encode
from ...retention.trash_note import TrashNote

_PROFILE = "validate-store"
_ONE = ArchiveId(_PROFILE, BackupType.FULL, "one.tar.gz")
_OTHER = ArchiveId(_PROFILE, BackupType.INC, "other.tar.gz")
_UPLOAD = "validate-store"
_MIB = 1 << 20
_SEVERAL = 8
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_IN_TRASH = TrashNote(_ONE, 5, Digests("0" * 32, "0" * 64), _NOW, _NOW, _NOW, _NOW, plan="", reasons=("a trial",))
_NOTE, _PURGED = trash_note.encode(_IN_TRASH), trash_note.encode(_IN_TRASH.purged(_NOW))


class PromiseBroken(Exception):
    """A store broke a promise; the text says how."""


@frozen
class Promise:
    """
    A sentence about a store, and the checks of it. Each check raises `PromiseBroken` if the store breaks the promise.

    *afterwards* runs on the same store after it was closed and opened again. The caller removes what a check leaves.
    """

    sentence: str
    kept_by: Callable[[ArchiveStore], None]
    afterwards: Callable[[ArchiveStore], None] | None = None


def _stored_and_read(store: ArchiveStore) -> None:
    content = _content(3 * _MIB + 7)
    _put(store, _ONE, content, b'{"about": "one"}')

    said = StoredArchive(_ONE, len(content), b'{"about": "one"}')
    _expect(store.stat(_ONE) == said, "stat gives another size or side-car than was stored")
    _expect(list(store.scan()) == [said], "a scan does not list the stored archive")
    _expect(list(store.ids()) == [_ONE], "the list of names lacks the stored archive")
    _expect(_read(store.read(_ONE)) == content, "the bytes read differ from those written")
    _expect(_read(store.reread(_ONE)) == content, "the bytes read from the medium differ from those written")


def _invisible_before_publishing(store: ArchiveStore) -> None:
    with store.begin() as writer:
        writer.write(b"bytes")
        writer.seal(b"{}")
        _expect_absent(store, "an archive is visible before it is published")
    _expect_absent(store, "an archive is visible that was never published")
    left = store.sweep(datetime.max.replace(tzinfo=UTC))
    _expect(left == 0, "an abandoned archive left bytes in staging")


def _never_overwritten(store: ArchiveStore) -> None:
    _put(store, _ONE, b"first", b"1")
    try:
        _put(store, _ONE, b"another", b"2")
    except AlreadyPublished:
        pass
    else:
        raise PromiseBroken("a second archive was stored under the name of the first")
    _expect(_read(store.read(_ONE)) == b"first", "the bytes of the first archive were replaced")
    _expect(store.stat(_ONE).sidecar == b"1", "the side-car of the first archive was replaced")


def _one_of_several_wins(store: ArchiveStore) -> None:
    with ExitStack() as begun:
        writers = [begun.enter_context(store.begin()) for _ in range(_SEVERAL)]
        for number, writer in enumerate(writers):
            writer.write(b"%d" % number * (number + 1))
            writer.seal(b"%d" % number)
        winners = []
        for number, writer in enumerate(writers):
            with suppress(AlreadyPublished):
                writer.publish(_ONE)
                winners.append(number)
    _expect(len(winners) == 1, f"{len(winners)} of {_SEVERAL} writers published the name")
    (winner,) = winners
    _expect(
        (_read(store.read(_ONE)), store.stat(_ONE).sidecar) == (b"%d" % winner * (winner + 1), b"%d" % winner),
        "the stored archive is not that of the writer that published it",
    )


def _ranges(store: ArchiveStore) -> None:
    content = _content(2 * _MIB + 7)
    _put(store, _ONE, content)
    for start, stop in (
        (0, None), (0, 0), (1, 2), (_MIB - 1, _MIB + 1), (2 * _MIB, 10**12), (len(content), None), (10**12, None)
    ):  # fmt: skip
        with store.read(_ONE, start, stop) as reader:
            size, blocks = reader.size_bytes, list(reader)
        _expect(b"".join(blocks) == content[start:stop], f"bytes {start} to {stop} differ from those requested")
        _expect(size == len(content[start:stop]), f"the announced length of bytes {start} to {stop} is wrong")
        _expect(all(0 < len(block) <= _MIB for block in blocks), "a block is empty, or larger than 1 MiB")


def _absent_is_told(store: ArchiveStore) -> None:
    _put(store, _OTHER, b"bytes")
    for asked in (store.read, store.reread, store.stat):
        try:
            asked(_ONE)
        except ArchiveNotFound:
            continue
        raise PromiseBroken(f"{asked.__name__} of a missing archive does not raise ArchiveNotFound")


def _names_in_order(store: ArchiveStore) -> None:
    names = ("a.tar.gz", "a b.tar.gz", "Z.tar.gz", "é" * 96 + ".tar.gz", "日本 (1).tar.gz", "a" * 193 + ".tar.gz")
    profiles = ("b", "a.b", "a", "a-b", "B", "1")
    ids = [ArchiveId(profile, type, name) for profile in profiles for type in BackupType for name in names]
    for id in ids:
        _put(store, id, id.name.encode(), str(id).encode())
    found = list(store.scan())

    _expect([one.id for one in found] == sorted(ids), "names are lost, changed or out of order")
    _expect(all(one.sidecar == str(one.id).encode() for one in found), "side-cars are confused")
    _expect(all(_read(store.read(id)) == id.name.encode() for id in ids), "archives are confused")


def _sidecars_given_way(store: ArchiveStore) -> None:
    _put(store, _ONE, b"bytes", b"old")
    try:
        store.annotate(_ONE, b"new", b"not what it has")
    except AlreadyPublished:
        pass
    else:
        raise PromiseBroken("a side-car was replaced by a caller that did not know it")
    store.annotate(_ONE, b"new", b"old")
    _expect(store.stat(_ONE) == StoredArchive(_ONE, 5, b"new"), "a side-car was not replaced by a caller that knew it")


def _snapshot_files(store: ArchiveStore) -> None:
    content = _content(_MIB + 5)
    _put(store, _ONE, b"bytes")
    store.keep_snapshot(_ONE, [content[:100], content[100:]])
    store.keep_snapshot(_ONE, [content])
    _expect(_read(store.snapshot(_ONE)) == content, "the snapshot file read differs from the one kept")
    _expect(store.stat(_ONE).has_snapshot and list(store.snapshots()) == [_ONE], "a kept snapshot file is not listed")
    try:
        store.keep_snapshot(_ONE, [b"another"])
    except AlreadyPublished:
        pass
    else:
        raise PromiseBroken("another snapshot file replaced the first")
    store.remove(_ONE)
    try:
        store.snapshot(_ONE)
    except SnapshotNotFound:
        return
    raise PromiseBroken("the snapshot file of a removed archive is still given out")


def _marks(store: ArchiveStore) -> None:
    _put(store, _ONE, b"bytes")
    store.mark(_ONE, b"1", None)
    try:
        store.mark(_ONE, b"2", None)
    except AlreadyPublished:
        pass
    else:
        raise PromiseBroken("marks were replaced by a caller that did not know them")
    store.mark(_ONE, b"2", b"1")
    _expect(store.marks(_ONE) == b"2", "marks were not replaced by a caller that knew them")
    _expect(list(store.marked()) == [_ONE], "a marked archive is not listed")
    store.remove(_ONE)
    _put(store, _ONE, b"again")
    _expect(store.marks(_ONE) is None, "an archive has the marks of a removed one")


def _trashed_and_back(store: ArchiveStore) -> None:
    _put(store, _ONE, b"bytes", b"about it")
    store.keep_snapshot(_ONE, [b"snapshot"])
    store.trash(_ONE, _NOTE, _NOW)
    _expect_absent(store, "an archive in the trash is still visible")
    said = TrashedArchive(_ONE, 5, b"about it", _NOTE, has_snapshot=True)
    _expect(list(store.trashed()) == [said], "the trash does not list the archive with its side-car and its note")
    store.untrash(_ONE)
    _expect(list(store.trashed()) == [], "an archive that came back is still in the trash")
    _there_again(store)


def _held(store: ArchiveStore) -> None:
    _put(store, _ONE, b"bytes", b"about it")
    unheld, held = encode(UNMARKED), encode(UNMARKED.held(Hold("validate-store", "a trial", _NOW)))
    for protects in (held, b"unreadable"):
        store.mark(_ONE, protects, store.marks(_ONE))
        _expect_held(lambda: store.trash(_ONE, _NOTE, _NOW), "a held archive went to the trash")
        store.mark(_ONE, unheld, protects)
        store.trash(_ONE, _NOTE, _NOW)
        store.mark(_ONE, protects, unheld)
        _expect_held(lambda: store.purge(_ONE, _PURGED, _NOW), "a held archive was purged")
        store.untrash(_ONE)
    _expect(_read(store.read(_ONE)) == b"bytes", "the bytes of a held archive have changed")


def _expect_held(taking_away: Callable[[], None], otherwise: str) -> None:
    try:
        taking_away()
    except ArchiveProtected:
        return
    raise PromiseBroken(otherwise)


def _purged(store: ArchiveStore) -> None:
    _put(store, _ONE, b"bytes")
    store.trash(_ONE, _NOTE, _NOW)
    store.purge(_ONE, _PURGED, _NOW)
    store.purge(_ONE, _PURGED, _NOW)
    _expect(
        list(store.trashed()) == [TrashedArchive(_ONE, None, None, _PURGED)], "a purged archive left no note, or more"
    )
    _put(store, _ONE, b"again")
    _expect(_read(store.read(_ONE)) == b"again", "the name of a purged archive gives other bytes than the last stored")
    store.forget(_ONE)
    _expect(list(store.trashed()) == [], "a forgotten note is still there")


def _repaired(store: ArchiveStore) -> None:
    _put(store, _ONE, b"damaged", b"1")
    with store.begin() as writer:
        writer.write(b"whole")
        writer.seal(b"2")
        writer.replace(_ONE)
    _expect(_read(store.read(_ONE)) == b"whole", "the damaged bytes are still there")
    _expect(store.stat(_ONE) == StoredArchive(_ONE, 5, b"2"), "size or side-car are still those of the damaged archive")


def _removed(store: ArchiveStore) -> None:
    _put(store, _ONE, b"bytes")
    store.remove(_ONE)
    store.remove(_ONE)
    _expect_absent(store, "a removed archive is still visible")
    _put(store, _ONE, b"again")
    _expect(_read(store.read(_ONE)) == b"again", "a name used again gives other bytes than the last ones stored")


def _uploads_go_on(store: ArchiveStore) -> None:
    with store.resume(_UPLOAD, 0) as writer:
        writer.write(b"first ")
        writer.sync()
        writer.write(b"torn")
        writer.sync()
    _expect(store.staged_bytes(_UPLOAD) == 10, "the number of staged bytes of an upload is wrong")
    with store.resume(_UPLOAD, 6) as writer:
        writer.write(b"second")
        writer.seal(b"{}")
        writer.publish(_ONE)
    _expect(_read(store.read(_ONE)) == b"first second", "a continued upload became another archive")
    with store.resume(_UPLOAD, 0) as writer:
        writer.write(b"given up")
        writer.sync()
    store.discard(_UPLOAD)
    _expect(store.staged_bytes(_UPLOAD) == 0, "a dropped upload is still in staging")


def _kept(store: ArchiveStore) -> None:
    _put(store, _ONE, b"bytes", b"about it")
    store.keep_snapshot(_ONE, [b"snapshot"])


def _there_again(store: ArchiveStore) -> None:
    said = StoredArchive(_ONE, 5, b"about it", has_snapshot=True)
    _expect(list(store.scan()) == [said], "the stored archive is gone")
    _expect(_read(store.read(_ONE)) == b"bytes", "the bytes have changed")
    _expect(_read(store.snapshot(_ONE)) == b"snapshot", "the snapshot file has changed")


def _room_is_told(store: ArchiveStore) -> None:
    _put(store, _ONE, b"bytes")
    usage = store.usage()
    _expect(usage.used_bytes > 0 and usage.free_bytes != 0, "used or free bytes are reported as zero")


PROMISES = (
    Promise("A stored archive is listed, and read byte for byte.", _stored_and_read),
    Promise("An archive is invisible until it is published, and an abandoned one leaves nothing behind.",
            _invisible_before_publishing),
    Promise("A stored archive is never overwritten.", _never_overwritten),
    Promise("Of several archives published under one name, exactly one is stored.", _one_of_several_wins),
    Promise("A range of an archive is read exactly.", _ranges),
    Promise("A missing archive is reported as not found.", _absent_is_told),
    Promise("Every name that an archive may have is kept, and listed in order.", _names_in_order),
    Promise("A side-car is replaced only by a caller that knows its present content.", _sidecars_given_way),
    Promise("A snapshot file of tar is kept with its archive, and removed with it.", _snapshot_files),
    Promise("Marks are kept with their archive, and replaced only by a caller that knows them.", _marks),
    Promise("An archive in the trash is invisible, and comes back as it was.", _trashed_and_back),
    Promise("A held archive goes neither to the trash nor out of it.", _held),
    Promise("A purged archive leaves a note, and its name is free.", _purged),
    Promise("A damaged archive is replaced by a whole one.", _repaired),
    Promise("A removed archive is gone, and its name is free.", _removed),
    Promise("An interrupted upload continues from its durable bytes.", _uploads_go_on),
    Promise("A stored archive survives closing and opening the store.", _kept, _there_again),
    Promise("The store reports used and free bytes.", _room_is_told),
)  # fmt: skip


def _put(store: ArchiveStore, id: ArchiveId, content: bytes, sidecar: bytes = b"{}") -> None:
    with store.begin() as writer:
        writer.write(content)
        writer.seal(sidecar)
        writer.publish(id)


def _read(reading: ArchiveReader) -> bytes:
    with reading as reader:
        return b"".join(reader)


def _content(size: int) -> bytes:
    """*size* bytes in which no two parts are alike."""
    return hashlib.shake_128(b"validate-store").digest(size)


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise PromiseBroken(otherwise)


def _expect_absent(store: ArchiveStore, otherwise: str) -> None:
    _expect(not list(store.ids()) and not list(store.scan()), otherwise)
    try:
        store.stat(_ONE)
    except ArchiveNotFound:
        return
    raise PromiseBroken(otherwise)
