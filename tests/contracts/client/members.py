"""What every `Members` promises."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.client.ports.extracting import Members
from tarkeep.domain.errors.content import ExpandsTooFar, GzipDamaged, NotAGzip, NotATar
from tarkeep.domain.tar.members import Member
from tests.support.tar_oracle import members_of
from tests.support.tars import BROKEN, END, WHOLE, gz, gzip_member, header, member, padded, pax

INHERITED = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])
TAR = (
    member(b"first", b"1" * 700)
    + member(b"folder/", type=b"5")
    + pax({b"path": b"\xff" * 300, b"mtime": b"1.5"})
    + header(b"short", 600)
    + padded(b"x" * 600)
    + member(b"last", b"end")
    + END
)
places = st.lists(st.integers(0, len(TAR)), max_size=12)


def cut_at(content: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(content)) for place in places), len(content)]
    return [content[start:stop] for start, stop in pairwise(edges)]


class MembersContract:
    """A subclass gives the fixture *members*."""

    @INHERITED
    @given(places)
    def test_a_tar_is_unpacked(self, members: Members, places: list[int]) -> None:
        """For any cut, and any number of gzip members."""
        packed = gz(TAR[:1000]) + gzip_member(TAR[1000:], name=b"n", comment=b"c", header_crc=True) + bytes(10)
        assert b"".join(members.unpacked(iter(cut_at(packed, places)))) == TAR

    @pytest.mark.parametrize(
        ("packed", "error"),
        [
            (b"This is no gzip, but a text.", NotAGzip),
            (gz(TAR)[:-1], GzipDamaged),
            (gz(TAR)[:40], GzipDamaged),
            (gzip_member(TAR, crc_error=1), GzipDamaged),
            (gz(TAR) + b"dirt", GzipDamaged),
        ],
    )
    def test_a_failed_unpacking_is_reported(self, members: Members, packed: bytes, error: type[Exception]) -> None:
        """A part is never taken for the whole."""
        with pytest.raises(error):
            list(members.unpacked(iter([packed])))

    @INHERITED
    @given(places)
    def test_a_tar_passes_as_it_is(self, members: Members, places: list[int]) -> None:
        """Each block, none held back, only after the check has seen the members whose headers end in it."""
        blocks = cut_at(TAR, places)
        seen: list[Member] = []
        ends = list(accumulate(map(len, blocks)))
        expected = members_of(TAR)
        passing = members.watched(iter(blocks), seen.append)

        for block, end in zip(blocks, ends, strict=True):
            assert next(passing) == block
            assert [one.path for one in seen] == [one.path for one in expected if one.data_at <= end]
        assert list(passing) == []
        assert [(one.path, one.type, one.size_bytes, one.mtime_ns) for one in seen] == [
            (one.path, one.type, one.size_bytes, one.mtime_ns) for one in expected
        ]

    @INHERITED
    @given(places)
    def test_nothing_passes_that_is_objected_to(self, members: Members, places: list[int]) -> None:
        """The error of the check comes before the block in which the member's headers end."""
        blocks = cut_at(TAR, places)
        third = members_of(TAR)[2]

        def object_to_the_third(one: Member) -> None:
            if one.path == third.path:
                raise ValueError("objected")

        passed: list[bytes] = []
        with pytest.raises(ValueError, match="objected"):
            passed.extend(members.watched(iter(blocks), object_to_the_third))
        assert sum(map(len, passed)) < third.data_at

    def test_what_the_source_raises_comes_through(self, members: Members) -> None:
        """As after a broken line."""

        def broken(content: bytes) -> Iterator[bytes]:
            yield content
            raise ConnectionError("broke")

        for through in (members.unpacked(broken(gz(TAR)[:100])), members.watched(broken(TAR[:100]), lambda _: None)):
            with pytest.raises(ConnectionError, match="broke"):
                list(through)

    @pytest.mark.parametrize("name", WHOLE)
    def test_every_whole_tar_passes(self, members: Members, name: str) -> None:
        """With the right number of members."""
        count, tar = WHOLE[name]
        seen: list[Member] = []
        assert b"".join(members.watched(iter([tar]), seen.append)) == tar
        assert len(seen) == count

    @pytest.mark.parametrize("name", BROKEN)
    def test_no_other_passes_for_one(self, members: Members, name: str) -> None:
        """Whatever is wrong with it."""
        with pytest.raises((NotATar, ExpandsTooFar)):
            list(members.watched(iter([BROKEN[name]]), lambda _: None))

    def test_what_gnu_tar_packs_is_read(self, members: Members) -> None:
        """Completely, for one dump after the other."""
        seen: list[Member] = []
        passed = b"".join(members.watched(members.unpacked(iter([gzip.compress(TAR)])), seen.append))
        assert (passed, len(seen)) == (TAR, 4)
