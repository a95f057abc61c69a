"""
What every `ArchiveStore` promises.

A test module runs the contract for an adapter by subclassing it with a fixture ``door`` that gives a `StoreDoor` to an
empty store. The contract uses only the port and the door.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tarkeep.domain.errors.archives import AlreadyPublished, ArchiveCorrupt, ArchiveNotFound, SnapshotNotFound
from tarkeep.domain.errors.uploads import StagedBytesMissing
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.store import ArchiveStore, Block, Rereading, StoredArchive
from tarkeep.domain.usecases.keeping.store_promises import PROMISES, Promise
from tests.support.store_doors import LONG_AGO, SOON, StoreDoor

MIB = 1 << 20
ID = ArchiveId("document", BackupType.FULL, "full_2025-11-21_09-07-19.tar.gz")
OTHER = ArchiveId("document", BackupType.INC, "inc_2025-11-22_09-07-19.tar.gz")


def put(store: ArchiveStore, id: ArchiveId, content: bytes, sidecar: bytes = b"{}") -> None:
    put_blocks(store, id, [content], sidecar)


def put_blocks(store: ArchiveStore, id: ArchiveId, blocks: Iterable[Block], sidecar: bytes = b"{}") -> None:
    with store.begin() as writer:
        for block in blocks:
            writer.write(block)
        writer.seal(sidecar)
        writer.publish(id)


def replace(store: ArchiveStore, id: ArchiveId, content: bytes) -> None:
    with store.begin() as writer:
        writer.write(content)
        writer.seal(b"{}")
        writer.replace(id)


def get(store: ArchiveStore, id: ArchiveId, start: int = 0, stop: int | None = None) -> bytes:
    with store.read(id, start, stop) as reader:
        return b"".join(reader)


def _reread(reading: Rereading, id: ArchiveId) -> list[bytes]:
    with reading.bytes_of(id) as reader:
        return list(reader)


def snapshot_of(store: ArchiveStore) -> bytes:
    with store.snapshot(ID) as reader:
        content = b"".join(reader)
        assert len(content) == reader.size_bytes
        return content


def pattern(size: int) -> bytes:
    """*size* bytes in which no two ranges of more than a few bytes are alike."""
    return hashlib.shake_128(b"pattern").digest(size)


class ArchiveStoreContract:
    """One test per promise of the port: those that operators can try, and what only a back door shows."""

    @pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.sentence)
    def test_what_operators_can_try_is_kept(self, door: StoreDoor, promise: Promise) -> None:
        """Nothing is left in staging or open, and what has to be there afterwards is there after a crash, too."""
        promise.kept_by(door.store)

        assert door.staging_is_empty()
        assert door.open_files() == 0
        if promise.afterwards is not None:
            door.crash()
            promise.afterwards(door.store)

    # -- the quarantine --------------------------------------------------------------------------------------------

    def test_what_is_replaced_is_kept_in_the_quarantine_for_a_while(self, door: StoreDoor) -> None:
        """Each copy, until it is older than a time; and no copy is taken for an archive."""
        put(door.store, ID, b"damaged")
        put(door.store, OTHER, b"another")
        for content in (b"damaged again", b"whole"):
            replace(door.store, ID, content)

        assert sorted(door.quarantined(ID)) == [b"damaged", b"damaged again"]
        assert get(door.store, ID) == b"whole"
        assert list(door.store.ids()) == [ID, OTHER]
        assert door.store.empty_quarantine(LONG_AGO) == 0
        assert sorted(door.quarantined(ID)) == [b"damaged", b"damaged again"]
        assert door.store.empty_quarantine(SOON) == 2
        assert door.quarantined(ID) == []
        assert door.store.empty_quarantine(SOON) == 0
        assert door.open_files() == 0

    def test_what_was_missing_leaves_nothing_in_the_quarantine(self, door: StoreDoor) -> None:
        replace(door.store, ID, b"whole")

        assert get(door.store, ID) == b"whole"
        assert door.quarantined(ID) == []
        assert door.store.empty_quarantine(SOON) == 0

    # -- receiving -------------------------------------------------------------------------------------------------

    def test_nothing_is_visible_before_publish(self, door: StoreDoor) -> None:
        """A written and sealed archive that is not published is in neither stat, scan nor read."""
        with door.store.begin() as writer:
            writer.write(b"bytes")
            writer.seal(b"{}")

            assert list(door.store.scan()) == []
            with pytest.raises(ArchiveNotFound):
                door.store.stat(ID)
            with pytest.raises(ArchiveNotFound):
                door.store.read(ID)

    @pytest.mark.parametrize("steps", ["", "w", "ws", "s", "wss", "wsw"])
    def test_leaving_before_publish_drops_everything(self, door: StoreDoor, steps: str) -> None:
        """A writer left at any step leaves neither archive nor staging nor an open file."""
        with door.store.begin() as writer:
            for step in steps:
                if step == "w":
                    writer.write(b"bytes")
                else:
                    writer.seal(b"{}")

        assert list(door.store.scan()) == []
        assert door.staging_is_empty()
        assert door.open_files() == 0

    def test_leaving_by_an_exception_drops_everything_and_lets_it_through(self, door: StoreDoor) -> None:
        """An error of the caller half-way leaves no trace and is not swallowed."""

        def blocks() -> Iterator[bytes]:
            yield b"bytes"
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            put_blocks(door.store, ID, blocks())

        assert list(door.store.scan()) == []
        assert door.staging_is_empty()

    def test_publishing_empties_the_staging(self, door: StoreDoor) -> None:
        """After a publish, staging holds nothing of the archive, and no file stays open."""
        put(door.store, ID, b"bytes")

        assert door.staging_is_empty()
        assert door.open_files() == 0

    def test_blocks_of_any_kind_and_length_are_appended(self, door: StoreDoor) -> None:
        """bytes, bytearray and memoryview, empty, of one byte, and larger than anything internal."""
        large = pattern(3 * MIB + 1)
        blocks: list[Block] = [b"", b"a", bytearray(b"bc"), memoryview(b"def")[1:], memoryview(b""), large, b"", b"z"]
        put_blocks(door.store, ID, blocks)

        assert get(door.store, ID) == b"abcef" + large + b"z"

    def test_an_archive_without_bytes_is_an_archive(self, door: StoreDoor) -> None:
        """The store does not judge: an archive of zero bytes can be published and read."""
        with door.store.begin() as writer:
            writer.seal(b"{}")
            writer.publish(ID)

        assert door.store.stat(ID).size_bytes == 0
        assert get(door.store, ID) == b""

    def test_a_block_may_be_used_again_once_written(self, door: StoreDoor) -> None:
        """A caller that reuses one buffer does not change what it wrote before."""
        buffer = bytearray(b"first ")
        with door.store.begin() as writer:
            writer.write(buffer)
            buffer[:] = b"second"
            writer.write(memoryview(buffer))
            buffer[:] = b"------"
            writer.seal(b"{}")
            writer.publish(ID)

        assert get(door.store, ID) == b"first second"

    def test_two_writers_at_once_do_not_mix(self, door: StoreDoor) -> None:
        """Blocks of interleaved writers end up in their own archives."""
        with door.store.begin() as one, door.store.begin() as two:
            for _ in range(3):
                one.write(b"1")
                two.write(b"2")
            two.seal(b"two")
            one.seal(b"one")
            one.publish(ID)
            two.publish(OTHER)

        assert (get(door.store, ID), get(door.store, OTHER)) == (b"111", b"222")
        assert (door.store.stat(ID).sidecar, door.store.stat(OTHER).sidecar) == (b"one", b"two")

    def test_the_last_seal_counts(self, door: StoreDoor) -> None:
        """An archive that is sealed again with another, shorter side-car is published with that one."""
        with door.store.begin() as writer:
            writer.write(b"bytes")
            writer.seal(b"a first and long side-car")
            writer.seal(b"second")
            writer.publish(ID)

        assert door.store.stat(ID) == StoredArchive(ID, 5, b"second")

    def test_an_archive_that_is_not_sealed_is_not_published(self, door: StoreDoor) -> None:
        """Publishing before sealing, or after writing on, is refused and shows nothing."""
        with door.store.begin() as writer:
            writer.write(b"bytes")
            with pytest.raises(ValueError, match="seal"):
                writer.publish(ID)
            writer.seal(b"{}")
            writer.write(b" and more")
            with pytest.raises(ValueError, match="seal"):
                writer.publish(ID)

        assert list(door.store.scan()) == []

    # -- publishing ------------------------------------------------------------------------------------------------

    def test_publish_never_overwrites(self, door: StoreDoor) -> None:
        """A second archive of the same identity is refused, and the first keeps its bytes and its side-car."""
        put(door.store, ID, b"first", b"1")
        with pytest.raises(AlreadyPublished) as caught:
            put(door.store, ID, b"another", b"2")

        assert caught.value.id == ID
        assert get(door.store, ID) == b"first"
        assert door.store.stat(ID) == StoredArchive(ID, 5, b"1")
        assert door.staging_is_empty()

    def test_publish_does_not_overwrite_an_archive_without_a_sidecar(self, door: StoreDoor) -> None:
        """The bytes make the archive: one that lost its side-car still exists, and never gets another's side-car."""
        put(door.store, ID, b"first", b"1")
        door.lose_sidecar(ID)
        with pytest.raises(AlreadyPublished):
            put(door.store, ID, b"another", b"2")

        assert get(door.store, ID) == b"first"
        assert door.store.stat(ID) == StoredArchive(ID, 5, None)

    @pytest.mark.parametrize("harm", ["none", "shortened", "no side-car"])
    def test_replacing_puts_new_bytes_in_the_place_of_the_old_and_keeps_the_snapshot(
        self, door: StoreDoor, harm: str
    ) -> None:
        """Whatever state the old bytes and their side-car are in; staging is empty afterwards."""
        put(door.store, ID, b"first", b"1")
        door.store.keep_snapshot(ID, [b"snapshot"])
        if harm == "shortened":
            door.shorten(ID, 2)
        elif harm == "no side-car":
            door.lose_sidecar(ID)
        with door.store.begin() as writer:
            writer.write(b"another")
            writer.seal(b"2")
            writer.replace(ID)

        assert get(door.store, ID) == b"another"
        assert door.store.stat(ID) == StoredArchive(ID, 7, b"2", has_snapshot=True)
        assert snapshot_of(door.store) == b"snapshot"
        assert door.staging_is_empty()

    def test_replacing_what_is_not_there_publishes_it(self, door: StoreDoor) -> None:
        """As after a person removed the archive."""
        with door.store.begin() as writer:
            writer.write(b"bytes")
            with pytest.raises(ValueError, match="seal"):
                writer.replace(ID)
        with door.store.begin() as writer:
            writer.write(b"bytes")
            writer.seal(b"1")
            writer.replace(ID)

        assert get(door.store, ID) == b"bytes"
        assert door.store.stat(ID) == StoredArchive(ID, 5, b"1")

    def test_what_was_refused_can_be_published_under_another_name(self, door: StoreDoor) -> None:
        """AlreadyPublished leaves the writer usable: after sealing again, it can publish another name."""
        put(door.store, ID, b"first", b"1")
        with door.store.begin() as writer:
            writer.write(b"another")
            writer.seal(b"2")
            with pytest.raises(AlreadyPublished):
                writer.publish(ID)
            writer.seal(b"3")
            writer.publish(OTHER)

        assert get(door.store, ID) == b"first"
        assert get(door.store, OTHER) == b"another"
        assert door.store.stat(OTHER).sidecar == b"3"

    def test_a_writer_publishes_once(self, door: StoreDoor) -> None:
        """A published archive cannot be written to, sealed or published again by its writer."""
        with door.store.begin() as writer:
            writer.write(b"bytes")
            writer.seal(b"{}")
            writer.publish(ID)
            with pytest.raises(ValueError, match="published"):
                writer.write(b"more")
            with pytest.raises(ValueError, match="published"):
                writer.seal(b"other")
            with pytest.raises(ValueError, match="published"):
                writer.publish(OTHER)

        assert list(door.store.scan()) == [StoredArchive(ID, 5, b"{}")]

    def test_a_sidecar_without_an_archive_is_none_and_gives_way(self, door: StoreDoor) -> None:
        """The result of a crash between side-car and bytes is invisible, and does not stop the next attempt."""
        door.leave_sidecar(ID)

        assert list(door.store.scan()) == []
        with pytest.raises(ArchiveNotFound):
            door.store.stat(ID)
        with pytest.raises(ArchiveNotFound):
            door.store.read(ID)

        put(door.store, ID, b"bytes", b"fresh")

        assert door.store.stat(ID) == StoredArchive(ID, 5, b"fresh")

    def test_exactly_one_of_racing_publishers_of_one_name_wins(self, door: StoreDoor) -> None:
        """Eight threads, one identity: one publishes, seven are refused, and bytes and side-car match."""
        store = door.store
        for turn in range(10):
            id = ArchiveId("race", BackupType.FULL, f"turn-{turn}.tar.gz")
            start = threading.Barrier(8)

            def attempt(number: int, id: ArchiveId = id, start: threading.Barrier = start) -> int | None:
                with store.begin() as writer:
                    writer.write(b"%d" % number * (number + 1))
                    writer.seal(b"%d" % number)
                    start.wait()
                    try:
                        writer.publish(id)
                    except AlreadyPublished:
                        return None
                    return number

            with ThreadPoolExecutor(8) as pool:
                winners = [number for number in pool.map(attempt, range(8)) if number is not None]

            assert len(winners) == 1
            assert store.stat(id).sidecar == b"%d" % winners[0]
            assert get(store, id) == b"%d" % winners[0] * (winners[0] + 1)
        assert door.staging_is_empty()

    def test_an_archive_is_seen_whole_or_not_at_all(self, door: StoreDoor) -> None:
        """While one thread publishes and removes, no other ever sees bytes without their side-car."""
        store = door.store
        done = threading.Event()

        def churn() -> None:
            for turn in range(25):
                put(store, ID, b"x" * turn, b"%d" % turn)
                store.remove(ID)

        def watch() -> list[StoredArchive]:
            seen: list[StoredArchive] = []
            while not done.is_set():
                seen += store.scan()
                try:
                    seen.append(store.stat(ID))
                except ArchiveNotFound:
                    continue
            return seen

        with ThreadPoolExecutor(4) as pool:
            watching = [pool.submit(watch) for _ in range(3)]
            try:
                churn()
            finally:
                done.set()
            seen = [found for watcher in watching for found in watcher.result()]

        assert all(found.sidecar == b"%d" % found.size_bytes for found in seen)

    def test_an_archive_that_is_being_removed_is_whole_or_gone(self, door: StoreDoor) -> None:
        """A look at the very moment of removal shows the archive with its side-car, or no archive."""
        store = door.store
        ids = [ArchiveId("document", BackupType.FULL, f"{number}.tar.gz") for number in range(60)]
        for id in ids:
            put(store, id, b"bytes")

        def watch() -> set[StoredArchive]:
            seen = set()
            for id in ids:
                with suppress(ArchiveNotFound):
                    while True:
                        seen.add(store.stat(id))
            return seen

        with ThreadPoolExecutor(2) as pool:
            watching = [pool.submit(watch) for _ in range(2)]
            for id in ids:
                store.remove(id)
            seen = set.union(*(watcher.result() for watcher in watching))

        assert {found.sidecar for found in seen} <= {b"{}"}

    def test_publishers_of_different_names_all_win(self, door: StoreDoor) -> None:
        """Threads that publish into the same and into new directories do not block each other."""
        ids = [ArchiveId(f"p{n % 3}", list(BackupType)[n % 2], f"archive-{n}.tar.gz") for n in range(24)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda id: put(door.store, id, id.name.encode(), str(id).encode()), ids))

        assert list(door.store.scan()) == [StoredArchive(id, len(id.name), str(id).encode()) for id in sorted(ids)]

    # -- reading ---------------------------------------------------------------------------------------------------

    def test_reading_what_is_not_there_fails_at_the_call(self, door: StoreDoor) -> None:
        """Not-found comes from `read` itself, names the archive, and does not depend on other archives."""
        put(door.store, ID, b"bytes")
        for id in (
            OTHER,
            ArchiveId(ID.profile, ID.type, "other.tar.gz"),
            ArchiveId("unknown", ID.type, ID.name),
        ):
            with pytest.raises(ArchiveNotFound) as caught:
                door.store.read(id)
            assert caught.value.name == str(id)
            with pytest.raises(ArchiveNotFound) as caught:
                door.store.stat(id)
            assert caught.value.name == str(id)

    @pytest.mark.parametrize("start", [0, 1, 5, 9, 10, 11, 10**30])
    @pytest.mark.parametrize("stop", [None, 0, 1, 5, 9, 10, 11, 10**30])
    def test_a_range_is_clipped_to_the_archive(self, door: StoreDoor, start: int, stop: int | None) -> None:
        """Any start and stop give the same as slicing, and the reader knows its length beforehand."""
        put(door.store, ID, b"0123456789")
        with door.store.read(ID, start, stop) as reader:
            size, content = reader.size_bytes, b"".join(reader)

        assert content == b"0123456789"[start:stop]
        assert size == len(content)

    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, None), (1, None), (MIB - 1, MIB + 1), (MIB, 2 * MIB), (7, 2 * MIB + 7), (2 * MIB + 6, None)],
    )
    def test_blocks_are_at_most_one_mebibyte_and_in_order(self, door: StoreDoor, start: int, stop: int | None) -> None:
        """A large archive comes in blocks of 1 to 1,048,576 bytes that sum up to the range."""
        content = pattern(2 * MIB + 7)
        put(door.store, ID, content)
        with door.store.read(ID, start, stop) as reader:
            size, blocks = reader.size_bytes, list(reader)

        assert all(0 < len(block) <= MIB for block in blocks)
        assert b"".join(blocks) == content[start:stop]
        assert size == sum(map(len, blocks))

    def test_a_reader_left_half_way_holds_nothing(self, door: StoreDoor) -> None:
        """A reader that stops early, or never starts, leaves no open file."""
        put(door.store, ID, pattern(2 * MIB))
        with door.store.read(ID) as reader:
            next(iter(reader))
        with door.store.read(ID):
            pass

        assert door.open_files() == 0

    def test_two_readers_of_one_archive_do_not_disturb_each_other(self, door: StoreDoor) -> None:
        """Each reader has its own position."""
        content = pattern(3 * MIB)
        put(door.store, ID, content)
        with door.store.read(ID) as one, door.store.read(ID, MIB) as two:
            pairs = list(zip(one, two, strict=False))

        assert b"".join(first for first, _ in pairs)[MIB:] == b"".join(second for _, second in pairs)[:MIB]

    def test_an_archive_that_became_shorter_is_reported_as_damaged(self, door: StoreDoor) -> None:
        """Bytes that vanish while they are read are an error, not an early end."""
        content = pattern(2 * MIB)
        put(door.store, ID, content)
        received: list[bytes] = []
        with door.store.read(ID) as reader:
            door.shorten(ID, MIB + 5)
            with pytest.raises(ArchiveCorrupt) as caught:
                received.extend(reader)

        assert caught.value.id == ID
        assert content.startswith(b"".join(received))

    def test_the_medium_is_read_in_blocks_of_at_most_a_mebibyte(self, door: StoreDoor) -> None:
        """All of them, and what was changed behind the store's back, too."""
        content = pattern(2 * MIB + 5)
        put(door.store, ID, content)
        with door.store.reread(ID) as reader:
            blocks = list(reader)
            assert reader.size_bytes == len(content)
        door.change(ID, content[::-1])
        with door.store.reread(ID) as reader:
            changed = b"".join(reader)

        assert b"".join(blocks) == content
        assert max(map(len, blocks)) <= MIB
        assert changed == content[::-1]
        assert door.open_files() == 0

    def test_an_archive_that_becomes_shorter_while_the_medium_is_read_is_damaged(self, door: StoreDoor) -> None:
        put(door.store, ID, pattern(3 * MIB))
        with door.store.reread(ID) as reader:
            door.shorten(ID, MIB + 5)
            with pytest.raises(ArchiveCorrupt):
                list(reader)

        assert door.open_files() == 0

    def test_several_are_read_from_the_medium_in_the_order_that_was_told(self, door: StoreDoor) -> None:
        """With what lies beside each; of those that are missing only their own calls tell."""
        ids = [ArchiveId("document", BackupType.FULL, f"{number}.tar.gz") for number in range(40)]
        held = {id: f"about {id.name}".encode() for id in ids if id.name != "7.tar.gz"}
        for id, sidecar in held.items():
            put(door.store, id, sidecar * 100, sidecar)
        door.store.mark(ids[3], b"marks", None)
        door.store.keep_snapshot(ids[4], [b"snapshot"])
        door.change(ids[5], held[ids[5]] * 99)

        with door.store.rereading(ids) as reading:
            found = {id: (b"".join(_reread(reading, id)), reading.beside(id)) for id in held}
            with pytest.raises(ArchiveNotFound):
                reading.bytes_of(ids[7])
            with pytest.raises(ArchiveNotFound):
                reading.beside(ids[7])

        assert {id: lying.sidecar for id, (_, lying) in found.items()} == held
        assert [id for id, (_, lying) in found.items() if lying.marks is not None] == [ids[3]]
        assert found[ids[3]][1].marks == b"marks"
        assert {id for id, (content, _) in found.items() if content != held[id] * 100} == {ids[5]}
        assert door.open_files() == 0

    def test_several_may_be_read_in_another_order_twice_or_not_at_all(self, door: StoreDoor) -> None:
        put(door.store, ID, b"one", b"1")
        put(door.store, OTHER, b"other", b"2")
        with door.store.rereading([ID, OTHER]) as reading:
            assert [_reread(reading, id) for id in (OTHER, ID, ID)] == [[b"other"], [b"one"], [b"one"]]
            door.store.remove(ID)
            with pytest.raises(ArchiveNotFound):
                reading.beside(ID)
        with door.store.rereading([OTHER, ID, OTHER]):
            pass

        assert door.open_files() == 0

    def test_a_reader_opened_before_removal_gives_the_archive_or_an_error(self, door: StoreDoor) -> None:
        """Removal while reading never yields other or fewer bytes without an error."""
        content = pattern(2 * MIB)
        put(door.store, ID, content)
        with door.store.read(ID) as reader:
            door.store.remove(ID)
            put(door.store, ID, b"another")
            try:
                received = b"".join(reader)
            except (ArchiveCorrupt, ArchiveNotFound):
                received = content

        assert received == content

    # -- listing ---------------------------------------------------------------------------------------------------

    def test_a_lost_sidecar_is_none(self, door: StoreDoor) -> None:
        """Archives without a side-car are listed and found, with None as the side-car."""
        put(door.store, ID, b"bytes")
        door.lose_sidecar(ID)

        assert door.store.stat(ID) == StoredArchive(ID, 5, None)
        assert list(door.store.scan()) == [StoredArchive(ID, 5, None)]

    def test_an_empty_store_has_nothing_to_scan(self, door: StoreDoor) -> None:
        """No archive, no entry."""
        assert list(door.store.scan()) == []

    def test_the_longest_and_oddest_names_are_stored(self, door: StoreDoor) -> None:
        """All names that `naming` allows can be published, found and read."""
        names = [
            "a" * 193 + ".tar.gz",
            "é" * 96 + ".tar.gz",
            "2025 _@+=,()-....tar.gz",
            "x.tar.gz.json.tar.gz",
            "ก็.tar.gz",
        ]
        ids = sorted(ArchiveId(profile, BackupType.DIFF, name) for name in names for profile in ("p" * 64, "0..-_"))
        for id in ids:
            put(door.store, id, b"bytes", id.name.encode())

        assert [(entry.id, entry.sidecar) for entry in door.store.scan()] == [(id, id.name.encode()) for id in ids]

    def test_foreign_things_are_passed_over(self, door: StoreDoor) -> None:
        """Anything that is not an archive by name and nature is neither listed, nor found, nor in the way."""
        door.put_foreign_things("document")
        put(door.store, ID, b"bytes")

        assert [entry.id for entry in door.store.scan()] == [ID]
        for profile, type, name in (
            ("document", BackupType.FULL, "linked.tar.gz"),
            ("document", BackupType.FULL, "directory.tar.gz"),
            ("document", BackupType.FULL, "pipe.tar.gz"),
            ("document", BackupType.INC, "outside.tar.gz"),
            ("linked", BackupType.FULL, "outside.tar.gz"),
            ("README", BackupType.FULL, "outside.tar.gz"),
        ):
            id = ArchiveId(profile, type, name)
            with pytest.raises(ArchiveNotFound):
                door.store.stat(id)
            with pytest.raises(ArchiveNotFound):
                door.store.read(id)

    def test_scanning_survives_changes_meanwhile(self, door: StoreDoor) -> None:
        """Archives that come and go during a scan do not stop it, and those that stay are seen once."""
        ids = [ArchiveId(f"p{n}", BackupType.FULL, f"{m}.tar.gz") for n in range(3) for m in range(3)]
        for id in ids:
            put(door.store, id, b"bytes")
        scan = door.store.scan()
        seen = [next(scan).id]
        for id in (ids[2], ids[5], ids[8]):
            door.store.remove(id)
        put(door.store, OTHER, b"bytes")
        seen += [entry.id for entry in scan]

        assert sorted(set(seen)) == seen
        assert {id for id in ids if id not in (ids[2], ids[5], ids[8])} <= set(seen)

    def test_a_scan_given_up_holds_nothing(self, door: StoreDoor) -> None:
        """A scan that is closed after its first entry leaves no open file."""
        put(door.store, ID, b"bytes")
        put(door.store, OTHER, b"bytes")
        scan = door.store.scan()
        next(scan)
        del scan

        assert door.open_files() == 0

    # -- describing afterwards ---------------------------------------------------------------------------------------

    def test_an_archive_without_a_sidecar_is_given_one(self, door: StoreDoor) -> None:
        """The side-car appears, the bytes are as before, and staging is empty."""
        put(door.store, ID, b"bytes")
        door.lose_sidecar(ID)
        door.store.annotate(ID, b"found out")

        assert door.store.stat(ID) == StoredArchive(ID, 5, b"found out")
        assert list(door.store.scan()) == [StoredArchive(ID, 5, b"found out")]
        assert get(door.store, ID) == b"bytes"
        assert door.staging_is_empty()
        assert door.open_files() == 0

    @pytest.mark.parametrize("instead_of", [None, b"older", b""])
    def test_a_sidecar_is_not_replaced_by_mistake(self, door: StoreDoor, instead_of: bytes | None) -> None:
        """An archive with another side-car than the caller expects stays as it is."""
        put(door.store, ID, b"bytes", b"old")
        with pytest.raises(AlreadyPublished) as caught:
            door.store.annotate(ID, b"new", instead_of)

        assert caught.value.id == ID
        assert door.store.stat(ID) == StoredArchive(ID, 5, b"old")
        assert door.staging_is_empty()

    def test_a_known_sidecar_gives_way_to_another(self, door: StoreDoor) -> None:
        """The bytes stay, staging is empty, and the next process sees the new one."""
        put(door.store, ID, b"bytes", b"old")
        door.store.annotate(ID, b"new", b"old")
        assert door.staging_is_empty()
        assert door.open_files() == 0
        door.crash()

        assert door.store.stat(ID) == StoredArchive(ID, 5, b"new")
        assert get(door.store, ID) == b"bytes"

    def test_what_is_not_stored_cannot_be_described(self, door: StoreDoor) -> None:
        """Without an archive no side-car: not in a new directory, not beside others, not over a stale one."""
        put(door.store, ID, b"bytes")
        stale = ArchiveId(ID.profile, ID.type, "stale.tar.gz")
        door.leave_sidecar(stale)
        for id in (OTHER, stale, ArchiveId(ID.profile, ID.type, "other.tar.gz")):
            with pytest.raises(ArchiveNotFound) as caught:
                door.store.annotate(id, b"{}")
            assert caught.value.name == str(id)

        assert [entry.id for entry in door.store.scan()] == [ID]
        assert door.staging_is_empty()

    # -- snapshot files --------------------------------------------------------------------------------------------

    def test_a_snapshot_file_is_kept_with_its_archive(self, door: StoreDoor) -> None:
        """It comes back byte for byte, the archive says that it has one, and staging is empty."""
        put(door.store, ID, b"bytes", b"{}")
        put(door.store, OTHER, b"other", b"{}")
        door.store.keep_snapshot(ID, [b"snapshot\0" * 1000])

        assert snapshot_of(door.store) == b"snapshot\0" * 1000
        assert door.store.stat(ID) == StoredArchive(ID, 5, b"{}", has_snapshot=True)
        assert {stored.id: stored.has_snapshot for stored in door.store.scan()} == {ID: True, OTHER: False}
        assert door.staging_is_empty()
        assert door.open_files() == 0

    def test_archives_with_a_snapshot_file_are_listed(self, door: StoreDoor) -> None:
        """Those of one profile and type in a row, and no others."""
        elsewhere = ArchiveId("zebra", BackupType.DIFF, "a.tar.gz")
        for id in (ID, OTHER, elsewhere):
            put(door.store, id, b"bytes", b"{}")
        assert list(door.store.snapshots()) == []
        door.store.keep_snapshot(elsewhere, [b"snapshot"])
        door.store.keep_snapshot(ID, [b"snapshot"])

        assert list(door.store.snapshots()) == sorted([ID, elsewhere])
        assert set(door.store.ids()) == {stored.id for stored in door.store.scan()}

    def test_a_snapshot_file_may_come_in_any_number_of_blocks(self, door: StoreDoor) -> None:
        """Only the bytes count, also when they are sent again, cut in another way."""
        content = pattern(3 * MIB + 17)
        put(door.store, ID, b"bytes")
        for size in (len(content), 100_000):
            door.store.keep_snapshot(ID, (content[at : at + size] for at in range(0, len(content), size)))

        assert snapshot_of(door.store) == content
        for other in (content[:-1], content + b"x", content[:-1] + b"x"):
            with pytest.raises(AlreadyPublished):
                door.store.keep_snapshot(ID, [other[:MIB], other[MIB:]])
        assert snapshot_of(door.store) == content
        assert door.open_files() == 0

    def test_a_snapshot_file_whose_sender_fails_is_not_kept(self, door: StoreDoor) -> None:
        """The error passes through; nothing is kept with the archive or in staging, and a later one is accepted."""

        def cut_off() -> Iterator[Block]:
            yield pattern(MIB)
            raise BrokenPipeError

        put(door.store, ID, b"bytes")
        with pytest.raises(BrokenPipeError):
            door.store.keep_snapshot(ID, cut_off())

        assert not door.store.stat(ID).has_snapshot
        assert door.staging_is_empty()
        assert door.open_files() == 0
        door.store.keep_snapshot(ID, [b"another"])
        assert snapshot_of(door.store) == b"another"

    def test_a_snapshot_file_is_never_replaced(self, door: StoreDoor) -> None:
        """Keeping equal bytes again succeeds, other bytes are refused."""
        put(door.store, ID, b"bytes")
        door.store.keep_snapshot(ID, [b"first"])
        door.store.keep_snapshot(ID, [b"first"])
        with pytest.raises(AlreadyPublished):
            door.store.keep_snapshot(ID, [b"second"])

        assert snapshot_of(door.store) == b"first"
        assert door.staging_is_empty()

    def test_a_damaged_snapshot_file_gives_way_when_that_is_asked_for(self, door: StoreDoor) -> None:
        """Atomically; keeping equal bytes again is no error, and a missing file is simply kept."""
        put(door.store, ID, b"bytes")
        for content in (b"rotten", b"whole", b"whole"):
            door.store.keep_snapshot(ID, [content], replace=True)

            assert snapshot_of(door.store) == content
            assert door.staging_is_empty()
        door.crash()
        assert snapshot_of(door.store) == b"whole"
        assert door.open_files() == 0

    def test_no_archive_no_snapshot_file(self, door: StoreDoor) -> None:
        """None is kept for an archive that is not stored, and none exists before it is sent."""
        put(door.store, ID, b"bytes")
        with pytest.raises(ArchiveNotFound):
            door.store.keep_snapshot(OTHER, [b"snapshot"])
        for id in (ID, OTHER):
            with pytest.raises(SnapshotNotFound) as caught:
                door.store.snapshot(id)
            assert caught.value.id == id
        assert door.staging_is_empty()

    def test_a_snapshot_file_goes_with_its_archive(self, door: StoreDoor) -> None:
        """A later archive under the same name does not have the old one."""
        put(door.store, ID, b"bytes")
        door.store.keep_snapshot(ID, [b"old"])
        door.store.remove(ID)
        with pytest.raises(SnapshotNotFound):
            door.store.snapshot(ID)

        put(door.store, ID, b"again")

        assert not door.store.stat(ID).has_snapshot

    # -- removing --------------------------------------------------------------------------------------------------

    def test_a_removed_archive_is_gone_and_may_come_again(self, door: StoreDoor) -> None:
        """Neither bytes nor side-car stay, other archives are untouched, and the name is free."""
        put(door.store, ID, b"bytes", b"old")
        put(door.store, OTHER, b"other")
        door.store.remove(ID)

        assert [entry.id for entry in door.store.scan()] == [OTHER]
        with pytest.raises(ArchiveNotFound):
            door.store.stat(ID)
        with pytest.raises(ArchiveNotFound):
            door.store.read(ID)

        put(door.store, ID, b"again", b"new")

        assert door.store.stat(ID) == StoredArchive(ID, 5, b"new")

    def test_removing_what_is_not_there_is_no_error(self, door: StoreDoor) -> None:
        """Removing twice, removing an unknown archive, and removing half an archive all end without an archive."""
        half = ArchiveId("document", BackupType.FULL, "half.tar.gz")
        put(door.store, ID, b"bytes")
        put(door.store, half, b"bytes")
        door.lose_sidecar(half)
        door.leave_sidecar(OTHER)
        for id in (ID, ID, OTHER, half, ArchiveId("unknown", BackupType.FULL, "unknown.tar.gz")):
            door.store.remove(id)

        assert list(door.store.scan()) == []

    def test_sweep_drops_what_a_dead_process_left(self, door: StoreDoor) -> None:
        """Staged archives of writers that died are dropped and counted; published ones stay."""
        put(door.store, ID, b"bytes")
        with door.store.begin() as written, door.store.begin() as sealed, door.store.begin():
            written.write(b"bytes")
            sealed.write(b"bytes")
            sealed.seal(b"{}")
            door.crash()
            is_empty_before = door.staging_is_empty()
            swept = door.store.sweep(SOON)

            assert not is_empty_before
            assert swept == 3
            assert door.staging_is_empty()
        assert [entry.id for entry in door.store.scan()] == [ID]
        assert door.store.sweep(SOON) == 0

    def test_sweep_keeps_what_was_touched_since(self, door: StoreDoor) -> None:
        """Staged files younger than the given time stay."""
        with door.store.begin() as writer:
            writer.write(b"bytes")
            door.crash()
            swept = door.store.sweep(LONG_AGO)

            assert swept == 0
            assert not door.staging_is_empty()

    def test_sweep_takes_times_of_any_zone(self, door: StoreDoor) -> None:
        """The time is an instant, in any time zone."""
        with door.store.begin():
            door.crash()
            moment = datetime.now(UTC) - timedelta(hours=1)
            swept = door.store.sweep(moment.astimezone())

            assert swept == 0

    def test_sweep_never_touches_open_writers(self, door: StoreDoor) -> None:
        """A slow, idle or sealed writer of this process continues as if no sweep had happened."""
        with door.store.begin() as writer, door.store.begin() as idle:
            writer.write(b"by")
            swept = door.store.sweep(SOON)
            writer.write(b"tes")
            writer.seal(b"{}")
            swept += door.store.sweep(SOON)
            writer.publish(ID)
            idle.seal(b"idle")
            idle.publish(OTHER)

        assert swept == 0
        assert get(door.store, ID) == b"bytes"
        assert door.store.stat(OTHER).sidecar == b"idle"

    def test_archives_outlive_the_store_that_took_them(self, door: StoreDoor) -> None:
        """The next store over the same medium finds what the previous one published."""
        put(door.store, ID, b"bytes", b"about")
        door.crash()

        assert list(door.store.scan()) == [StoredArchive(ID, 5, b"about")]
        assert get(door.store, ID) == b"bytes"

    def test_closing_twice_is_no_error(self, door: StoreDoor) -> None:
        """Close is idempotent."""
        door.store.close()
        door.store.close()

    # -- over several writers --------------------------------------------------------------------------------------

    def test_an_upload_goes_on_with_what_an_earlier_writer_left(self, door: StoreDoor) -> None:
        """Its bytes stay when the writer is left, and the next writer publishes them all."""
        with door.store.resume("an-upload", 0) as writer:
            writer.write(b"first ")
            writer.sync()
        with door.store.resume("an-upload", 6) as writer:
            assert writer.size_bytes == 6
            writer.write(b"second")
            assert b"".join(writer.staged()) == b"first second"
            assert b"".join(writer.staged(6)) == b"second"
            writer.seal(b"{}")
            writer.publish(ID)

        assert get(door.store, ID) == b"first second"
        assert door.staging_is_empty()
        assert door.open_files() == 0

    def test_what_was_synced_survives_a_crash(self, door: StoreDoor) -> None:
        """The next process continues with it."""
        with door.store.resume("an-upload", 0) as writer:
            writer.write(b"durable")
            writer.sync()
            door.crash()

        with door.store.resume("an-upload", 7) as after:
            assert b"".join(after.staged()) == b"durable"

    def test_what_was_not_acknowledged_is_dropped(self, door: StoreDoor) -> None:
        """A writer begins exactly at the requested offset, and may truncate its own bytes."""
        with door.store.resume("an-upload", 0) as writer:
            writer.write(b"good bad")
        with door.store.resume("an-upload", 5) as writer:
            writer.write(b"worse")
            writer.truncate(5)
            writer.write(b"end")

            assert (writer.size_bytes, b"".join(writer.staged())) == (8, b"good end")

    def test_lost_bytes_of_an_upload_are_reported(self, door: StoreDoor) -> None:
        """Staging with fewer bytes than were acknowledged raises an error."""
        with door.store.resume("an-upload", 0) as writer:
            writer.write(b"four")

        assert door.store.staged_bytes("an-upload") == 4
        with pytest.raises(StagedBytesMissing):
            door.store.resume("an-upload", 5)
        assert door.open_files() == 0

    def test_what_is_staged_of_an_upload_is_counted(self, door: StoreDoor) -> None:
        """While it is written, while it rests, and no longer after it is dropped or published."""
        assert door.store.staged_bytes("an-upload") == 0
        with door.store.resume("an-upload", 0) as writer:
            writer.write(b"1234567")
            writer.sync()
            assert door.store.staged_bytes("an-upload") == 7
        with door.store.resume("an-upload", 6) as writer:
            assert door.store.staged_bytes("an-upload") == 6
            writer.seal(b"{}")
            writer.publish(ID)
        assert door.store.staged_bytes("an-upload") == 0

    def test_an_upload_may_be_sealed_in_vain_and_go_on(self, door: StoreDoor) -> None:
        """As when the catalog was unreachable: the next writer appends."""
        with door.store.resume("an-upload", 0) as writer:
            writer.write(b"sealed")
            writer.seal(b"{}")
        with door.store.resume("an-upload", 4) as writer:
            writer.write(b"!")
            writer.seal(b"{}")
            writer.publish(ID)

        assert get(door.store, ID) == b"seal!"

    def test_a_medium_that_is_there_answers(self, door: StoreDoor) -> None:
        door.store.check()

    def test_an_upload_that_begins_while_a_sweep_looks_is_kept(self, door: StoreDoor) -> None:
        """Nobody could name it before the sweep had begun."""

        def begins() -> list[str]:
            with door.store.resume("late", 0) as writer:
                writer.write(b"bytes")
            return []

        assert door.store.sweep(SOON, begins) == 0
        with door.store.resume("late", 5):
            pass
        assert door.store.sweep(SOON) == 1

    def test_a_sweep_keeps_the_named_uploads(self, door: StoreDoor) -> None:
        """Any other upload is abandoned, and a discarded one is gone at once."""
        for upload in ("kept", "abandoned", "discarded"):
            with door.store.resume(upload, 0) as writer:
                writer.write(b"bytes")

        door.store.discard("discarded")
        door.store.discard("never-there")
        assert door.store.sweep(SOON, lambda: ["kept"]) == 1
        with door.store.resume("kept", 5):
            pass
        for gone in ("abandoned", "discarded"):
            with pytest.raises(StagedBytesMissing):
                door.store.resume(gone, 5)
