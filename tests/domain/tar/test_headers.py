"""Headers of members: read as GNU tar means them, and written so that every reader finds the same in them."""

from __future__ import annotations

import io
import os
import random
import stat
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.adapters.targz.limits import InspectionLimits
from tarkeep.adapters.targz.tar_walk import TarWalk
from tarkeep.domain.errors.content import MemberUnreadable, NotATar
from tarkeep.domain.tar.dumpdirs import Dumpdir, Mark, Rename, parse_dumpdir
from tarkeep.domain.tar.members import Member, MemberRecord, MemberType
from tarkeep.domain.tar.read_headers import read_member
from tarkeep.domain.tar.write_headers import as_directory, as_hard_link, with_mode, with_path
from tests.support import tars
from tests.support.members import records
from tests.support.tars import BROKEN, END, GNU_MAGIC, NO_MAGIC, WHOLE, gnu_tar, header, member, pax, pax_record

FORMATS = ("gnu", "posix", "oldgnu", "ustar", "v7")


def members(tar: bytes) -> list[Member]:
    return [read_member(record) for record in records(tar)]


def one(tar: bytes) -> Member:
    return members(tar + END)[0]


def put_together(tar: bytes, headers: list[bytes]) -> bytes:
    """*tar* with the headers of its files replaced by *headers*."""
    parts = []
    for found, its in zip(members(tar), headers, strict=True):
        parts += [its, tars.padded(tar[found.data_at : found.data_at + found.stored_bytes])]
    return b"".join(parts) + END


def odd_tree(root: Path, seed: int) -> None:
    """A tree with any names, modes, owners and times that a file system allows."""
    tars.write_tree(root, seed)
    rng = random.Random(seed)
    names = ["\udcff\udcfe", "new\nline", "\xe4" * 60, "\udce4" * 120, "=", "12 path=x\n", "a" * 100, "b" * 99]
    for name in names:
        folder = root / (rng.choice(names) + ".d")
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_bytes(rng.randbytes(rng.randrange(2_000)))
        (folder / (name + ".hard")).hardlink_to(path)
        (folder / (name + ".symbolic")).symlink_to(name * 2)
        path.chmod(rng.choice((0o4755, 0o2700, 0o1777, 0o400, 0)))
        os.utime(path, ns=(0, rng.choice((-(10**18) - 1, -1, 0, 1, 10**18 + 123_456_789, 8 * 10**18))))


def under(root: Path, name: bytes) -> Path:
    return root / os.fsdecode(name)


def in_tree(root: Path) -> list[bytes]:
    """The paths of everything in a tree, the tree itself as the empty path."""
    return [b"", *sorted(os.fsencode(path.relative_to(root)) for path in root.rglob("*"))]


