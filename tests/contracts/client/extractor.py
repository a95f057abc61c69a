"""What every `Extractor` promises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.client.ports.extracting import Extractor
from tarkeep.domain.errors.client import ExtractFailed, TarUnusable
from tests.support.archives import make_tar
from tests.support.histories import NAMES
from tests.support.processes import children, open_files
from tests.support.require import require
from tests.support.tars import END, gnu_tar, header, member
from tests.support.trees import described, write

INHERITED = settings(
    max_examples=15, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture]
)


def extract(
    extractor: Extractor, blocks: Iterator[bytes], into: Path, *, incremental: bool = False, numeric_owner: bool = False
) -> tuple[str, ...]:
    into.mkdir(exist_ok=True)
    return extractor.extract(
        blocks, str(into), label="FULL/a.tar.gz", incremental=incremental, numeric_owner=numeric_owner
    )


class ExtractorContract:
    """A subclass gives the fixtures *extractor*, and *unusable*: one whose program is not the expected one."""

    def test_it_is_seen_whether_it_can_extract(self, extractor: Extractor, unusable: Extractor) -> None:
        """Before extracting begins."""
        extractor.check()
        with pytest.raises(TarUnusable):
            unusable.check()

    @INHERITED
    @given(
        files=st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=2000), max_size=5),
        block_bytes=st.integers(1, 9000),
    )
    def test_what_is_in_it_lies_there(
        self,
        extractor: Extractor,
        tmp_path_factory: pytest.TempPathFactory,
        files: dict[str, bytes],
        block_bytes: int,
    ) -> None:
        """With modes and times, for any names, and for any cut of the blocks."""
        place = tmp_path_factory.mktemp("tree")
        write(place / "from", {**files, "folder/odd": b"odd"})
        (place / "from" / "folder" / "odd").chmod(0o6751)
        (place / "from" / "folder" / "link").symlink_to("odd")
        os.link(place / "from" / "folder" / "odd", place / "from" / "folder" / "same")
        os.utime(place / "from" / "folder", ns=(0, 1_500_000_000_123_456_789))
        tar = gnu_tar("--create", "--format=posix", f"--directory={place / 'from'}", ".")
        blocks = (tar[at : at + block_bytes] for at in range(0, len(tar), block_bytes))

        assert extract(extractor, blocks, place / "to") == ()
        assert described(place / "to") == described(place / "from")

    def test_what_an_incremental_one_says_was_removed_goes(self, extractor: Extractor, tmp_path: Path) -> None:
        """And no file is removed unless *incremental* is set."""
        tree = tmp_path / "tree"
        write(tree, {"kept": b"kept", "gone": b"gone", "folder/gone": b"gone"})
        dumping = ("--create", f"--listed-incremental={tmp_path / 'snapshot'}", f"--directory={tmp_path}", "tree")
        dumps = [gnu_tar(*dumping)]
        write(tree, {"gone": None, "folder/gone": None, "new": b"new"})
        dumps.append(gnu_tar(*dumping))

        for incremental in (True, False):
            into = tmp_path / f"into-{incremental}"
            for dump in dumps:
                extract(extractor, iter([dump]), into, incremental=incremental)
            names = {str(path.relative_to(into / "tree")) for path in into.glob("tree/**/*")}
            left = set() if incremental else {"gone", "folder/gone"}
            assert names == {"kept", "folder", "new"} | left

    def test_what_the_source_raises_comes_through(self, extractor: Extractor, tmp_path: Path) -> None:
        """And the extracting process has ended by then."""

        def broken() -> Iterator[bytes]:
            yield make_tar({"a": b"a" * 5000})[:2048]
            raise ConnectionError("broke")

        before = children(), open_files()
        with pytest.raises(ConnectionError, match="broke"):
            extract(extractor, broken(), tmp_path / "into")
        assert (children(), open_files()) == before

    @pytest.mark.parametrize(
        "tar", [b"This is no tar. " * 100, make_tar({"a": b"a" * 5000})[:2048], header(sum_error=1) + END]
    )
    def test_a_failed_extraction_is_reported(self, extractor: Extractor, tmp_path: Path, tar: bytes) -> None:
        """With the given name, and tar's messages."""
        with pytest.raises(ExtractFailed) as caught:
            extract(extractor, iter([tar]), tmp_path / "into")
        assert caught.value.what == "FULL/a.tar.gz"
        assert caught.value.messages

    def test_a_source_may_be_longer_than_what_is_read_of_it(self, extractor: Extractor, tmp_path: Path) -> None:
        """Bytes behind the end of a tar are ignored."""
        extract(extractor, iter([make_tar({"a": b"a"}), *[bytes(1 << 20)] * 3]), tmp_path / "into")
        assert (tmp_path / "into" / "a").read_bytes() == b"a"

    def test_warnings_of_a_successful_extraction_are_returned(self, extractor: Extractor, tmp_path: Path) -> None:
        """Without an error: a time in the future is odd, but no reason to fail."""
        said = extract(extractor, iter([member(b"early", mtime=7_000_000_000) + END]), tmp_path / "into")
        assert any("early" in one for one in said)

    def test_owners_are_those_of_numbers_where_that_is_wanted(self, extractor: Extractor, tmp_path: Path) -> None:
        """Otherwise by name, as far as this machine knows the names."""
        require("root", os.geteuid() == 0, "run this as root, which can give files to another user")
        (tmp_path / "file").touch()
        tar = gnu_tar("--create", "--owner=root:4321", "--group=root:4321", f"--directory={tmp_path}", "file")
        for numeric_owner, uid in ((True, 4321), (False, 0)):
            extract(extractor, iter([tar]), tmp_path / str(uid), numeric_owner=numeric_owner)
            assert (tmp_path / str(uid) / "file").stat().st_uid == uid
