"""What every `DrillRoom` promises."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tarkeep.domain.client.ports.drilling import DrillRoom
from tarkeep.domain.drills.comparison import compare
from tarkeep.domain.drills.manifest import ManifestLine
from tarkeep.domain.errors.client import DrillStopped
from tarkeep.domain.tar.members import MemberType
from tests.support.archives import make_tar


def made(*members: tuple[str, bytes, int, str, bytes]) -> bytes:
    """A tar of members: name, type, mode, link, content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        for name, type, mode, link, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.linkname, info.size = type, mode, link, len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def restored(room: DrillRoom, *tars: bytes, incremental: bool = False) -> list[ManifestLine]:
    for tar in tars:
        room.extract([tar], incremental=incremental, seconds=60)
    return list(room.lines())


class DrillRoomContract:
    """A subclass gives the fixture *room*, not opened yet."""

    @pytest.fixture
    def opened(self, room: DrillRoom) -> Iterator[DrillRoom]:
        with room.opened():
            yield room

    def test_it_is_empty_when_it_is_opened_and_when_it_is_cleared(self, opened: DrillRoom) -> None:
        assert [line.path for line in opened.lines()] == [b""]

        assert len(restored(opened, make_tar({"a/b": b"x"}))) == 3
        opened.clear()

        assert [line.path for line in opened.lines()] == [b""]

    def test_it_tells_what_keeps_tar_and_which_tar(self, opened: DrillRoom) -> None:
        assert opened.sandbox
        assert "GNU tar" in opened.tar

    def test_what_is_there_is_told_in_the_order_of_manifests(self, opened: DrillRoom) -> None:
        """By the path of the directory, then by name: the order of paths is another one."""
        names = ["a/b/c", "a/b.c", "a", "a-b/c", "z"]
        found = restored(opened, make_tar({name: b"x" for name in names if name != "a"}))

        places = [line.place for line in found]
        assert places == sorted(places)
        assert {line.path for line in found} == {b"", b"a-b", b"a/b", *(name.encode() for name in names)}

    def test_the_trial_chain_restores_and_its_change_is_seen(self, opened: DrillRoom) -> None:
        trial = opened.trial()

        assert compare(trial.lines, restored(opened, trial.full, trial.inc, incremental=True)).is_equal
        opened.clear()
        found = compare(trial.lines, restored(opened, trial.full, trial.changed_inc, incremental=True))
        assert [(one.path, one.what) for one in found.differences] == [(trial.changed, "has other contents")]

    def test_modes_times_links_and_holes_are_told(self, opened: DrillRoom) -> None:
        tar = made(
            ("closed", tarfile.DIRTYPE, 0o000, "", b""),
            ("closed/secret", tarfile.REGTYPE, 0o000, "", b"hidden"),
            ("suid", tarfile.REGTYPE, 0o4755, "", b"x"),
            ("same", tarfile.LNKTYPE, 0o4755, "suid", b""),
            ("link", tarfile.SYMTYPE, 0o777, "a\udcffb", b""),
            ("pipe", tarfile.FIFOTYPE, 0o600, "", b""),
        )
        found = {line.path: line for line in restored(opened, tar)}

        assert found[b"closed"].mode == 0
        assert (found[b"closed/secret"].mode, found[b"closed/secret"].size_bytes) == (0, 6)
        assert found[b"suid"].mode == 0o4755
        assert found[b"suid"].group == found[b"same"].group == b"same"
        assert found[b"link"].content == b"a\xffb"
        assert (found[b"link"].mode, found[b"link"].group) == (None, None)
        assert found[b"pipe"].type is MemberType.FIFO

    def test_what_tar_complains_of_is_told(self, opened: DrillRoom) -> None:
        """It is for the one who compares to say whether anything is wrong."""
        said = opened.extract([made(("gone", tarfile.LNKTYPE, 0o644, "nowhere", b""))], incremental=False, seconds=60)

        assert any("gone" in line for line in said)

    def test_time_is_limited(self, opened: DrillRoom) -> None:
        """Also for an archive that does not come."""

        def slowly() -> Iterator[bytes]:
            tar = make_tar({"a": b"x"})
            yield tar[:512]
            while True:
                yield bytes(512)

        with pytest.raises(DrillStopped, match="stopped after"):
            opened.extract(slowly(), incremental=False, seconds=0.5)
        with pytest.raises(DrillStopped, match="no time left"):
            opened.extract([], incremental=False, seconds=0)

    def test_an_error_of_the_blocks_passes_through(self, opened: DrillRoom) -> None:
        def broken() -> Iterable[bytes]:
            yield make_tar()
            raise DrillStopped("the line broke")

        with pytest.raises(DrillStopped, match="the line broke"):
            opened.extract(broken(), incremental=False, seconds=60)

    def test_blocks_are_read_to_their_end(self, opened: DrillRoom) -> None:
        """Also those that tar does not want: only at the end is it known that all of them were right."""
        seen = []

        def blocks() -> Iterator[bytes]:
            yield make_tar()
            for number in range(64):
                seen.append(number)
                yield bytes(1 << 20)

        opened.extract(blocks(), incremental=False, seconds=60)

        assert len(seen) == 64

    def test_nothing_is_written_outside(self, opened: DrillRoom, tmp_path: Path) -> None:
        """Neither through a link, nor by a name that leads out."""
        outside = tmp_path / "outside"
        outside.mkdir()
        outside.chmod(0o777)
        tar = made(
            ("out", tarfile.SYMTYPE, 0o777, str(outside), b""),
            ("out/through", tarfile.REGTYPE, 0o644, "", b"x"),
            ("../up", tarfile.REGTYPE, 0o644, "", b"x"),
            ("/tmp/absolute-in-a-drill", tarfile.REGTYPE, 0o644, "", b"x"),
        )
        restored(opened, tar)

        assert list(outside.iterdir()) == []
        assert not Path("/tmp/absolute-in-a-drill").exists()