def outline(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Everything in a tree that a restore must give back; hard links as the set of their names."""
    found = {name: under(root, name).lstat() for name in in_tree(root)}
    groups: dict[int, list[bytes]] = {}
    for name, its in found.items():
        groups.setdefault(its.st_ino, []).append(name)
    return {
        name: (
            (its.st_mode, its.st_uid, its.st_gid, its.st_mtime_ns // 1_000_000_000),
            groups[its.st_ino],
            under(root, name).readlink() if stat.S_ISLNK(its.st_mode) else None,
            under(root, name).read_bytes() if stat.S_ISREG(its.st_mode) else None,
        )
        for name, its in found.items()
    }


# -- reading what GNU tar writes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["gnu", "posix"])
@pytest.mark.parametrize("is_incremental", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_members_are_what_was_in_the_tree(tmp_path: Path, format: str, seed: int, is_incremental: bool) -> None:
    """Names byte for byte, types, modes, owners, sizes, times, links, and the place of each file's bytes."""
    root = tmp_path / "tree"
    odd_tree(root, seed)
    options = [f"--listed-incremental={tmp_path / 'snapshot'}"] if is_incremental else []

    tar = gnu_tar("--create", f"--format={format}", "--sparse", *options, "-C", root, ".")
    found = members(tar)

    assert sorted(its.path for its in found) == in_tree(root)
    for its in found:
        path = under(root, its.path)
        was = path.lstat()
        assert (its.mode, its.uid, its.gid) == (stat.S_IMODE(was.st_mode), was.st_uid, was.st_gid)
        assert its.mtime_ns == (was.st_mtime_ns if format == "posix" else was.st_mtime_ns // 10**9 * 10**9)
        match its.type:
            case MemberType.FILE:
                assert its.size_bytes == was.st_size
                stored = tar[its.data_at : its.data_at + its.stored_bytes]
                assert its.is_sparse or stored == path.read_bytes()
            case MemberType.SYMLINK:
                assert os.fsdecode(its.link) == str(path.readlink())
            case MemberType.HARD_LINK:
                assert under(root, its.link).samefile(path)
            case MemberType.DIRECTORY if is_incremental:
                assert its.listing is not None
                assert its.listing.names == {
                    os.fsencode(inner.name): Mark.DIRECTORY if stat.S_ISDIR(inner.lstat().st_mode) else Mark.HERE
                    for inner in path.iterdir()
                }


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_the_same_members(tmp_path: Path, format: str) -> None:
    """For names that each of them can hold."""
    root = tmp_path / "tree"
    (root / ("d" * 60)).mkdir(parents=True)
    (root / ("d" * 60) / ("f" * 30)).write_bytes(b"content")
    (root / "link").symlink_to("target")

    found = members(gnu_tar("--create", f"--format={format}", "-C", root, "."))

    assert {(its.path, its.type, its.size_bytes, its.link) for its in found} == {
        (b"", MemberType.DIRECTORY, 0, b""),
        (b"d" * 60, MemberType.DIRECTORY, 0, b""),
        (b"d" * 60 + b"/" + b"f" * 30, MemberType.FILE, 7, b""),
        (b"link", MemberType.SYMLINK, 0, b"target"),
    }


def test_a_prefix_is_joined_in_ustar_only(tmp_path: Path) -> None:
    """GNU tar has times at that place, which would change the name."""
    path = tmp_path / ("d" * 90) / ("f" * 90)
    path.parent.mkdir()
    path.write_bytes(b"")

    tar = gnu_tar("--create", "--format=ustar", "-C", tmp_path, path.relative_to(tmp_path))

    assert one(tar).path == b"d" * 90 + b"/" + b"f" * 90
    assert one(header(magic=GNU_MAGIC, patch=(345, b"14524770000\0" * 2))).path == b"file"


@pytest.mark.parametrize("format", ["gnu", "posix"])
def test_renames_are_in_order(tmp_path: Path, format: str) -> None:
    """A cycle of three, a move, and a move out of a moved directory: carried out in this order, all names fit."""
    root, snapshot = tmp_path / "tree", tmp_path / "snapshot"
    for name in ("a", "b", "c", "d/sub", "gone"):
        (root / name).mkdir(parents=True)
        (root / name / ("in-" + name.replace("/", "-"))).write_bytes(b"x")
    create: list[str | Path] = ["--create", f"--format={format}", f"--listed-incremental={snapshot}", "-C", root, "."]
    before = _tree_of(members(gnu_tar(*create)))
    (root / "a").rename(root / "t")
    (root / "c").rename(root / "a")
    (root / "b").rename(root / "c")
    (root / "t").rename(root / "b")
    (root / "d").rename(root / "e")
    (root / "new").mkdir()
    (root / "e" / "sub").rename(root / "new" / "sub")
    (root / "gone" / "in-gone").unlink()
    (root / "gone").rmdir()

    found = members(gnu_tar(*create))

    renames = [rename for its in found if its.listing for rename in its.listing.renames]
    assert found[0].listing is not None
    assert renames == list(found[0].listing.renames)
    assert Rename(b"c", b"") in renames
    assert Rename(b"", b"a") in renames
    after = _tree_of(found)
    # A directory with a temporary name is not in the way of any other.
    for rename in (Rename(rename.old or b"*", rename.new or b"*") for rename in renames):
        before = {_moved(path, rename): content for path, content in before.items()}
    assert {path for path in before if path in after} == set(after) - {b"new"}


def _tree_of(found: list[Member]) -> dict[bytes, frozenset[bytes]]:
    return {its.path: frozenset(its.listing.names) for its in found if its.listing is not None}


def _moved(path: bytes, rename: Rename) -> bytes:
    if path == rename.old or path.startswith(rename.old + b"/"):
        return rename.new + path[len(rename.old) :]
    return path


def test_unchanged_names_are_marked(tmp_path: Path) -> None:
    """A name unchanged since the dump before, a new one, and a directory."""
    (tmp_path / "tree" / "folder").mkdir(parents=True)
    (tmp_path / "tree" / "old").write_bytes(b"old")
    create: list[str | Path] = ["--create", f"--listed-incremental={tmp_path / 'snapshot'}", "-C", tmp_path, "tree"]
    # tar takes a file for changed while it is as young as the dump before it, so several dumps may be needed.
    while b"Nold\0" not in gnu_tar(*create):
        pass
    (tmp_path / "tree" / "new").write_bytes(b"new")

    top = members(gnu_tar(*create))[0]

    assert top.path == b"tree"
    assert top.listing == Dumpdir({b"folder": Mark.DIRECTORY, b"new": Mark.HERE, b"old": Mark.UNCHANGED})


@pytest.mark.parametrize(
    "options", [["--format=gnu"], *(["--format=posix", f"--sparse-version={n}"] for n in ("0.0", "0.1", "1.0"))]
)
def test_sparse_files_have_the_size_of_the_file(tmp_path: Path, options: list[str]) -> None:
    """With more holes than fit the first header; the next member is found behind the stored bytes."""
    with (tmp_path / "holes").open("wb") as file:
        for number in range(200):
            file.seek(number * 16_384)
            file.write(b"data")
    (tmp_path / "last").write_bytes(b"last")

    tar = gnu_tar("--create", "--sparse", *options, "-C", tmp_path, "holes", "last")
    holes, last = members(tar)

    assert (holes.path, holes.type, holes.size_bytes) == (b"holes", MemberType.FILE, 199 * 16_384 + 4)
    assert (holes.is_sparse, last.is_sparse) == (True, False)
    assert 800 < holes.stored_bytes < 1_000_000
    assert last.at >= holes.data_at + holes.stored_bytes
    assert tar[last.data_at : last.data_at + 4] == b"last"


def test_devices_have_numbers() -> None:
    """Only character and block devices have numbers."""
    patch = (329, b"0000005\0" + b"0000021\0")

    assert one(header(type=b"3", patch=patch)).device == (5, 17)
    assert one(header(type=b"4", patch=patch)).device == (5, 17)
    assert one(header(type=b"0", patch=patch)).device is None


# -- reading what other archivers write ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"a", b"a"),
        (b"a/", b"a"),
        (b"a//", b"a"),
        (b"./a", b"a"),
        (b".//a/./b", b"a/./b"),
        (b"././a", b"a"),
        (b".", b""),
        (b"./", b""),
        (b"/", b"/"),
        (b"/a/", b"/a"),
        (b".a", b".a"),
        (b"..", b".."),
        (b"../a", b"../a"),
        (b"\xff/\xfe", b"\xff/\xfe"),
        (b"n" * 100, b"n" * 100),
    ],
)
def test_one_name_is_spelt_in_one_way(name: bytes, path: bytes) -> None:
    """Redundant spelling is stripped; everything else stays as it is."""
    assert one(header(name)).path == path
    assert one(pax({b"path": name}) + header()).path == path
    assert one(tars.long_name(name) + header()).path == path
    assert one(header(b"x", type=b"1", patch=(157, name))).link == path
    assert one(header(b"x", type=b"2", patch=(157, name))).link == name


