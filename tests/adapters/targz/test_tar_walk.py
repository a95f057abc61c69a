"""The walk over tar headers: cut at any position, its result is the same, and it ignores what it skips."""

from __future__ import annotations

import subprocess
import tarfile
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.adapters.targz.limits import InspectionLimits
from tarkeep.adapters.targz.tar_walk import TarWalk
from tarkeep.domain.archives.archive import AfterEnd
from tarkeep.domain.errors.content import ExpandsTooFar, NotATar
from tarkeep.domain.ports.inspection import Recorder
from tarkeep.domain.tar.members import MemberRecord, MemberType
from tarkeep.domain.tar.read_headers import read_member
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.support import tars
from tests.support.tars import BROKEN, END, GNU_MAGIC, WHOLE, header, member, pax, pax_record, with_tarfile

CORPUS = {
    **{name: tar for name, (_, tar) in WHOLE.items()},
    **BROKEN,
    **{f"tarfile {format}": with_tarfile(format) for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)},
}


def walk(*pieces: bytes) -> tuple[int, bool, int | None]:
    tar = TarWalk(InspectionLimits())
    for piece in pieces:
        tar.feed(piece)
    tar.finish()
    return tar.members, tar.incremental, tar.newest_mtime


def outcome(*pieces: bytes, recorder: Recorder | None = None) -> object:
    tar = TarWalk(InspectionLimits(), recorder)
    try:
        for piece in pieces:
            tar.feed(piece)
        tar.finish()
    except TarkeepError as error:
        return repr(error)
    return tar.members, tar.incremental, tar.newest_mtime, tar.listed, tar.unchanged, tar.roots, tar.after_end


def recorded(*pieces: bytes) -> list[MemberRecord]:
    found: list[MemberRecord] = []
    outcome(*pieces, recorder=found.extend)
    return found


def cut(tar: bytes, size: int) -> list[bytes]:
    return [tar[at : at + size] for at in range(0, len(tar), size)]


@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 700])
@pytest.mark.parametrize("name", CORPUS)
def test_pieces_of_any_size_tell_the_same(name: str, size: int) -> None:
    """The outcome, offset and reason included, is that of the tar in one piece."""
    tar = CORPUS[name][:20_000] if size < 500 else CORPUS[name]

    assert outcome(*cut(tar, size)) == outcome(tar)
    assert recorded(*cut(tar, size)) == recorded(tar)


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_found_does_not_depend_on_recording(name: str) -> None:
    """An archive is neither refused nor described otherwise because its members are recorded."""
    assert outcome(CORPUS[name], recorder=list[MemberRecord]().extend) == outcome(CORPUS[name])


@pytest.mark.parametrize("name", WHOLE)
def test_records_are_the_tar_without_contents(name: str) -> None:
    """Every byte before the end is in a record, or is content of a file, a label, or a header for all members."""
    members, tar = WHOLE[name]
    found = recorded(tar)

    assert len(found) == members
    position = 0
    for record in found:
        assert record.at >= position
        own = record.headers[record.headers.rfind(tar[record.at : record.at + 512]) :]
        assert len(own) % 512 == 0
        assert tar[record.at : record.at + len(own)] == own
        position = record.at + len(own)


@pytest.mark.parametrize("size", [100, 512, 1 << 20])
def test_headers_are_recorded_whole(size: int) -> None:
    """Extension headers with their data, sparse maps, and the listing of a directory; content is not."""
    listing = tars.padded(b"Yname\0" * 200 + b"\0")
    tars_of_one = {
        "plain": member(),
        "long names": tars.long_name(b"n" * 700) + tars.long_name(b"l" * 300, b"K") + member(),
        "pax": pax({b"path": b"p" * 2_000, b"SCHILY.xattr.user.x": b"v" * 5_000}) + header(b"x", type=b"2"),
        "times": pax({b"mtime": b"1600000000.5"}) + member(),
        "all": pax({b"uname": b"u"}) + tars.long_name(b"n" * 700) + member(),
        "listing": header(b"d/", 1_201, b"D") + listing,
        "pax listing": pax({b"GNU.dumpdir": listing}) + header(b"d/", 0, b"5"),
        "sparse": tars.sparse_gnu(b"", 5),
        "empty listing": header(b"d/", 0, b"D"),
    }
    tar = b"".join(it + member(b"between", b"content" * 100) for it in tars_of_one.values()) + END

    found = recorded(*cut(tar, size))

    assert [record.headers for record in found[::2]] == list(tars_of_one.values())
    assert all(record.headers == member(b"between", b"content" * 100)[:512] for record in found[1::2])
    assert [tar[record.at :].startswith(record.headers) for record in found] == [True] * len(found)
    directories = ["listing", "pax listing", "empty listing"]
    assert [name for name, record in zip(tars_of_one, found[::2], strict=True) if record.is_directory] == directories


