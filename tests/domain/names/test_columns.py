"""Names in columns: they agree with the headers of each member, fully parsed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.domain.errors.content import MemberUnreadable
from tarkeep.domain.names.columns import DIRECTORY, HARD_LINK, OTHER, TABLE_MEMBERS, dumpdir_of, listings, named, tables
from tarkeep.domain.tar.dumpdirs import Dumpdir, Mark, Rename, parse_dumpdir, written_dumpdir
from tarkeep.domain.tar.members import Member, MemberRecord, MemberType
from tarkeep.domain.tar.paths import canonical
from tarkeep.domain.tar.read_headers import read_member
from tarkeep.domain.tar.write_headers import as_directory, drop_times, with_mode, with_path
from tests.support import tars
from tests.support.members import records
from tests.support.tars import END, WHOLE, gnu_tar, header, pax


def dumps(place: Path, format: str, seed: int) -> list[bytes]:
    """Two incremental archives of a tree with odd names, the second of which has renames and unchanged files."""
    root = place / "tree"
    tars.write_tree(root, seed)
    (root / ("long" * 40)).mkdir()
    (root / ("long" * 40) / "f\xe4path=x").write_bytes(b"x")
    (root / "plain").write_bytes(b"y")
    (root / "hard").hardlink_to(root / "plain")
    options = [f"--format={format}", f"--listed-incremental={place / 'snapshot'}", "-C", str(place), "tree"]
    first = gnu_tar("--create", "--sparse", *options)
    (root / ("long" * 40)).rename(root / "short")
    (root / "more").write_bytes(b"z")
    return [first, gnu_tar("--create", "--sparse", *options)]


def is_told(record: MemberRecord, member: Member) -> bool:
    letter, path, extra, _ = named(record)
    if path != canonical(member.path):
        return False
    if member.type is MemberType.DIRECTORY:
        listing = dumpdir_of(record.at, extra) if extra else None
        return letter == DIRECTORY and listing == member.listing
    if member.type is MemberType.HARD_LINK:
        return letter == HARD_LINK and extra == canonical(member.link)
    return letter == OTHER and not extra


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_the_names_are_those_of_the_members(name: str) -> None:
    """In every way of writing a tar."""
    for record in records(WHOLE[name][1]):
        assert is_told(record, read_member(record))


@pytest.mark.parametrize("format", ["gnu", "posix"])
@pytest.mark.parametrize("seed", range(3))
def test_listings_are_those_of_the_directories(tmp_path: Path, format: str, seed: int) -> None:
    """With unchanged names and renames, also for names that need a header of their own."""
    for tar in dumps(tmp_path, format, seed):
        found = records(tar)
        members = [read_member(record) for record in found]

        assert all(is_told(record, member) for record, member in zip(found, members, strict=True))
        assert list(listings(tables(found))) == [
            (canonical(member.path), member.listing) for member in members if member.listing is not None
        ]


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("seed", range(20))
def test_broken_headers_give_no_other_name(name: str, seed: int) -> None:
    """What the fast way reads, the full parser reads the same, or refuses."""
    rng = random.Random(seed)
    for record in records(WHOLE[name][1])[:3]:
        headers = bytearray(record.headers[:4_096])
        for _ in range(rng.randrange(1, 6)):
            headers[rng.randrange(len(headers))] = rng.choice((0, 0x30, 0x35, 0x39, 0x44, 0x80, 0xFF, 0x78))
        bad = MemberRecord(
            record.at, bytes(headers[: rng.choice((len(headers), rng.randrange(len(headers) + 1)))]), False
        )
        try:
            member = read_member(bad)
        except MemberUnreadable:
            continue
        assert is_told(bad, member)


def test_a_record_that_looks_like_a_listing_is_not_one() -> None:
    """The value of an attribute may contain anything."""
    decoy = {b"SCHILY.xattr.user.x": b"20 GNU.dumpdir=Yx\0\0\n", b"mtime": b"1.5"}
    for records_of in (decoy, decoy | {b"GNU.dumpdir": b"Ya\0\0"}):
        record = records(pax(records_of) + header(b"d/", 0, b"5") + END)[0]
        assert is_told(record, read_member(record))


def test_a_listing_that_is_malformed_is_found_when_it_is_read() -> None:
    """The name is given all the same. Earlier versions stored such archives; now they are refused."""
    record = MemberRecord(0, pax({b"GNU.dumpdir": b"Ra\0Yb\0\0"}) + header(b"d/", 0, b"5"), True)

    letter, path, extra, _ = named(record)

    assert (letter, path) == (DIRECTORY, b"d")
    with pytest.raises(MemberUnreadable, match="its listing has a rename without its new name"):
        dumpdir_of(record.at, extra)


def test_an_empty_listing_is_a_listing() -> None:
    """A directory without names differs from one without a listing."""
    for tar in (
        pax({b"GNU.dumpdir": b"\0"}) + header(b"d/", 0, b"5"),
        pax({b"GNU.dumpdir": b""}) + header(b"d/", 0, b"5"),
        header(b"d/", 1, b"D") + tars.padded(b"\0"),
        header(b"d/", 0, b"D"),
    ):
        assert list(listings(tables(records(tar + END)))) == [(b"d", Dumpdir({}))]
    assert list(listings(tables(records(header(b"d/", 0, b"5") + END)))) == []


def test_tables_are_of_bounded_length() -> None:
    """However many members they are; each of them once, in order."""
    found = records(b"".join(header(b"f%d" % number) for number in range(TABLE_MEMBERS + 7)) + END)

    lengths = [len(names.paths) for names in tables(found)]

    assert lengths == [TABLE_MEMBERS, 7]
    assert [path for names in tables(found) for path in names.paths] == [b"f%d" % n for n in range(len(found))]


def test_a_written_listing_reads_back_the_same() -> None:
    """With a circle of renames through the temporary name."""
    listing = Dumpdir(
        {b"a": Mark.HERE, b"b": Mark.UNCHANGED, b"c": Mark.DIRECTORY},
        (Rename(b"r/x", b""), Rename(b"r/y", b"r/x"), Rename(b"", b"r/y"), Rename(b"r/p", b"r/q")),
    )

    odd = Dumpdir(
        {}, (Rename(b"", b""), Rename(b"", b"r/y"), Rename(b"r/x", b""), Rename(b"r/z", b""), Rename(b"", b"r/x"))
    )

    assert parse_dumpdir(written_dumpdir(listing)) == listing
    assert parse_dumpdir(written_dumpdir(odd)) == odd
    assert parse_dumpdir(written_dumpdir(Dumpdir({}))) == Dumpdir({})


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_members_that_would_be_written_alike_are_copied(name: str) -> None:
    """The bytes of the tar equal rewritten headers and copied data, except for the order within a pax header."""
    tar = WHOLE[name][1]
    for record in records(tar):
        assert_stands(tar, record)


def assert_stands(tar: bytes, record: MemberRecord) -> None:
    member = read_member(record)
    size = named(record)[3]
    if not size:
        return
    length = member.data_at - record.at
    assert abs(size) == length + (member.stored_bytes + 511 & ~511)
    stands = bytearray(tar[record.at : member.data_at])
    if size < 0:
        drop_times(stands, 0)
    written = with_path(record, member.path)
    if b" path=" in written:  # the name in front of it, and the order of the records, may differ
        again = read_member(MemberRecord(record.at, written, False))
        assert evolve(again, data_at=member.data_at) == member
        assert member.path.decode()
    else:
        assert written == stands


@pytest.mark.parametrize("format", ["gnu", "posix"])
@pytest.mark.parametrize("seed", range(3))
def test_directories_of_dumps_lose_their_listing_and_nothing_else(tmp_path: Path, format: str, seed: int) -> None:
    """Whether the header has times beside the listing, a long name, or nothing else."""
    for tar in dumps(tmp_path, format, seed):
        for record in records(tar):
            if record.is_directory:
                was = read_member(record)
                its = read_member(MemberRecord(0, with_mode(as_directory(record, b"e"), 0o700), True))
                assert (its.path, its.mode, its.listing) == (b"e", was.mode | 0o700, None)
                assert (its.mtime_ns, its.uid, its.gid, its.uname) == (was.mtime_ns, was.uid, was.gid, was.uname)
                assert b"dumpdir" not in as_directory(record, b"e")


def test_nearly_all_members_of_a_dump_are_copied(tmp_path: Path) -> None:
    """Ordinary files and links, with ASCII names short enough for either format, or any names in posix format."""
    for format in ("gnu", "posix"):
        root = tmp_path / format / "tree"
        root.mkdir(parents=True)
        for number in range(20):
            (root / f"file{number}").write_bytes(bytes(number * 100))
        (root / "link").symlink_to("file1")
        if format == "posix":
            (root / "f\xe4ile").write_bytes(b"x")
            (root / ("long" * 40)).write_bytes(bytes(1_000))
        snapshot = root.parent / "snapshot"
        options = [f"--format={format}", f"--listed-incremental={snapshot}", "-C", str(root.parent)]
        tar = gnu_tar("--create", *options, "tree")

        spans = [named(record)[3] for record in records(tar) if not record.is_directory]

        assert len(spans) >= 21
        assert all(spans)
        for record in records(tar):
            assert_stands(tar, record)