def test_pax_records_override_headers() -> None:
    """Each record about the member does, unless it cannot be read."""
    said = {
        b"path": b"p" * 200,
        b"linkpath": b"l" * 200,
        b"uid": b"4000000000",
        b"gid": b"-2",
        b"uname": b"\xc3\xa4",
        b"gname": b"g" * 50,
        b"mtime": b"-1.5",
    }
    its = one(pax(said) + header(type=b"2"))

    assert (its.path, its.link, its.uid, its.gid) == (b"p" * 200, b"l" * 200, 4_000_000_000, -2)
    assert (its.uname, its.gname, its.mtime_ns) == (b"\xc3\xa4", b"g" * 50, -1_500_000_000)
    assert one(pax({b"mtime": b"1e-05", b"uid": b"none"}) + header(mtime=7)).mtime_ns == 7_000_000_000
    assert one(pax({b"uid": b"none"}) + header()).uid == 0o1750
    assert one(pax({b"mtime": b"5.1234567891"}) + header()).mtime_ns == 5_123_456_789


def test_a_pax_size_counts() -> None:
    """The size in the header is then 0, or what its field can hold."""
    tar = pax({b"size": b"600"}) + header(size=0) + bytes(1024) + member(b"next") + END

    assert [(its.path, its.stored_bytes) for its in members(tar)] == [(b"file", 600), (b"next", 0)]