@pytest.mark.parametrize("type", [b"0", b"\0", b"7"])
@pytest.mark.parametrize("size", [100, 512, 1 << 20])
def test_directories_of_before_ustar_are_told_by_their_slash(type: bytes, size: int) -> None:
    """Wherever the effective name is."""
    directories = [
        header(b"d/", type=type),
        tars.long_name(b"n" * 200 + b"/") + header(b"n" * 100, type=type),
        pax({b"path": b"p" * 200 + b"/"}) + header(b"p" * 100, type=type),
        pax({b"mtime": b"1"}) + header(b"d/", type=type),
        header(b"n" * 99 + b"/", type=type),
        pax({b"mtime": b"1"}) + header(b"n" * 99 + b"/", type=type),
        header(b"", type=type, patch=(345, b"prefix")),
        header(b"d/", 5, type) + tars.padded(b"d/ \0/"),
    ]
    files = [
        header(b"d", type=type),
        tars.long_name(b"n" * 200) + header(b"n/", type=type),
        pax({b"path": b"p" * 200}) + header(b"p/", type=type),
        header(b"d/", type=b"2"),
        header(b"n" * 100, type=type),
        pax({b"mtime": b"1"}) + header(b"n" * 100, type=type),
        header(b"f", type=type, patch=(345, b"prefix/")),
        header(b"f", 5, type) + tars.padded(b"d/ \0/"),
    ]

    found = recorded(*cut(b"".join(map(bytes.__add__, directories, files)) + END, size))

    assert [record.is_directory for record in found] == [True, False] * 8
    assert [read_member(record).type is MemberType.DIRECTORY for record in found] == [True, False] * 8


BEHIND: dict[str, tuple[bytes, AfterEnd | None]] = {
    "nothing": (b"", None),
    "padding": (bytes(9 * 512), None),
    "half a block of it": (bytes(100), None),
    "a tar": (member(b"b", b"x") + END, AfterEnd(1024 + len(END), is_tar=True)),
    "padding and a tar": (bytes(7 * 512) + header(b"b") + END, AfterEnd(512 + len(END), is_tar=True)),
    "a tar that is cut": (header(b"b")[:300], AfterEnd(300, is_tar=False)),
    "dirt": (b"dirt" * 300, AfterEnd(1200, is_tar=False)),
    "dirt in the middle of a block": (bytes(700) + b"dirt", AfterEnd(192, is_tar=False)),
    "a tar that is out of step": (bytes(100) + header(b"b") + END, AfterEnd(612 + len(END), is_tar=False)),
}


@pytest.mark.parametrize("size", [1, 100, 511, 512, 513, 1 << 20])
@pytest.mark.parametrize("name", BEHIND)
def test_what_follows_the_end_is_told_and_has_no_members(name: str, size: int) -> None:
    """In whole blocks from the first that is not all zeros, whether it is a tar or not."""
    behind, told = BEHIND[name]
    tar = TarWalk(InspectionLimits())
    for piece in cut(member(b"a", b"content") + bytes(512) + behind, size):
        tar.feed(piece)
    tar.finish()

    assert (tar.members, tar.after_end) == (1, told)


def test_a_global_header_is_recorded_with_every_member_behind_it() -> None:
    """Before its own headers, and not counted among them; one that says nothing about members is not recorded."""
    comment, said = pax({b"comment": b"c"}, b"g"), pax({b"uname": b"u"}, b"g")
    between = pax({b"gname": b"g"}) + said + header(b"c")
    tar = comment + header(b"a") + said + header(b"b") + between + header(b"d") + END

    found = recorded(tar)

    assert [record.headers for record in found] == [
        header(b"a"),
        said + header(b"b"),
        said + between,
        said + said + header(b"d"),
    ]
    assert [tar[record.at : record.at + 512] for record in found] == [
        header(b"a"),
        header(b"b"),
        between[:512],
        header(b"d"),
    ]


@pytest.mark.parametrize(
    ("limits", "tar"),
    [
        ({"max_header_bytes": 1_535}, header(b"d/", 513, b"D") + bytes(1024) + END),
        ({"max_header_bytes": 1_535}, pax({b"GNU.dumpdir": b"Y" * 200}) + header(b"d/", 0, b"5") + END),
        ({"max_header_bytes": 1_535}, tars.sparse_gnu(b"", 2) + END),
        ({"max_header_bytes": 2_559}, tars.long_name(b"n") + tars.long_name(b"l", b"K") + member() + END),
        ({"max_global_bytes": 2_047}, pax({b"uname": b"u"}, b"g") * 2 + member() + END),
    ],
)
@pytest.mark.parametrize("size", [100, 1 << 20])
@pytest.mark.parametrize("recorder", [None, list[MemberRecord]().extend])
def test_what_is_held_of_one_member_is_limited(
    limits: dict[str, int], tar: bytes, size: int, recorder: Recorder | None
) -> None:
    """The limit is named, whether members are recorded or not; one byte more is allowed."""

    def feed_all(more: int) -> None:
        limited = InspectionLimits(**{name: limit + more for name, limit in limits.items()})
        walk = TarWalk(limited, recorder)
        for piece in cut(tar, size):
            walk.feed(piece)

    with pytest.raises(ExpandsTooFar) as caught:
        feed_all(0)
    feed_all(1)

    assert {caught.value.setting: caught.value.limit} == limits


