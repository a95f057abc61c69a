"""
What every `Inspector` promises, and what every one that looks inside promises in addition.

A test module runs the contract for an adapter by subclassing it with a fixture ``make`` that gives an inspector with
the named limits. The corpora are made by `tests.support.tars`.
"""

from __future__ import annotations

import random
import tarfile
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import AfterEnd, Contents, Kind
from tarkeep.domain.errors.content import EmptyArchive, ExpandsTooFar, GzipDamaged, NotAGzip, NotATar, RejectedContent
from tarkeep.domain.ports.inspection import Inspector
from tarkeep.domain.ports.store import Block
from tarkeep.domain.tar.members import MemberRecord
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.support import tars
from tests.support.tars import BROKEN, END, HUGE_RECORD, WHOLE, gnu_tar, gz, gzip_member, header, member, pax

MIB = 1 << 20
# Each adapter's class runs the inherited property for itself; they share nothing that the warning could be about.
INHERITED = settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
FORMATS = ("gnu", "oldgnu", "posix", "ustar", "v7")


class MakeInspector(Protocol):
    def __call__(self, **limits: int) -> Inspector: ...


def looked_at(inspector: Inspector, *blocks: Block) -> Contents | None:
    with inspector.start() as inspection:
        for block in blocks:
            inspection.feed(block)
        return inspection.finish()


def inspect(inspector: Inspector, *blocks: Block) -> Contents:
    contents = looked_at(inspector, *blocks)
    assert contents is not None
    return contents


def verdict(inspector: Inspector, *blocks: Block) -> Contents | tuple[type[TarkeepError], str]:
    try:
        return inspect(inspector, *blocks)
    except TarkeepError as error:
        return type(error), str(error)


def recorded(inspector: Inspector, *blocks: Block) -> tuple[object, list[MemberRecord]]:
    """The verdict of an inspection that records, and its records."""
    records: list[MemberRecord] = []
    try:
        with inspector.start(records.extend) as inspection:
            for block in blocks:
                inspection.feed(block)
            return inspection.finish(), records
    except TarkeepError as error:
        return (type(error), str(error)), records


def cut_at(content: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:stop] for start, stop in pairwise(edges)]


def threads_besides(before: set[threading.Thread]) -> set[threading.Thread]:
    return set(threading.enumerate()) - before


NOISE = random.Random(1).randbytes(3 * MIB)
LARGE = member(b"first", NOISE[:700_000]) + member(b"second", NOISE[700_000:]) + END