def test_a_global_header_holds_for_all_behind_it() -> None:
    """Until another global header; a member's own records count more. A comment applies to no member."""
    tar = (
        pax({b"comment": b"by git"}, b"g")
        + member(b"a")
        + pax({b"uname": b"all", b"uid": b"5"}, b"g")
        + member(b"b")
        + pax({b"uid": b"6"})
        + header(b"c", 3)
        + tars.padded(b"ccc")
        + pax({b"uname": b"more"}, b"g")
        + member(b"d", b"d")
        + END
    )
    found = records(tar)

    assert [read_member(record).uname for record in found] == [b"", b"all", b"all", b"more"]
    assert [read_member(record).uid for record in found] == [0o1750, 5, 6, 5]
    assert [read_member(record).data_at for record in found] == [
        tar.index(b"a\0") + 512,
        tar.index(b"b\0" + bytes(50)) + 512,
        tar.index(b"ccc"),
        tar.index(tars.padded(b"d"), len(tar) - len(END) - 512),
    ]
    assert found[0].headers == member(b"a")


def test_numbers_beyond_octal_are_read() -> None:
    """Base 256 for large and negative ones; text that is not a number is 0."""
    assert one(header(mtime=tars.base256(1 << 40))).mtime_ns == (1 << 40) * 1_000_000_000
    assert one(header(mtime=tars.base256(-9))).mtime_ns == -9_000_000_000
    assert one(header(patch=(108, b"\x80\0\0\0\xff\xff\xff\xff"))).uid == 0xFFFF_FFFF
    assert one(header(patch=(108, b"  644 \0\0"))).uid == 0o644
    assert one(header(patch=(108, b"nothing\0"))).uid == 0


@pytest.mark.parametrize(
    ("letter", "name", "type"),
    [
        (b"0", b"f", MemberType.FILE),
        (b"\0", b"f", MemberType.FILE),
        (b"7", b"f", MemberType.FILE),
        (b"Z", b"f", MemberType.FILE),
        (b"0", b"f/", MemberType.DIRECTORY),
        (b"\0", b"f/", MemberType.DIRECTORY),
        (b"5", b"f", MemberType.DIRECTORY),
        (b"6", b"f", MemberType.FIFO),
    ],
)
def test_types_are_what_gnu_tar_makes_of_them(letter: bytes, name: bytes, type: MemberType) -> None:
    """Unknown types become files, and a slash at the end of a name makes a directory, as in tars without types."""
    assert one(header(name, type=letter, magic=NO_MAGIC)).type is type


@pytest.mark.parametrize("name", WHOLE)
def test_every_tar_of_the_corpus_can_be_read(name: str) -> None:
    """Every member of the corpus, with the place of its data, and no byte is lost."""
    count, tar = WHOLE[name]
    found = records(tar)

    assert len(found) == count
    position = 0
    for record in found:
        its = read_member(record)
        assert its.at == record.at >= position
        assert record.headers.endswith(tar[its.at : its.data_at])
        position = its.data_at + its.stored_bytes
    assert position <= len(tar)


