"""Records in files: compact, bounded in memory, and either whole or missing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tarkeep.adapters.records.record_files import FilesystemMemberRecords
from tarkeep.domain.comparing.fit import Agreement, Compatibility
from tarkeep.domain.comparing.fitting import RULE
from tarkeep.domain.errors.archives import RecordsMissing
from tarkeep.domain.errors.restoring import TreeTooLarge
from tarkeep.domain.names.columns import tables
from tarkeep.domain.names.table_maker import changed_rows
from tests.contracts.member_records import LIMIT_BYTES, ONE, OTHER, flat, listed, night, publish, some, told
from tests.support.clocks import SequenceIds


@pytest.fixture
def records(tmp_path: Path) -> FilesystemMemberRecords:
    return FilesystemMemberRecords(tmp_path / "members", SequenceIds())


def only_file(records: FilesystemMemberRecords) -> Path:
    (found,) = (path for path in records.path.rglob("*") if path.is_file())
    return found


def test_a_file_is_found_by_its_digest(records: FilesystemMemberRecords) -> None:
    """Below the first two letters, readable by its owner only."""
    publish(records, ONE, some(3))

    assert only_file(records) == records.path / ONE[:2] / ONE
    assert only_file(records).stat().st_mode & 0o777 == 0o600


def test_few_records_are_written_at_the_end_only(records: FilesystemMemberRecords) -> None:
    """A small archive that is refused has cost no file."""
    with records.begin() as writer:
        writer.write(some(50))

        assert not records.path.exists()


@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_cut_file_is_missing(records: FilesystemMemberRecords, count: int) -> None:
    """Wherever it was cut, as by a power cut: its name may be there before all of its bytes are."""
    publish(records, ONE, some(count))
    file = only_file(records)
    content = file.read_bytes()
    lengths = [*range(min(len(content), 60)), *random.Random(1).choices(range(len(content)), k=60), len(content) - 1]
    for length in lengths:
        for damaged in (content[:length], content[:length] + bytes(len(content) - length)):
            if damaged != content:
                file.write_bytes(damaged)
                with pytest.raises(RecordsMissing):
                    records.read(ONE)

    file.write_bytes(content)
    assert list(records.read(ONE)) == some(count)


def test_a_file_with_a_flipped_bit_is_missing(records: FilesystemMemberRecords) -> None:
    """Wherever it is, also for a reader of directories only."""
    publish(records, ONE, some(300))
    file = only_file(records)
    content = file.read_bytes()
    for place in [*range(len(content) - 60, len(content)), *random.Random(1).choices(range(len(content)), k=100)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        for directories_only in (False, True):
            with pytest.raises(RecordsMissing):
                records.read(ONE, directories_only=directories_only)


def settled(records: FilesystemMemberRecords, sha256: str = ONE, like: str | None = None) -> Path:
    """The file of records in the form for lookups."""
    records.table(sha256, LIMIT_BYTES, like)
    return records.path / sha256[:2] / sha256


def damages(content: bytes, count: int = 150) -> Iterator[bytes]:
    """*content* with a bit flipped, or cut."""
    rng = random.Random(1)
    for place in [*range(len(content) - 60, len(content)), *rng.choices(range(len(content)), k=count)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        yield bytes(damaged)
    for length in rng.choices(range(len(content)), k=30):
        yield content[:length]


def looks_into_everything(records: FilesystemMemberRecords, sha256: str) -> object:
    return told(records.table(sha256, LIMIT_BYTES)), list(records.read(sha256))


def test_what_is_looked_into_is_whole_or_missing(records: FilesystemMemberRecords) -> None:
    """Wherever a bit was flipped, no wrong record is returned."""
    publish(records, ONE, listed(300))
    file = settled(records)
    whole = looks_into_everything(records, ONE)
    content = file.read_bytes()

    for damaged in damages(content):
        file.write_bytes(damaged)
        with pytest.raises(RecordsMissing):
            looks_into_everything(FilesystemMemberRecords(records.path, SequenceIds()), ONE)
        with suppress(RecordsMissing):  # the cached part of the file may be all that is needed
            assert looks_into_everything(records, ONE) == whole

    file.write_bytes(content)
    assert looks_into_everything(records, ONE) == whole


def test_a_check_finds_every_damage(records: FilesystemMemberRecords) -> None:
    """In both forms; a missing file is not damaged."""
    assert records.is_whole(ONE)
    publish(records, ONE, listed(300))
    for file in (records.path / ONE[:2] / ONE, settled(records)):
        content = file.read_bytes()
        assert records.is_whole(ONE)
        for damaged in damages(content, 40):
            file.write_bytes(damaged)
            assert not FilesystemMemberRecords(records.path, SequenceIds()).is_whole(ONE)
        file.write_bytes(content)
    assert records.is_whole(ONE)


def test_what_leans_on_another_tells_the_same(records: FilesystemMemberRecords) -> None:
    """And takes less room; it keeps using the first as its base, and has none once much has changed."""
    sizes = []
    digests = [f"{number:064x}" for number in range(8)]
    for number, sha256 in enumerate(digests):
        publish(records, sha256, night(number))
        before = digests[number - 1] if number else None
        sizes.append(settled(records, sha256, before).stat().st_size)

        assert told(records.table(sha256, LIMIT_BYTES)) == flat(tables(night(number)))
        assert list(records.read(sha256)) == night(number)
        assert list(records.read(sha256, directories_only=True)) == [one for one in night(number) if one.is_directory]
        some = night(number)[5::7]
        assert list(records.at(sha256, [one.at for one in some])) == some

    assert sizes[1] < sizes[0] / 4
    assert max(sizes) > sizes[0] / 2
    tables_ = [records.table(sha256, LIMIT_BYTES) for sha256 in digests]
    for one in tables_:
        rows = {path: one.row(path) for path in one.directories()}
        assert sorted(one.incomplete()) == [path for path, row in rows.items() if row and not row.is_complete]
        for other in tables_:
            assert one.changed(other) == changed_rows(one, other)


@pytest.mark.parametrize("how", ["damaged", "removed", "made again", "another"])
def test_what_leans_on_what_is_not_there_is_missing(records: FilesystemMemberRecords, how: str) -> None:
    """If the base is damaged, the error names it, so that the caller can drop it and have both made again."""
    publish(records, ONE, night(0))
    publish(records, OTHER, night(1))
    base = settled(records)
    leaning = settled(records, OTHER, ONE).read_bytes()
    whole = looks_into_everything(records, OTHER)
    if how == "removed":
        records.remove(ONE)
    elif how == "damaged":
        base.write_bytes(bytes(base.stat().st_size))
    else:
        records.remove(ONE)
        publish(records, ONE, night(0 if how == "made again" else 2))
        settled(records)

    fresh = FilesystemMemberRecords(records.path, SequenceIds())
    if how == "made again":
        assert looks_into_everything(fresh, OTHER) == whole
    else:
        with pytest.raises(RecordsMissing):
            fresh.table(OTHER, LIMIT_BYTES)
        publish(fresh, OTHER, night(1))
        assert looks_into_everything(fresh, OTHER) == whole
    assert leaning


def test_tables_of_too_many_names_are_refused_at_once(records: FilesystemMemberRecords) -> None:
    """The second time without reading the names."""
    publish(records, ONE, listed(3_000))
    for _ in range(2):
        with pytest.raises(TreeTooLarge):
            records.table(ONE, 10_000)
        publish(records, ONE, [])
    publish(records, ONE, listed(3_000))

    assert told(records.table(ONE, LIMIT_BYTES)) == flat(tables(listed(3_000)))


def test_what_cannot_be_written_anew_is_told_all_the_same(records: FilesystemMemberRecords) -> None:
    """From the records in their order of arrival."""
    publish(records, ONE, listed(300))
    (records.path / ONE[:2]).chmod(0o500)
    records.path.chmod(0o500)
    try:
        found = told(records.table(ONE, LIMIT_BYTES))
    finally:
        records.path.chmod(0o700)
        (records.path / ONE[:2]).chmod(0o700)

    assert found == flat(tables(listed(300)))


def test_what_versions_before_left_is_read_and_swept(records: FilesystemMemberRecords) -> None:
    """Names are no longer kept in files of their own."""
    publish(records, ONE, listed(30))
    (records.path / ONE[:2] / (ONE + ".names")).write_bytes(b"x")

    records.sweep()

    assert only_file(records).name == ONE


def test_fits_that_are_damaged_are_missing(records: FilesystemMemberRecords) -> None:
    """Wherever a bit was flipped, or the file was cut; they can be computed again."""
    fits = {OTHER: Compatibility(Agreement.CONTRADICTS, 2, (b"r/a", b"r/\xff"))}
    records.keep_fits(ONE, fits)
    (file,) = records.path.rglob("*.fits")
    content = file.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        for broken in (damaged, content[:place]):
            file.write_bytes(broken)
            assert records.fits(ONE) in ({}, fits)  # a digit of the CRC in the other case is as good
    file.write_bytes(content)
    assert records.fits(ONE) == fits


def test_fits_of_another_rule_are_missing(records: FilesystemMemberRecords) -> None:
    """The results of an older version mean nothing to one with other rules."""
    records.keep_fits(ONE, {OTHER: Compatibility(Agreement.FITS)})
    (file,) = records.path.rglob("*.fits")
    content = file.read_bytes().partition(b"\n")[2].replace(b'"rule": %d' % RULE, b'"rule": 999')
    file.write_bytes(b"%08x\n" % zlib.crc32(content) + content)

    assert records.fits(ONE) == {}


@pytest.mark.parametrize("kind", ["directory", "link", "pipe"])
def test_what_is_no_file_is_missing(records: FilesystemMemberRecords, kind: str) -> None:
    """No link is followed, and opening does not block."""
    publish(records, OTHER, some(3))
    place = records.path / ONE[:2] / ONE
    place.parent.mkdir()
    if kind == "directory":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(only_file(records))
    else:
        os.mkfifo(place)

    with pytest.raises(RecordsMissing):
        records.read(ONE)


@pytest.mark.parametrize("in_the_way", ["members", f"members/{ONE[:2]}", f"members/{ONE[:2]}/{ONE}/x"])
def test_what_cannot_be_kept_is_nobodys_trouble(tmp_path: Path, in_the_way: str) -> None:
    """A file in place of a folder, like a full disk: nothing is raised, nothing is kept or left."""
    records = FilesystemMemberRecords(tmp_path / "members", SequenceIds())
    (tmp_path / in_the_way).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / in_the_way).write_bytes(b"")

    publish(records, ONE, some(4_000))
    records.keep_fits(ONE, {OTHER: Compatibility(Agreement.FITS)})

    with pytest.raises(RecordsMissing):
        records.read(ONE)
    assert list(tmp_path.rglob("*.part")) == []


def test_a_full_disk_is_nobodys_trouble(tmp_path: Path) -> None:
    """Whichever write finds no room: nothing is raised, nothing is kept, and nothing is left."""
    program = """