def test_a_comment_for_all_may_be_long() -> None:
    """It is not held, since it says nothing about members."""
    assert walk(pax({b"comment": b"c" * 100_000}, b"g") + member() + END)[0] == 1


@pytest.mark.parametrize("recorder", [None, list[MemberRecord]().extend])
def test_a_huge_listing_is_held_once_and_not_without_a_recorder(recorder: Recorder | None) -> None:
    """With a million names; joining its pieces takes the same memory again for a moment."""
    listing = b"Na-name-of-some-length\0" * 8_192
    tar = TarWalk(InspectionLimits(), recorder)
    tracemalloc.start()
    try:
        tar.feed(header(b"d/", len(listing) * 128, b"D"))
        for _ in range(128):
            tar.feed(bytes(bytearray(listing)))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert tar.members == 1
    assert peak_bytes < (2.1 * 128 if recorder is not None else 3) * len(listing)


# -- unchanged names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dumpdir", "has_unchanged"),
    [
        (b"", False),
        (b"\0", False),
        (b"Nname\0\0", True),
        (b"Yname\0Nname\0\0", True),
        (b"YN\0DN\0\0", False),
        (b"Yname\0\0Nname\0\0", False),
        (b"\0Nname\0\0", False),
        (b"RN\0TN\0\0", False),
        (b"X\0RN\0T\0R\0TN\0Nname\0\0", True),
        (b"Y" + b"y" * 2_000 + b"\0Nname\0\0", True),
        (b"Ya\0" * 700 + b"Nname\0\0", True),
        (b"Ya\0" * 700 + b"\0Nname\0\0", False),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 511, 700, 1 << 20])
def test_a_name_that_is_unchanged_is_noticed(dumpdir: bytes, has_unchanged: bool, size: int) -> None:
    """In both encodings of listings, however they are cut, and only in records of the listing."""
    for tar in (
        header(b"d/", len(dumpdir), b"D") + tars.padded(dumpdir),
        pax({b"GNU.dumpdir": dumpdir}) + header(b"d/", 0, b"5"),
        pax({b"SCHILY.xattr.user.x": b"v" * 3_000, b"GNU.dumpdir": dumpdir}) + header(b"d/", 0, b"5"),
    ):
        walk = TarWalk(InspectionLimits())
        for piece in cut(tar + member(b"Nname\0\0Nname") + END, size):
            walk.feed(piece)

        assert (walk.unchanged > 0, walk.incremental) == (has_unchanged, True)


# -- roots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tar", "roots"),
    [
        (END, []),
        (member(b"a/b") + member(b"a/c") + member(b"a"), [b"a"]),
        (header(b"a/", type=b"5") + member(b"b/c") + member(b"a/d"), [b"a", b"b"]),
        (header(b"./", type=b"5") + member(b"./a/b"), [b"."]),
        (member(b"/etc/a") + member(b"/usr"), [b"/"]),
        (member(b"a") + member(b"ab") + member(b"a/b"), [b"a", b"ab"]),
        (member(b"") + member(b"a"), [b"a"]),
        (member(b"\xff/a"), [b"\xff"]),
        (header(b"name", patch=(345, b"a/prefix")) + header(b"a/b", patch=(345, b"b")), [b"a", b"b"]),
        (header(b"a/b", magic=GNU_MAGIC, patch=(345, b"14524770000\0" * 2)), [b"a"]),
        (tars.long_name(b"a/" + b"n" * 200) + member(b"b/n"), [b"a"]),
        (tars.long_name(b"a/" + b"n" * 200, b"K") + member(b"b/n"), [b"b"]),
        (pax({b"path": b"a/b"}) + member(b"b"), [b"a"]),
        (pax({b"path": b"a/" + b"n" * 3_000}) + member(b"b"), [b"a"]),
        (pax({b"path": b"a"}) + tars.long_name(b"l") + member(b"b"), [b"a"]),
        (pax({b"GNU.sparse.name": b"a/b", b"path": b"b/c"}) + member(b"b"), [b"a"]),
        (pax({b"path": b"b/c", b"GNU.sparse.name": b"a/b"}) + member(b"b"), [b"a"]),
        (pax({b"mtime": b"1"}) + member(b"a/b") + member(b"b/b"), [b"a", b"b"]),
        (header(b"label", type=b"V") + member(b"a/b"), [b"a"]),
        (member(b"%0100d" % 7), [b"%0100d" % 7]),
        (pax({b"path": b"n" * 3_000 + b"/a"}) + member() + member(b"n" * 90), [b"n" * 255, b"n" * 90]),
        (b"".join(member(b"%d" % number) for number in range(40)), [b"%d" % number for number in range(16)]),
        (
            b"".join(header(b"%d/" % number, type=b"5") for number in range(40)),
            [b"%d" % number for number in range(16)],
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 600, 1 << 20])
@pytest.mark.parametrize("recorder", [None, list[MemberRecord]().extend])
def test_roots_are_what_names_begin_with(tar: bytes, roots: list[bytes], size: int, recorder: Recorder | None) -> None:
    """Of the effective name, in order of appearance, and no more than sixteen."""
    walk = TarWalk(InspectionLimits(), recorder)
    for piece in cut(tar + END, size):
        walk.feed(piece)

    assert walk.roots == roots