@given(seed=st.integers(0, 1 << 32), name=st.sampled_from(sorted(WHOLE)), flips=st.integers(1, 12))
@settings(max_examples=400, deadline=None)
def test_hostile_headers_are_read_or_refused(seed: int, name: str, flips: int) -> None:
    """Any bytes give a member or the one error, without delay."""
    rng = random.Random(seed)
    for record in records(WHOLE[name][1])[:3]:
        headers = bytearray(record.headers[:4_096])
        for _ in range(flips):
            headers[rng.randrange(len(headers))] = rng.choice((0, 0x30, 0x39, 0x80, 0xFF, rng.randrange(256)))
        bad = MemberRecord(record.at, bytes(headers[: rng.randrange(len(headers) + 1)]), record.is_directory)
        for act in (
            lambda bad=bad: read_member(bad),
            lambda bad=bad: with_path(bad, b"p"),
            lambda bad=bad: as_directory(bad, b"p"),
        ):
            try:
                act()
            except MemberUnreadable:
                continue


@pytest.mark.parametrize("name", BROKEN)
def test_records_of_a_broken_tar_can_be_read(name: str) -> None:
    """Members in front of the damage are as good as others."""
    found: list[MemberRecord] = []
    walk = TarWalk(InspectionLimits(), found.extend)
    with suppress(NotATar):
        walk.feed(BROKEN[name])

    for record in found:
        assert read_member(record).at == record.at


# -- listings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dumpdir", "listing"),
    [
        (b"", Dumpdir({})),
        (b"\0", Dumpdir({})),
        (b"Ya\0\0", Dumpdir({b"a": Mark.HERE})),
        (b"Ya\0", Dumpdir({b"a": Mark.HERE})),
        (b"Ya\0Nb\0Dc\0\0", Dumpdir({b"a": Mark.HERE, b"b": Mark.UNCHANGED, b"c": Mark.DIRECTORY})),
        (b"Ya\0\0Nb\0\0", Dumpdir({b"a": Mark.HERE})),
        (b"\0Nb\0\0", Dumpdir({})),
        (b"Na\0Ya\0\0", Dumpdir({b"a": Mark.HERE})),
        (b"?a\0Y\xff\0\0", Dumpdir({b"\xff": Mark.HERE})),
        (b"Ya\0N..\0Y.\0D\0Da/b\0N/c\0\0", Dumpdir({b"a": Mark.HERE})),
        (b"D../x\0Ra\0Tb\0N..\0Yc\0\0", Dumpdir({b"c": Mark.HERE}, (Rename(b"a", b"b"),))),
        (b"R./a\0T./b\0\0", Dumpdir({}, (Rename(b"a", b"b"),))),
        (b"Da\0Rx/a\0Tx/b\0Nz\0\0", Dumpdir({b"a": Mark.DIRECTORY, b"z": Mark.UNCHANGED}, (Rename(b"x/a", b"x/b"),))),
        (b"X.\0Ra\0T\0Rb\0Ta\0R\0Tb\0\0", Dumpdir({}, (Rename(b"a", b""), Rename(b"b", b"a"), Rename(b"", b"b")))),
        (
            b"X\0Ra\0T\0R\0Tb\0X\0Rc\0T\0R\0Td\0\0",
            Dumpdir({}, (Rename(b"a", b""), Rename(b"", b"b"), Rename(b"c", b""), Rename(b"", b"d"))),
        ),
    ],
)
def test_a_listing_is_read(dumpdir: bytes, listing: Dumpdir) -> None:
    """Records up to the empty one; unknown letters and impossible names are skipped."""
    assert parse_dumpdir(dumpdir) == listing


@pytest.mark.parametrize(
    "dumpdir",
    [b"Ra\0\0", b"Ra\0Yb\0\0", b"Ta\0\0", b"R\0Ta\0\0", b"Ra\0T\0\0", b"X\0X\0\0", b"X\0Ra\0T\0R\0Tb\0R\0Tc\0\0"],
)
def test_renames_that_gnu_tar_refuses_are_refused(dumpdir: bytes) -> None:
    """GNU tar then carries out none of them and removes nothing, so the tree would not be what the archive says."""
    with pytest.raises(ValueError, match="name"):
        parse_dumpdir(dumpdir)
    with pytest.raises(NotATar, match="listing"):
        one(header(b"d/", len(dumpdir), b"D") + tars.padded(dumpdir))
    with pytest.raises(NotATar, match="listing"):
        one(pax({b"GNU.dumpdir": dumpdir}) + header(b"d/", 0, b"5"))


