"""
What every `MemberRecords` promises.

A test module runs the contract for an adapter by subclassing it with a fixture ``door``: the records, and a way to make
them fail.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from typing import Protocol

import pytest

from tarkeep.domain.comparing.fit import Agreement, Compatibility, Renamed
from tarkeep.domain.comparing.silence import says_nothing_of
from tarkeep.domain.errors.archives import RecordsMissing
from tarkeep.domain.errors.content import MemberUnreadable
from tarkeep.domain.names.columns import DIRECTORY, MemberColumns, tables
from tarkeep.domain.names.footprints import footprint_of
from tarkeep.domain.names.name_table import NameTable, last_at, mark_of
from tarkeep.domain.ports.members import MemberRecords
from tarkeep.domain.tar.members import MemberRecord
from tarkeep.domain.tar.paths import canonical, join, split
from tarkeep.domain.tar.read_headers import read_member
from tarkeep.domain.trees.history import Looking
from tests.support.tars import header, padded

ONE, OTHER = "1" * 64, "a" * 64


class RecordsDoor(Protocol):
    """What the contract needs in addition to the records: back doors."""

    @property
    def records(self) -> MemberRecords: ...

    def is_empty(self) -> bool:
        """Whether it holds no records, published or not."""

    def open_files(self) -> int:
        """The number of record files that this process has open."""

    def crash(self) -> None:
        """End the writing process, with writers open, and begin the next one."""


def some(count: int, seed: int = 1, *, directories: float = 0.3, blocks: int = 3) -> list[MemberRecord]:
    """Records of *count* members, of up to *blocks* blocks each, some of them directories."""
    rng = random.Random(seed)
    at = 0
    records = []
    for _ in range(count):
        headers = rng.randbytes(40).ljust(512, b"\0") * rng.randint(1, blocks)
        records.append(MemberRecord(at, headers, rng.random() < directories))
        at += len(headers) + 512 * rng.randrange(5)
    return records


def listed(count: int) -> list[MemberRecord]:
    """Records of *count* members: directories with a listing, hard links and files."""
    found = []
    for number in range(count):
        name = b"d%d" % (number // 7)
        headers = (
            header(name + b"/", 1_000, b"D") + (b"Yname%d\0" % number * 50).ljust(1_024, b"\0")[:1_024],
            header(name + b"/link", 0, b"1", patch=(157, name + b"/f")),
            header(name + b"/f", 0),
        )[min(number % 7, 2)]
        found.append(MemberRecord(number * 2_048, headers, headers[156] == 68))
    return found


def night(number: int, count: int = 100) -> list[MemberRecord]:
    """
    Records of *count* directories with names that do not compress; a few change from night to night, appear and go.
    """
    found: list[MemberRecord] = []
    for place in range(count):
        if place % 20 == number % 20:
            continue
        rng = random.Random(place)
        names = sorted(rng.randbytes(8).hex().encode() for _ in range(40))
        is_changed = place % 20 == (number + 1) % 20
        listing = b"".join(b"NY"[is_changed : is_changed + 1] + name + b"\0" for name in names) + b"\0"
        folder = b"folder%d" % place
        at = len(found) * 8_192
        headers = header(folder + b"/", len(listing), b"D") + padded(listing)
        found.append(MemberRecord(at, headers, is_directory=True))
        if is_changed:
            found.append(
                MemberRecord(at + len(headers), header(folder + b"/" + names[number % 40]), is_directory=False)
            )
    return found


_PATHS = [b"r", b"s", b"r/a", b"r/b", b"r/c", b"r/d", b"r/d/a", b"s/a", b"a", b"a/b"]


def odd(rng: random.Random, count: int) -> list[MemberRecord]:
    """Directories with and without listings, files and links of a few paths, some repeated, in any order."""
    found = []
    for _ in range(count):
        path, kind = rng.choice(_PATHS), rng.choice((b"D", b"D", b"5", b"0", b"0", b"1"))
        if kind == b"D":
            names = rng.sample([b"a", b"b", b"c", b"d"], rng.randrange(4))
            content = b"".join(rng.choice((b"Y", b"N", b"D")) + name + b"\0" for name in names) + b"\0"
            if rng.random() < 0.1:
                content = b"R" + rng.choice(_PATHS) + b"\0T" + rng.choice(_PATHS) + b"\0" + content
            found.append(header(path + b"/", len(content), b"D") + content.ljust(512, b"\0"))
        else:
            spelt = rng.choice((path, b"./" + path, path.replace(b"/", b"//"))) + b"/" * (kind == b"5")
            found.append(header(spelt, 0, kind, patch=(157, rng.choice(_PATHS) if kind == b"1" else b"")))
    return _placed(found)


def _placed(headers: list[bytes], at: int = 0) -> list[MemberRecord]:
    return [MemberRecord(at + number * 2_048, one, one[156:157] in b"D5") for number, one in enumerate(headers)]


LIMIT_BYTES = 1 << 30


def flat(found: Iterable[MemberColumns]) -> list[tuple[int, int, bytes, bytes, int]]:
    return [
        row
        for names in found
        for row in zip(names.positions, names.letters, names.paths, names.extras, names.spans, strict=True)
    ]


def told(table: NameTable) -> list[tuple[int, int, bytes, bytes, int]]:
    """What *table* has of every member, in the order of the tar."""
    files = table.files
    targets = dict(files.links(range(len(files))))
    paths = [
        join(folder, files.names[number])
        for place, folder in enumerate(files.folders)
        for number in range(files.firsts[place], files.firsts[place + 1])
    ]
    rows = [
        (files.positions[n] * 512, files.letters[n], path, targets.get(n, b""), files.spans[n] * 512)
        for n, path in enumerate(paths)
    ]
    assert [rows[number] for number in files.order] == sorted(rows)
    for path, position in zip(table.directories(), table.positions(), strict=True):
        assert table.position(path) == position
        rows.append((position * 512, DIRECTORY, path, b"".join(table.listings(path)), 0))
    return sorted(rows)


def publish(records: MemberRecords, sha256: str, written: Sequence[MemberRecord]) -> None:
    with records.begin() as writer:
        writer.write(written)
        writer.publish(sha256)


class MemberRecordsContract:
    @pytest.mark.parametrize("count", [0, 1, 2, 500, 4_000])
    def test_what_is_published_is_read_in_the_order_of_the_tar(self, door: RecordsDoor, count: int) -> None:
        """For any mixture and any number of directories and files."""
        written = some(count)
        publish(door.records, ONE, written)

        assert list(door.records.read(ONE)) == written

    @pytest.mark.parametrize("count", [0, 1, 500, 4_000])
    def test_directories_can_be_read_alone(self, door: RecordsDoor, count: int) -> None:
        """In the order of the tar, without other members."""
        written = some(count, directories=0.5)
        publish(door.records, ONE, written)

        found = list(door.records.read(ONE, directories_only=True))

        assert found == [record for record in written if record.is_directory]

    @pytest.mark.parametrize("directories_only", [False, True])
    def test_reading_may_begin_in_the_middle(self, door: RecordsDoor, directories_only: bool) -> None:
        """At a record, between two, and after the last."""
        written = some(4_000)
        publish(door.records, ONE, written)

        for start in (0, 1, written[7].at, written[2_000].at, written[2_000].at + 1, written[-1].at, 1 << 50):
            found = list(door.records.read(ONE, directories_only=directories_only, start=start))
            wanted = [record for record in written if record.at >= start]
            assert found == [record for record in wanted if record.is_directory or not directories_only]

    def test_single_records_are_found_by_their_places(self, door: RecordsDoor) -> None:
        """In order; positions without a record are skipped."""
        written = some(4_000)
        publish(door.records, ONE, written)
        rng = random.Random(3)
        wanted = sorted(rng.sample(written, 100), key=lambda record: record.at)

        found = list(door.records.at(ONE, sorted([*(record.at for record in wanted), 7, 1 << 50])))

        assert found == wanted
        assert list(door.records.at(ONE, [])) == []
        with pytest.raises(RecordsMissing):
            door.records.at(OTHER, [0])

    def test_fits_go_with_the_records(self, door: RecordsDoor) -> None:
        """The last ones kept count; they are forgotten with the records of the archive."""
        paths = (b"a/b", b"\xff\n'")
        contradicts = Compatibility(
            Agreement.CONTRADICTS,
            3,
            paths,
            "tar would not",
            Renamed.IN_VAIN,
            True,
            4,
            paths[:1],
            5,
            paths[1:],
            b"a/\xff",
        )
        fits = {OTHER: contradicts, "2" * 64: Compatibility(Agreement.UNKNOWN)}
        publish(door.records, ONE, some(3))
        door.records.keep_fits(ONE, {OTHER: Compatibility(Agreement.FITS)})
        door.records.keep_fits(ONE, fits)

        assert door.records.fits(ONE) == fits
        assert door.records.fits(OTHER) == {}
        assert door.records.fits("no digest") == {}
        door.records.remove(ONE)
        assert door.records.fits(ONE) == {}
        assert door.is_empty()

    @pytest.mark.parametrize("count", [0, 1, 500, 20_000])
    def test_names_are_those_of_the_members(self, door: RecordsDoor, count: int) -> None:
        """In the order of the tar, in columns, with listings and the targets of hard links."""
        written = listed(count)
        publish(door.records, ONE, written)

        found = told(door.records.table(ONE, LIMIT_BYTES))

        assert found == flat(tables(written)) == told(door.records.table(ONE, LIMIT_BYTES))
        assert list(door.records.read(ONE)) == written
        with pytest.raises(RecordsMissing):
            door.records.table(OTHER, LIMIT_BYTES)

    @pytest.mark.parametrize("seed", range(40))
    def test_one_path_is_found_as_by_reading_everything(self, door: RecordsDoor, seed: int) -> None:
        """Its last member and what its directory lists, for any number of repetitions in the archive."""
        rng = random.Random(seed)
        base, child = odd(rng, 60), odd(rng, 60)
        kept = {name: header(name, 0) for name in (b"same/1", b"same/2")}
        for sha256, written in ((ONE, base), (OTHER, child)):
            publish(door.records, sha256, [*written, *_placed(list(kept.values()), written[-1].at + 8_192)])
        door.records.table(ONE, LIMIT_BYTES)

        for sha256 in (ONE, OTHER):
            table = door.records.table(sha256, LIMIT_BYTES, ONE if sha256 is OTHER else None)
            for path in {*_PATHS, *kept, b"", b"r/none", b"none/none"}:
                looking = Looking(canonical(path))
                for one in door.records.read(sha256):
                    looking.take(read_member(one))
                read = looking.sighting()
                at = last_at(table, path)
                assert (read.member and read.member.at, read.mark) == (at, mark_of(table, path))
                assert read.is_silent == says_nothing_of(table, split(canonical(path))[0])
                assert read.renames == tuple(table.renames)

    def test_the_footprint_of_an_archive_is_always_the_same(self, door: RecordsDoor) -> None:
        """The same at every call, and an error if nothing was published."""
        publish(door.records, ONE, listed(20))

        assert door.records.footprint(ONE) == footprint_of(listed(20)) == door.records.footprint(ONE)
        assert b"d0/link" in door.records.footprint(ONE).links
        with pytest.raises(RecordsMissing):
            door.records.footprint(OTHER)
        door.records.remove(ONE)
        assert door.is_empty()

    def test_a_member_that_cannot_be_read_has_its_records_all_the_same(self, door: RecordsDoor) -> None:
        """A query for names raises an error that names it."""
        unreadable = MemberRecord(1 << 20, bytes(40), False)
        written = [*listed(5), unreadable, MemberRecord(2 << 20, listed(1)[0].headers, True)]
        publish(door.records, ONE, written)

        assert list(door.records.read(ONE)) == written
        with pytest.raises(MemberUnreadable, match=str(unreadable.at)):
            door.records.table(ONE, LIMIT_BYTES)

    @pytest.mark.parametrize("directories", [0.0, 1.0])
    def test_one_sort_alone_will_do(self, door: RecordsDoor, directories: float) -> None:
        """An archive without directories, and one with only directories."""
        written = some(300, directories=directories)
        publish(door.records, ONE, written)

        assert list(door.records.read(ONE)) == written
        assert len(list(door.records.read(ONE, directories_only=True))) == 300 * directories

    def test_a_huge_record_is_kept(self, door: RecordsDoor) -> None:
        """The listing of a directory with a million names."""
        written = [MemberRecord(0, os.urandom(5 << 20), True), MemberRecord(9 << 20, bytes(512), False)]
        publish(door.records, ONE, written)

        assert list(door.records.read(ONE)) == written

    def test_what_was_never_published_is_missing_at_the_call(self, door: RecordsDoor) -> None:
        """Not at the first record, which may be too late for a caller to do something else."""
        with pytest.raises(RecordsMissing):
            door.records.read(ONE)

    @pytest.mark.parametrize("name", ["", "..", "../../tarkeep.json", "A" * 64, "1" * 63, "1" * 64 + "\n", "1/" * 32])
    def test_what_is_no_digest_is_missing(self, door: RecordsDoor, name: str) -> None:
        """No file is looked for under it."""
        with pytest.raises(RecordsMissing):
            door.records.read(name)

    def test_records_are_those_of_their_archive(self, door: RecordsDoor) -> None:
        """Two archives do not disturb each other, even while both are written."""
        with door.records.begin() as one, door.records.begin() as other:
            for record, its in zip(some(400, 1), some(400, 2), strict=True):
                one.write([record])
                other.write([its])
            one.publish(ONE)
            other.publish(OTHER)

        assert (list(door.records.read(ONE)), list(door.records.read(OTHER))) == (some(400, 1), some(400, 2))

    def test_records_of_one_archive_may_be_published_twice(self, door: RecordsDoor) -> None:
        """Two callers that missed the same records made the same; a reader meanwhile is not disturbed."""
        publish(door.records, ONE, some(4_000))
        reading = door.records.read(ONE)
        first = next(reading)

        publish(door.records, ONE, some(4_000))

        assert [first, *reading] == list(door.records.read(ONE)) == some(4_000)

    def test_what_is_not_published_is_dropped(self, door: RecordsDoor) -> None:
        """A refused archive leaves no records."""
        for count in (0, 1, 4_000):
            with door.records.begin() as writer:
                writer.write(some(count))

        assert door.is_empty()

    def test_removed_records_are_missing(self, door: RecordsDoor) -> None:
        """Removing missing records is no error; a reader may continue."""
        publish(door.records, ONE, some(4_000))
        reading = door.records.read(ONE)
        next(reading)

        for _ in range(2):
            door.records.remove(ONE)

        with pytest.raises(RecordsMissing):
            door.records.read(ONE)
        assert len(list(reading)) == 3_999
        assert door.is_empty()

    def test_a_crash_leaves_nothing_that_reads_as_complete(self, door: RecordsDoor) -> None:
        """Unpublished records are gone after a sweep; published ones are still there or missing."""
        publish(door.records, ONE, some(10))
        writer = door.records.begin()
        writer.write(some(4_000, 2))

        door.crash()
        door.records.sweep()
        door.records.remove(ONE)

        with writer:  # it lives on in this process
            assert door.is_empty()

    def test_a_sweep_leaves_open_writers_alone(self, door: RecordsDoor) -> None:
        """A sweep runs at the start, possibly while archives arrive."""
        with door.records.begin() as writer:
            writer.write(some(4_000))
            door.records.sweep()
            writer.publish(ONE)

        assert list(door.records.read(ONE)) == some(4_000)

    def test_reading_may_be_broken_off(self, door: RecordsDoor) -> None:
        """A reader may simply stop; no file stays open."""
        publish(door.records, ONE, some(4_000))

        for count in (0, 1, 2_000):
            reading = door.records.read(ONE)
            for _ in range(count):
                next(reading)
            del reading

        assert door.open_files() == 0
        door.records.remove(ONE)
        assert door.is_empty()