def _of_every_fate() -> dict[str, bytes]:
    whole = gz(LARGE)
    swapped = bytearray(LARGE)
    swapped[1024 + 700_000 // 512 * 512 : 1324 + 700_000 // 512 * 512] = b"x" * 300
    deflate = zlib.compressobj(wbits=31)
    half = deflate.compress(LARGE[:1_400_000]) + deflate.flush(zlib.Z_FULL_FLUSH)
    return {
        "whole": whole,
        "not to be inflated": half + b"\xff" * 1_000,  # no deflate block begins like that
        "cut": whole[:-70_000],
        "flipped": whole[:2_000_000] + bytes([whole[2_000_000] ^ 16]) + whole[2_000_001:],
        "wrong crc": gzip_member(LARGE, crc_error=1),
        "trailing": whole + b"trailing",
        "not a tar in its middle": gz(bytes(swapped)),
        "cut tar": gz(LARGE[:2_500_000]),
        "many members": b"".join(gz(LARGE[at : at + 9_999]) for at in range(0, len(LARGE), 9_999)) + bytes(9_999),
        "second member damaged": gz(LARGE[:1_500_000]) + gzip_member(LARGE[1_500_000:], length_error=1),
        "not a tar, then damaged": gz(NOISE[:600_000]) + gzip_member(LARGE, crc_error=1),
        "damaged and not a tar": gzip_member(NOISE, crc_error=1),
    }


FATES = _of_every_fate()
EXPECTED: dict[str, type[TarkeepError] | None] = {
    "whole": None,
    "not to be inflated": GzipDamaged,
    "cut": GzipDamaged,
    "flipped": GzipDamaged,
    "wrong crc": GzipDamaged,
    "trailing": GzipDamaged,
    "not a tar in its middle": NotATar,
    "cut tar": NotATar,
    "many members": None,
    "second member damaged": GzipDamaged,
    "not a tar, then damaged": NotATar,
    "damaged and not a tar": GzipDamaged,
}


class InspectorContract:
    """For every inspector, also one that does not look inside. A subclass gives the fixture *make*."""

    def test_nothing_at_all_is_an_empty_archive(self, make: MakeInspector) -> None:
        """No block, or only empty ones, is not called damage."""
        for blocks in ([], [b""], [b"", b""]):
            with pytest.raises(EmptyArchive):
                looked_at(make(), *blocks)

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_any_kind_of_block_will_do(self, make: MakeInspector, kind: Callable[[bytes], Block]) -> None:
        """bytes, bytearray and memoryview give the same result."""
        whole = FATES["whole"]
        contents = looked_at(make(), *(kind(whole[at : at + MIB]) for at in range(0, len(whole), MIB)))

        assert contents is None or contents.members == 2

    def test_an_inspection_may_pause(self, make: MakeInspector) -> None:
        """At any position; and it holds no thread meanwhile."""
        before = set(threading.enumerate())
        whole = FATES["whole"]
        with make().start() as inspection:
            for at in range(0, len(whole), MIB):
                inspection.feed(whole[at : at + MIB])
                inspection.pause()
                assert threads_besides(before) == set()
            contents = inspection.finish()

        assert contents is None or contents == looked_at(make(), whole)

    def test_every_member_is_recorded_or_none(self, make: MakeInspector) -> None:
        """An inspector that does not look inside records no member."""
        found, records = recorded(make(), FATES["whole"])
        assert len(records) == (0 if found is None else 2)

    def test_no_thread_is_left_after_finish(self, make: MakeInspector) -> None:
        """A finished inspection has ended all its threads."""
        before = set(threading.enumerate())
        with make().start() as inspection:
            inspection.feed(FATES["whole"])
            inspection.finish()

            assert threads_besides(before) == set()

    @pytest.mark.parametrize("fed", [0, 1, 4])
    def test_no_thread_is_left_after_leaving_in_the_middle(self, make: MakeInspector, fed: int) -> None:
        """An upload that breaks off takes its inspection with it, whatever is still queued."""
        before = set(threading.enumerate())
        bomb = gz(bytes(MIB)) * 1_000

        def break_off() -> None:
            with make().start() as inspection:
                for _ in range(fed):
                    inspection.feed(bomb)
                raise UserWarning

        with pytest.raises((UserWarning, RejectedContent)):
            break_off()

        assert threads_besides(before) == set()


class LookingInspectorContract(InspectorContract):
    """For every inspector that looks inside."""

    # -- whole archives ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", WHOLE)
    def test_a_whole_tar_is_accepted_and_its_members_are_counted(self, make: MakeInspector, name: str) -> None:
        """Every dialect of tar that GNU tar extracts is whole, with the right number of members."""
        members, tar = WHOLE[name]

        contents = inspect(make(), gz(tar))

        assert (contents.members, contents.unpacked_bytes) == (members, len(tar))

    @pytest.mark.parametrize("seed", range(30))
    def test_members_counted_are_members_listed(self, make: MakeInspector, tmp_path: Path, seed: int) -> None:
        """For a random tree in any format, the count equals GNU tar's list."""
        root = tmp_path / "tree"
        tars.write_tree(root, seed)
        format = FORMATS[seed % 3]
        targz = gz(gnu_tar("--create", "--file=-", f"--format={format}", "--sparse", "-C", root, "."))

        contents = inspect(make(), targz)

        assert contents.members == tars.count_listed(targz)
        assert contents.kind is Kind.PLAIN

    @pytest.mark.parametrize("format", FORMATS)
    def test_every_format_of_gnu_tar_is_read(self, make: MakeInspector, tmp_path: Path, format: str) -> None:
        """The same files are found in each format that GNU tar writes."""
        root = tmp_path / "tree"
        root.mkdir()
        for number in range(20):
            (root / f"file{number}").write_bytes(b"x" * number * 100)
        (root / "hard").hardlink_to(root / "file3")
        (root / "symbolic").symlink_to("file3")

        contents = inspect(make(), gz(gnu_tar("--create", "--file=-", f"--format={format}", "-C", root, ".")))

        assert contents.members == 23

    @pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
    def test_every_sparse_version_of_pax_is_read(self, make: MakeInspector, tmp_path: Path, version: str) -> None:
        """Files with holes are skipped correctly in each encoding, however many holes they have."""
        with (tmp_path / "holes").open("wb") as file:
            for number in range(200):
                file.seek(number * 16_384)
                file.write(b"data")
        (tmp_path / "last").write_bytes(b"last")
        options = ["--create", "--file=-", "--format=posix", f"--sparse-version={version}", "--sparse"]

        contents = inspect(make(), gz(gnu_tar(*options, "-C", tmp_path, "holes", "last")))

        assert contents.members == 2

    def test_old_sparse_maps_with_extension_headers_are_read(self, make: MakeInspector, tmp_path: Path) -> None:
        """A map of 200 regions needs ten extension blocks, which are neither data nor members."""
        with (tmp_path / "holes").open("wb") as file:
            for number in range(200):
                file.seek(number * 16_384)
                file.write(b"data")
        (tmp_path / "last").write_bytes(b"last")

        contents = inspect(
            make(), gz(gnu_tar("--create", "--file=-", "--format=gnu", "--sparse", "-C", tmp_path, "holes", "last"))
        )

        assert contents.members == 2

    @pytest.mark.parametrize("format", ["gnu", "posix"])
    def test_an_incremental_dump_is_recognised(self, make: MakeInspector, tmp_path: Path, format: str) -> None:
        """Both encodings of dumpdirs make an archive incremental, in a full dump and in one of changes."""
        root = tmp_path / "tree"
        tars.write_tree(root, 7)
        options = ["--create", "--file=-", f"--format={format}", f"--listed-incremental={tmp_path / 'snapshot'}"]
        full = gz(gnu_tar(*options, "-C", root, "."))
        (root / "new").write_bytes(b"new")
        changes = gz(gnu_tar(*options, "-C", root, "."))

        found = [inspect(make(), targz) for targz in (full, changes)]

        assert [contents.kind for contents in found] == [Kind.INCREMENTAL] * 2
        assert [contents.members for contents in found] == [tars.count_listed(full), tars.count_listed(changes)]

    @pytest.mark.parametrize("format", ["gnu", "posix"])
    def test_a_dump_of_changes_has_unchanged_names(self, make: MakeInspector, tmp_path: Path, format: str) -> None:
        """A full dump has none, though it is incremental, too."""
        root = tmp_path / "tree"
        tars.write_tree(root, 7)
        options = ["--create", "--file=-", f"--format={format}", f"--listed-incremental={tmp_path / 'snapshot'}"]
        full = inspect(make(), gz(gnu_tar(*options, "-C", tmp_path, "tree")))
        # tar takes a file as changed while it is as young as the dump before, so several dumps may be needed.
        while not (changes := inspect(make(), gz(gnu_tar(*options, "-C", tmp_path, "tree")))).has_unchanged:
            pass

        assert (full.kind, full.has_unchanged) == (Kind.INCREMENTAL, False)
        assert changes.kind is Kind.INCREMENTAL
        assert full.roots == changes.roots == ("tree",)

    @pytest.mark.parametrize("padding", [0, 1, 100])
    def test_bytes_behind_the_end_are_reported(self, make: MakeInspector, padding: int) -> None:
        """Another archive, as appended by cat, or anything else; its members are not counted."""
        one, other = member(b"a") + END + bytes(512 * padding), member(b"b", b"content") + END

        assert inspect(make(), gz(one)).after_end is None
        both = inspect(make(), gz(one) + gz(other))
        assert (both.members, both.roots, both.after_end) == (1, ("a",), AfterEnd(len(other), is_tar=True))
        dirt = inspect(make(), gz(one + b"dirt"))
        assert (dirt.members, dirt.after_end) == (1, AfterEnd(4, is_tar=False))

    def test_roots_are_text(self, make: MakeInspector) -> None:
        """For any bytes."""
        contents = inspect(make(), gz(member(b"\xc3\xa4/a") + member(b"\xe4/a") + member(b"/etc/a") + END))

        assert contents.roots == ("ä", "\\xe4", "/")

    def test_a_root_is_one_however_it_is_spelt(self, make: MakeInspector) -> None:
        """If the directory itself is a member, everything begins there."""
        spelt = inspect(make(), gz(member(b"./src/a") + member(b"src/b") + member(b".//etc/c") + END))
        itself = inspect(make(), gz(member(b"./", type=b"5") + member(b"./src/a") + member(b"./etc/c") + END))

        assert spelt.roots == ("src", "etc")
        assert itself.roots == (".",)

    @pytest.mark.parametrize("fate", FATES)
    def test_members_are_recorded_however_blocks_are_cut(self, make: MakeInspector, fate: str) -> None:
        """In order, from any thread; up to an error, and without changing the error."""
        content = FATES[fate]
        expected = recorded(make(), content)

        assert recorded(make(), *cut_at(content, range(0, len(content), 70_001))) == expected
        assert expected[0] == verdict(make(), content)
        if fate in ("whole", "many members"):
            assert [record.headers for record in expected[1]] == [
                LARGE[:512],
                LARGE[1024 + 700_000 // 512 * 512 :][:512],
            ]

    def test_a_volume_label_is_no_member(self, make: MakeInspector, tmp_path: Path) -> None:
        """A label names the archive; it is not one more member."""
        (tmp_path / "file").write_bytes(b"file")

        found = [
            inspect(make(), gz(gnu_tar("--create", "--file=-", f"--format={format}", "--label=L", "-C", tmp_path, ".")))
            for format in ("gnu", "posix")
        ]

        assert [contents.members for contents in found] == [2, 2]

    @pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_every_format_of_python_is_read(self, make: MakeInspector, format: int) -> None:
        """The output of `tarfile` is whole, too."""
        contents = inspect(make(), gz(tars.with_tarfile(format)))

        assert contents.members == 6
        assert contents.newest_member == datetime.fromtimestamp(1_600_000_000, UTC)

    def test_the_newest_member_is_reported_to_the_second(self, make: MakeInspector) -> None:
        """A pax time replaces the header's, and an older member does not hide an earlier, newer one."""
        tar = (
            member(mtime=1_000)
            + pax({b"mtime": b"5000.999"})
            + member(mtime=9_000)
            + header(mtime=tars.base256(-5))
            + pax({b"mtime": b"-1.5"})
            + member(mtime=9_000)
            + member(mtime=3_000)
            + END
        )

        contents = inspect(make(), gz(tar))

        assert contents.newest_member == datetime.fromtimestamp(5_000, UTC)

    def test_times_before_1970_are_times(self, make: MakeInspector) -> None:
        """-1.5 lies in the second that begins at -2."""
        contents = inspect(make(), gz(pax({b"mtime": b"-1.5"}) + member() + header(mtime=tars.base256(-9)) + END))

        assert contents.newest_member == datetime.fromtimestamp(-2, UTC)

    def test_a_time_no_calendar_holds_is_passed_over(self, make: MakeInspector) -> None:
        """One absurd time does not hide the newest sensible one."""
        contents = inspect(make(), gz(header(mtime=tars.base256(1 << 60)) + member(mtime=7) + END))

        assert contents.newest_member == datetime.fromtimestamp(7, UTC)

    def test_an_empty_tar_has_no_newest_member(self, make: MakeInspector) -> None:
        """Only zero blocks: whole, without members."""
        contents = inspect(make(), gz(bytes(10_240)))

        assert contents == Contents(Kind.PLAIN, members=0, unpacked_bytes=10_240, newest_member=None)

    # -- gzip ----------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "content", [b"x", b"PK\3\4", bytes(1000), b"\x1fx", b"\x1f\x8b\7" + bytes(50), b"\n" + gz(END)]
    )
    def test_what_does_not_begin_as_gzip_is_not_a_gzip(self, make: MakeInspector, content: bytes) -> None:
        """The first bytes decide, however few they are."""
        with pytest.raises(NotAGzip) as caught:
            inspect(make(), content)

        assert caught.value.offset == 0

    def test_a_gzip_cut_anywhere_is_damaged(self, make: MakeInspector) -> None:
        """Every proper beginning of an archive is refused, and the error has the length."""
        content = gzip_member(member() + END, extra=b"ab", name=b"n", comment=b"c", header_crc=True)
        for stop in range(1, len(content)):
            with pytest.raises(GzipDamaged) as caught:
                inspect(make(), content[:stop])

            assert (caught.value.offset, caught.value.reason) == (stop, "cut short")

    def test_a_second_gzip_member_cut_anywhere_is_damaged(self, make: MakeInspector) -> None:
        """The beginning of a second member is not padding."""
        first, second = gz(member()), gz(member() + END)
        for stop in range(1, len(second)):
            with pytest.raises(GzipDamaged, match="cut short"):
                inspect(make(), first + second[:stop])

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (gzip_member(member() + END, crc_error=1), "the CRC does not match"),
            (gzip_member(member() + END, length_error=1), "the length does not match"),
            (gzip_member(member() + END, length_error=-1), "the length does not match"),
            (gzip_member(member() + END, header_crc=True, header_crc_error=1), "the header's CRC does not match"),
            (gzip_member(member() + END, flags=0x20), "reserved flags are set"),
            (gzip_member(member() + END, flags=0x80), "reserved flags are set"),
            (gz(member() + END)[:10] + b"\xff" * 100, "the compressed data is invalid"),
            (gz(member() + END) + b"x", "data after the end"),
            (gz(member() + END) + bytes(512) + b"x", "data after the end"),
            (gz(member() + END) + b"\x1f\x8b\x09", "data after the end"),
            (gz(member() + END) + bytes(512) + gz(member()), "data after the end"),
            (gz(member()) + gzip_member(END, crc_error=1), "the CRC does not match"),
        ],
    )
    def test_damage_to_the_gzip_is_named(self, make: MakeInspector, content: bytes, reason: str) -> None:
        """Each kind of damage has its own reason."""
        with pytest.raises(GzipDamaged) as caught:
            inspect(make(), content)

        assert caught.value.reason == reason

    def test_data_after_the_end_is_where_it_begins(self, make: MakeInspector) -> None:
        """The offset points at the first foreign byte."""
        whole = gz(member() + END)
        for padding in (0, 512, 300_000):
            with pytest.raises(GzipDamaged) as caught:
                inspect(make(), whole + bytes(padding) + b"foreign")

            assert caught.value.offset == len(whole) + padding

    @pytest.mark.parametrize(
        "fields",
        [
            {"extra": b""},
            {"extra": b"e" * 65_535},
            {"name": b""},
            {"name": b"n" * 1_000_000},
            {"comment": b"c" * 700},
            {"extra": b"e", "name": b"n" * 255, "comment": b"c" * 256, "header_crc": True},
            {"name": b"n" * 300_000, "header_crc": True},
            {"header_crc": True},
            {"flags": 1},
            {"level": 0},
        ],
    )
    def test_every_field_of_a_gzip_header_is_read(self, make: MakeInspector, fields: dict[str, bytes]) -> None:
        """Optional fields of any length do not disturb the rest."""
        contents = inspect(make(), gzip_member(member() + END, **fields) * 2)  # type: ignore[arg-type]  # one row per keyword

        assert contents.members == 1
        assert contents.unpacked_bytes == 2 * 1536

    def test_many_gzip_members_are_one_archive(self, make: MakeInspector) -> None:
        """Members may begin anywhere, be empty, and be followed by zeros."""
        tar = b"".join(member(b"%d" % number, b"x" * number) for number in range(300)) + END
        content = b"".join(gz(tar[at : at + 37]) + gz(b"") for at in range(0, len(tar), 37))

        contents = inspect(make(), content + bytes(10_000))

        assert (contents.members, contents.unpacked_bytes) == (300, len(tar))

    @given(flip=st.integers(0, 8 * 1400 - 1))
    @settings(INHERITED, max_examples=150)
    def test_a_flipped_bit_is_found_or_harmless(self, make: MakeInspector, flip: int) -> None:
        """One wrong bit is either in a field without meaning, or the archive is refused as damaged gzip."""
        rng = random.Random(3)
        content = bytearray(gz(member(content=rng.randbytes(900)) + member(b"other", b"o" * 9_000) + END))
        place = flip // 8 % len(content)
        content[place] ^= 1 << flip % 8

        found = verdict(make(), bytes(content))

        # Bytes 4 to 9 of a gzip member are time, compressor and system; bit 0 of byte 3 only says "text".
        if 4 <= place < 10 or (place, flip % 8) == (3, 0):
            assert found == verdict(
                make(), gz(member(content=random.Random(3).randbytes(900)) + member(b"other", b"o" * 9_000) + END)
            )
        elif place < 3:
            assert isinstance(found, tuple)
            assert found[0] is NotAGzip
        else:
            assert isinstance(found, tuple)
            assert found[0] is GzipDamaged

    # -- tar -----------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", BROKEN)
    def test_a_broken_tar_is_refused(self, make: MakeInspector, name: str) -> None:
        """Lies, cuts and impossible numbers end in a refusal, never in a hang."""
        with pytest.raises(NotATar) as caught:
            inspect(make(), gz(BROKEN[name]))

        assert 0 <= caught.value.offset <= len(BROKEN[name])

    def test_a_tar_cut_at_any_block_is_not_whole(self, make: MakeInspector) -> None:
        """Also exactly between two members: tar accepts that, but it is still a loss."""
        for name in ("sparse with extensions", "long name and link", "pax size and long name", "global pax first"):
            tar = WHOLE[name][1].removesuffix(END)
            for stop in range(0, len(tar) + 1, 512):
                with pytest.raises(NotATar):
                    inspect(make(), gz(tar[:stop]))

    @given(stop=st.integers(0, 20_000))
    @settings(INHERITED, max_examples=100)
    def test_a_tar_cut_anywhere_is_not_whole(self, make: MakeInspector, stop: int) -> None:
        """Only what reaches the first whole zero block is a tar."""
        body = tars.with_tarfile(tarfile.PAX_FORMAT).rstrip(b"\0")
        body += bytes(-len(body) % 512)
        tar = body + END
        stop %= len(tar)

        found = verdict(make(), gz(tar[:stop]))

        assert isinstance(found, Contents) == (stop >= len(body) + 512)

    def test_damage_to_the_gzip_is_said_before_damage_to_the_tar(self, make: MakeInspector) -> None:
        """Garbage from a damaged gzip member is not reported as a bad tar."""
        garbage = NOISE[: 2 * MIB]
        for content in (
            gzip_member(garbage, crc_error=1),
            gz(garbage)[:-1],
            gz(member()) + gzip_member(garbage, crc_error=1),
        ):
            with pytest.raises(GzipDamaged):
                inspect(make(), content)

    # -- limits --------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("limits", "tar"),
        [
            ({"max_members": 9}, member() * 10 + END),
            ({"max_members": 9}, header(b"d/", type=b"5") * 10 + END),
            ({"max_members": 9}, (pax({b"path": b"p"}) + member()) * 10 + END),
            ({"max_unpacked_bytes": 10_239}, bytes(10_240)),
            ({"max_unpacked_bytes": 10_239}, member() + END + b"x" * 8_704),
            ({"max_name_bytes": 99}, tars.long_name(b"n" * 100) + member() + END),
            ({"max_name_bytes": 99}, tars.long_name(b"n" * 100, b"K") + member() + END),
            ({"max_name_bytes": 99}, pax({b"path": b"p" * 100}) + member() + END),
            ({"max_name_bytes": 99}, pax({b"linkpath": b"p" * 100}) + member() + END),
            ({"max_name_bytes": 99}, pax({b"GNU.sparse.name": b"p" * 100}) + member() + END),
            ({"max_records": 9}, tars.long_name(b"n") * 10 + member() + END),
            ({"max_records": 9}, pax({b"comment": b"c"}, b"g") * 5 + END),
            ({"max_records": 9}, pax({b"a%d" % number: b"" for number in range(9)}) + member() + END),
            ({"max_records": 9}, tars.sparse_gnu(b"", 10) + END),
            ({"max_pax_records": 9}, pax({b"a%d" % number: b"" for number in range(10)}) + member() + END),
            ({"max_pax_records": 9}, pax(tars.pax_record(b"atime", b"1") * 10) + member() + END),
            ({"max_members": 9}, header(b"d/", 31, b"D") + tars.padded(b"Ya\0" * 10 + b"\0") + END),
            ({"max_members": 9}, pax({b"GNU.dumpdir": b"Ya\0" * 10 + b"\0"}) + header(b"d/", 0, b"5") + END),
            ({"max_members": 9}, (header(b"d/", 16, b"D") + tars.padded(b"Na\0" * 5 + b"\0")) * 2 + END),
            ({"max_name_bytes": 99}, header(b"d/", 107, b"D") + tars.padded(b"Ya\0N" + b"n" * 100 + b"\0\0") + END),
            ({"max_name_bytes": 99}, header(b"d/", 103, b"D") + tars.padded(b"N" + b"n" * 100 + b"\0\0") + END),
            ({"max_name_bytes": 99}, header(b"d/", 101, b"D") + tars.padded(b"Y" + b"n" * 100) + END),
            ({"max_name_bytes": 99}, pax({b"uname": b"u" * 100}) + member() + END),
            ({"max_name_bytes": 99}, pax({b"gname": b"g" * 100}) + member() + END),
        ],
    )
    def test_what_exceeds_a_limit_expands_too_far(
        self, make: MakeInspector, limits: dict[str, int], tar: bytes
    ) -> None:
        """The error names the limit; with a limit one higher, the same archive passes."""
        with pytest.raises(ExpandsTooFar) as caught:
            inspect(make(**limits), gz(tar))

        assert {caught.value.setting: caught.value.limit} == limits
        assert isinstance(inspect(make(**{name: limit + 1 for name, limit in limits.items()}), gz(tar)), Contents)

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("zero bomb", tars.zeros_targz(96 * MIB), ExpandsTooFar),
            ("zeros in a member", tars.zeros_targz(40 * MIB, header(size=40 * MIB)), NotATar),
            ("long name bomb", tars.zeros_targz(40 * MIB, header(size=40 * MIB, type=b"L")), ExpandsTooFar),
            ("pax bomb", tars.zeros_targz(30 * MIB, header(size=30 * MIB, type=b"x") + b"31457280 comment="), NotATar),
            ("global pax bomb", tars.zeros_targz(30 * MIB, header(size=30 * MIB, type=b"g")), NotATar),
            ("dumpdir bomb", tars.zeros_targz(30 * MIB, header(size=30 * MIB, type=b"D")), NotATar),
            (
                "pax name bomb",
                tars.zeros_targz(40 * MIB, header(size=40 * MIB, type=b"x") + b"41943040 path="),
                ExpandsTooFar,
            ),
            ("gzip name bomb", gzip_member(member() + END, name=b"n" * 20 * MIB), None),
            ("padding bomb", gz(member() + END) + bytes(20 * MIB), None),
        ],
    )
    def test_memory_stays_small_whatever_comes(
        self, make: MakeInspector, name: str, content: bytes, expected: type[TarkeepError] | None
    ) -> None:
        """However far an archive expands, a few MiB suffice to inspect it."""
        blocks = [memoryview(content)[at : at + MIB] for at in range(0, len(content), MIB)]
        tracemalloc.start()
        try:
            found = verdict(make(max_unpacked_bytes=64 * MIB), *blocks)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert (found[0] if isinstance(found, tuple) else None) is expected
        assert peak_bytes < 4 * MIB

    # -- blocks and threads --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("fate", "expected"), EXPECTED.items())
    def test_large_archives_meet_their_fate(
        self, make: MakeInspector, fate: str, expected: type[TarkeepError] | None
    ) -> None:
        """Archives that take several threads and chunks are judged like small ones."""
        found = verdict(make(), FATES[fate])

        assert fate != "not to be inflated" or "is invalid" in str(found)
        assert (found[0] if isinstance(found, tuple) else None) is expected

    @pytest.mark.parametrize("fate", FATES)
    @given(places=st.lists(st.integers(0, 4 * MIB), max_size=12))
    @settings(INHERITED, max_examples=8)
    def test_the_verdict_does_not_depend_on_the_cut_of_blocks(
        self, make: MakeInspector, fate: str, places: list[int]
    ) -> None:
        """However an archive is cut into blocks, the verdict is the same to the letter."""
        content = FATES[fate]

        assert verdict(make(), *cut_at(content, places)) == verdict(make(), content)

    @pytest.mark.parametrize("name", [*WHOLE, *BROKEN])
    def test_single_bytes_get_the_same_verdict(self, make: MakeInspector, name: str) -> None:
        """The extreme case of cutting, for the whole corpus."""
        content = gz(WHOLE[name][1] if name in WHOLE else BROKEN[name])
        single = [content[at : at + 1] for at in range(len(content))]

        assert verdict(make(), *single) == verdict(make(), content)

    def test_an_inspection_that_failed_stays_failed(self, make: MakeInspector) -> None:
        """After an error every call raises it again, and feeding more does not block."""
        damaged = gz(member() + END) + b"x" * MIB
        with make().start() as inspection:

            def feed_all() -> None:
                for _ in range(50):
                    inspection.feed(damaged)

            with pytest.raises(GzipDamaged) as first:
                feed_all()
            with pytest.raises(GzipDamaged) as second:
                inspection.feed(b"more")
            with pytest.raises(GzipDamaged) as third:
                inspection.finish()

        assert str(first.value) == str(second.value) == str(third.value)

    def test_inspections_do_not_disturb_each_other(self, make: MakeInspector) -> None:
        """Two inspections of one inspector, fed in turns, are independent."""
        inspector = make()
        plain, dump = LARGE, header(b"d/", type=b"D") + LARGE
        with inspector.start() as one, inspector.start() as other:
            for mine, its in zip(
                cut_at(gz(plain), range(0, 4 * MIB, MIB)), cut_at(gz(dump), range(0, 4 * MIB, MIB)), strict=True
            ):
                one.feed(mine)
                other.feed(its)
            found = [one.finish(), other.finish()]

        assert [contents.kind for contents in found if contents] == [Kind.PLAIN, Kind.INCREMENTAL]

    def test_a_huge_dumpdir_in_pax_is_recognised(self, make: MakeInspector) -> None:
        """A record of more than 1 MiB tells the kind without being held in memory."""
        contents = inspect(make(), gz(pax(HUGE_RECORD) + header(b"d/", type=b"5") + END))

        assert contents.kind is Kind.INCREMENTAL