# -- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["gnu", "posix"])
@pytest.mark.parametrize("is_incremental", [False, True])
@pytest.mark.parametrize(("seed", "folder"), [(0, b"short"), (1, b"\xc3\xb6/" + b"long" * 30), (2, b"\xff")])
def test_members_under_new_names_extract_like_the_tree(
    tmp_path: Path, format: str, seed: int, folder: bytes, is_incremental: bool
) -> None:
    """Everything except the names is unchanged, for GNU tar without special options and for Python."""
    root, target = tmp_path / "tree", tmp_path / "target"
    odd_tree(root, seed)
    target.mkdir()
    options = [f"--listed-incremental={tmp_path / 'snapshot'}"] if is_incremental else []
    expected = outline(root)
    tar = gnu_tar("--create", f"--format={format}", "--sparse", *options, "-C", root, ".")

    def renamed(path: bytes) -> bytes:
        return folder + b"/" + path if path else folder

    ordinary = put_together(
        tar,
        [
            with_path(record, renamed(its.path), renamed(its.link) if its.type is MemberType.HARD_LINK else None)
            for record, its in zip(records(tar), members(tar), strict=True)
        ],
    )
    # Directory times are delayed, because the members of an incremental dump are not in the order of a tree.
    options = ["--extract", "--preserve-permissions", "--delay-directory-restore"]
    gnu_tar(*options, "--file=-", "-C", target, stdin=ordinary)

    assert outline(under(target, folder)) == expected
    with tarfile.open(fileobj=io.BytesIO(ordinary), encoding="utf-8", errors="surrogateescape") as opened:
        assert sorted(os.fsencode(info.name) for info in opened) == sorted(renamed(path) for path in expected)
    assert sorted(its.path for its in members(ordinary)) == sorted(renamed(path) for path in expected)
    assert all(its.listing is None for its in members(ordinary))


PATHS = [
    b"",
    b"p",
    b"d/p",
    b"n" * 99,
    b"n" * 100,
    b"n" * 101,
    b"\xc3\xa4",
    b"\xc3\xa4" * 80,
    b"\xff",
    b"\xff" * 101,
    b"x\ny",
]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("path", PATHS)
def test_another_name_is_all_that_changes(name: str, path: bytes) -> None:
    """For every member of the corpus; and the written headers make no false claim about its data."""
    for record in records(WHOLE[name][1]):
        before = read_member(record)
        headers = with_path(record, path)
        after = read_member(MemberRecord(7_000, headers, record.is_directory))

        assert after.path == path
        assert after.data_at == 7_000 + len(headers)
        assert (after.type, after.mode, after.uid, after.gid) == (before.type, before.mode, before.uid, before.gid)
        assert (after.mtime_ns, after.link, after.device) == (before.mtime_ns, before.link, before.device)
        assert (after.size_bytes, after.stored_bytes) == (before.size_bytes, before.stored_bytes)
        assert after.listing is None
        assert members(headers + bytes(after.stored_bytes + 511 & ~511) + END)[0].path == path


@pytest.mark.parametrize("path", PATHS[1:])
def test_links_get_their_new_target(path: bytes) -> None:
    """Hard and symbolic ones, however long and odd the target."""
    for letter in (b"1", b"2"):
        record = records(header(type=letter, patch=(157, b"old")) + END)[0]

        headers = with_path(record, b"name", path)

        with tarfile.open(fileobj=io.BytesIO(headers + END), encoding="utf-8", errors="surrogateescape") as opened:
            assert os.fsencode(opened.getmembers()[0].linkname) == path
        assert read_member(MemberRecord(0, headers, False)).link == path