@given(
    records=st.lists(
        st.tuples(
            st.sampled_from((b"mtime", b"atime", b"path", b"comment", b"k" * 1_000)),
            st.sampled_from(
                (b"", b"1", b"1600000000.5", b"1600000000.123456789", b"v" * 990, b"v" * 3_000, b"a=b\n3 c")
            ),
        ),
        max_size=6,
    ),
    places=st.lists(st.integers(0, 30_000), max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_pax_records_are_read_across_pieces(records: list[tuple[bytes, bytes]], places: list[int]) -> None:
    """Records of any length, cut anywhere, are those of the whole header; the last time given counts."""
    raw = b"".join(pax_record(keyword, value) for keyword, value in records)
    tar = pax(raw) + member(mtime=5) + member(mtime=6) + END
    edges = [0, *sorted(place % len(tar) for place in places), len(tar)]
    times = [value for keyword, value in records if keyword == b"mtime" and value[:1] == b"1"]

    members, _, newest = walk(*(tar[start:stop] for start, stop in pairwise(edges)))

    assert (members, newest) == (2, max(6, int(times[-1].split(b".")[0])) if times else 6)


@pytest.mark.parametrize("format", ["gnu", "posix"])
def test_no_volume_of_several_is_taken_for_an_archive(tmp_path: Path, format: str) -> None:
    """The last one ends properly, and begins in the middle of a file."""
    (tmp_path / "big").write_bytes(bytes(60_000))
    (tmp_path / "small").touch()
    volumes = [tmp_path / "0", tmp_path / "1"]
    command = ["tar", "-cM", "-L", "40", f"--format={format}", *(f"--file={volume}" for volume in volumes)]
    subprocess.run([*command, "big", "small"], cwd=tmp_path, check=True)

    first, last = (outcome(volume.read_bytes()) for volume in volumes)

    assert "cut inside a member" in str(first)
    assert "goes on with a file of another volume" in str(last)


def test_bytes_of_a_member_are_never_taken_for_headers() -> None:
    """A tar within a tar is data."""
    inner = member(b"inner") * 5 + END

    assert walk(member(b"outer", inner) + END)[0] == 1


def test_a_pax_size_makes_the_walk_skip_what_readers_of_the_header_would_read() -> None:
    """The pax size counts, not that of the header: a tar hidden behind a header of size 0 is data, too."""
    inner = member(b"hidden") * 5

    assert walk(pax({b"size": b"%d" % len(inner)}) + header(b"outer", 0) + inner + END)[0] == 1


def test_a_long_name_in_many_pieces_is_too_long() -> None:
    """A name is measured by what its record announces, not by the bytes received so far."""
    tar = pax({b"path": b"p" * 100_000}) + member() + END
    with pytest.raises(ExpandsTooFar):
        walk(*(tar[at : at + 700] for at in range(0, len(tar), 700)))


def test_the_offset_of_a_bad_header_is_told() -> None:
    """An operator can look at the place: the block that is wrong, counted from the start of the tar."""
    tar = member(content=b"x" * 600) + header(sum_error=1) + END
    for size in (len(tar), 512, 100):
        with pytest.raises(NotATar) as caught:
            walk(*(tar[at : at + size] for at in range(0, len(tar), size)))

        assert caught.value.offset == 1536


def test_the_offset_of_a_cut_is_the_length() -> None:
    """If bytes are missing, the position is the end."""
    with pytest.raises(NotATar) as caught:
        walk(header(size=5_000) + bytes(700))

    assert (caught.value.offset, caught.value.reason) == (
        1212,
        "cut inside a member",
    )