import json, resource, signal, sys
from pathlib import Path
from tarkeep.adapters.records.record_files import FilesystemMemberRecords
from tarkeep.domain.errors.archives import RecordsMissing
from tests.contracts.member_records import ONE, publish, some
from tests.support.clocks import SequenceIds

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a write beyond the limit fails instead
records, told = FilesystemMemberRecords(Path(sys.argv[1]), SequenceIds()), []
for limit in (0, 10, 5_000, 100_000, 250_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    publish(records, ONE, some(4_000))
    try:
        told.append(len(list(records.read(ONE))))
    except RecordsMissing:
        told.append("missing")
print(json.dumps(told))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "members"], capture_output=True, text=True, check=True, timeout=60
    )

    assert json.loads(done.stdout) == ["missing", "missing", "missing", "missing", 4_000]
    assert list(tmp_path.rglob("*.part")) == []


def test_a_million_members_take_little_memory_and_room(tmp_path: Path) -> None:
    """Walked over, recorded, and read again, in a process of its own, whose peak is measured."""
    program = """
import json, resource, sys
from pathlib import Path
from tarkeep.adapters.records.record_files import FilesystemMemberRecords
from tarkeep.adapters.targz.tar_walk import InspectionLimits, TarWalk
from tests.support.clocks import SequenceIds
from tests.support.tars import END, header

def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

sha256 = "0" * 64
records = FilesystemMemberRecords(Path(sys.argv[1]), SequenceIds())
piece = b"".join(header(b"./directory-%d/" % n, type=b"5") + header(b"./file-%d" % n) * 9 for n in range(100))
before = peak_bytes()
with records.begin() as writer:
    walk = TarWalk(InspectionLimits(), writer.write)
    for _ in range(1_000):
        walk.feed(piece)
    walk.feed(END)
    walk.finish()
    writer.publish(sha256)
recording = peak_bytes() - before
members = sum(1 for _ in records.read(sha256))
directories = sum(1 for _ in records.read(sha256, directories_only=True))
print(json.dumps([members, directories, recording, peak_bytes() - before]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True, timeout=120
    )
    members, directories, recording, reading = json.loads(done.stdout)

    assert (members, directories) == (1_000_000, 100_000)
    assert recording < 16 << 20
    assert reading < 32 << 20
    assert (tmp_path / "00" / ("0" * 64)).stat().st_size < 40 << 20