@pytest.mark.parametrize("letter", [b"0", b"5", b"2", b"S"])
def test_times_of_gnu_tar_do_not_stay_in_the_prefix(letter: bytes) -> None:
    """Readers that do not know them would join them to the name, as Python does."""
    times = b"14524770000\0" * 2
    record = records(header(b"f", type=letter, magic=GNU_MAGIC, patch=(345, times)) + END)[0]

    for headers in (with_path(record, b"name"), with_path(record, b"n" * 120), with_path(record, b"name", b"link")):
        assert times not in headers


def test_attributes_survive_another_name() -> None:
    """Unknown pax records are written as they were read."""
    attributes = pax_record(b"SCHILY.xattr.user.k", bytes(range(256)))
    record = records(pax(pax_record(b"path", b"old" * 50) + attributes) + member() + END)[0]

    headers = with_path(record, b"new")

    assert attributes in headers
    assert b"old" not in headers


def test_a_directory_can_be_made_of_any_record() -> None:
    """Without a listing, with the given bits of the mode."""
    dumped = header(b"d/", 5, b"D", magic=GNU_MAGIC, patch=(345, b"14524770000\0" * 2)) + tars.padded(b"Ya\0\0")
    listed = pax({b"GNU.dumpdir": b"Ya\0\0", b"mtime": b"1.5"}) + header(b"d/", 0, b"5")
    for tar in (dumped, listed, member(content=b"x"), tars.sparse_gnu(b"x", 3)):
        record = records(tar + END)[0]

        headers = with_mode(as_directory(record, b"e"), 0o2700)

        its = read_member(MemberRecord(0, headers, True))
        before = read_member(record)
        assert (its.path, its.type, its.mode) == (b"e", MemberType.DIRECTORY, before.mode | 0o2700)
        assert its.mtime_ns == before.mtime_ns
        assert (its.uid, its.listing, its.stored_bytes) == (0o1750, None, 0)
        assert b"dumpdir" not in headers
        with tarfile.open(fileobj=io.BytesIO(headers + END)) as opened:
            info = opened.getmembers()[0]
        assert (info.name, info.isdir(), info.mode) == ("e", True, before.mode | 0o2700)


def test_a_directory_keeps_mode_and_time_if_none_are_given() -> None:
    """To the nanosecond if it has them."""
    record = records(pax({b"mtime": b"9.123456789"}) + header(b"d/", 0, b"5") + END)[0]

    its = read_member(MemberRecord(0, as_directory(record, b"e"), True))

    assert (its.mode, its.mtime_ns) == (0o644, 9_123_456_789)


@pytest.mark.parametrize("target", PATHS[1:])
def test_a_hard_link_can_be_made_of_any_file(tmp_path: Path, target: bytes) -> None:
    """It has no data, whatever the file had."""
    first = records(member(b"f", b"content") + END)[0]
    path = with_path(first, target)
    for tar in (member(content=b"x"), tars.sparse_gnu(b"x", 3), pax({b"size": b"600"}) + header() + bytes(1024)):
        link = as_hard_link(records(tar + END)[0], b"link", target)
        found = members(path + tars.padded(b"content") + link + END)

        assert [(its.path, its.type, its.link, its.stored_bytes) for its in found] == [
            (target, MemberType.FILE, b"", 7),
            (b"link", MemberType.HARD_LINK, target, 0),
        ]
        if b"/" not in target:
            folder = tmp_path / str(len(tar)) / str(tar[156])
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["tar", "-x", "-C", folder], input=path + tars.padded(b"content") + link + END, check=True)
            assert under(folder, target).samefile(folder / "link")


@pytest.mark.parametrize(
    "headers",
    [header(b"d/\0dirt", 1000, b"0"), header(b"", 1000, b"0", patch=(345, b"d"))],
    ids=["with garbage behind it", "all in the prefix"],
)
def test_what_is_read_as_a_directory_is_written_as_one(headers: bytes) -> None:
    """A slash at the end makes it one, also before a NUL or between prefix and empty name; then no data follow."""
    record = MemberRecord(0, headers, False)

    written = read_member(MemberRecord(0, with_path(record, b"e"), False))

    assert read_member(record).type is MemberType.DIRECTORY
    assert (written.type, written.path, written.stored_bytes) == (MemberType.DIRECTORY, b"e", 0)
