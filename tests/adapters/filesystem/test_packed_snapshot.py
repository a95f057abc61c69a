"""Snapshot files are packed on the disk, and unpack to what was written, or raise an error about damage."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.adapters.filesystem.archives.packed_snapshot import (
    MAGIC,
    SHORT_BYTES,
    BadSnapshot,
    are_equal,
    packed,
    unpacked,
)
from tarkeep.domain.errors.archives import ArchiveCorrupt
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.store_doors import FilesystemDoor

ID = ArchiveId("host", BackupType.INC, "a.tar.gz")
LONG = b"".join(b"%d\0%d\0directory/%d\0" % (n, n * 7, n) for n in range(20_000))


def cut(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@pytest.mark.parametrize("content", [b"", b"short", MAGIC, MAGIC + b"short", LONG[:SHORT_BYTES], LONG, MAGIC + LONG])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_what_is_packed_comes_back(content: bytes, size: int) -> None:
    """Whatever its length and its blocks; long ones take less room, short ones are stored as plain bytes."""
    written = b"".join(packed(cut(content, max(size, len(content) // 5_000))))

    assert b"".join(unpacked(cut(written, max(size, len(written) // 5_000)))) == content
    assert are_equal([written], packed([content]))
    assert not are_equal([written], packed([content + b"x"]))
    if len(content) > SHORT_BYTES:
        assert len(written) < len(content) / 3
    elif not content.startswith(MAGIC):
        assert written == content


@settings(deadline=None)
@given(st.binary(max_size=50), st.integers(0, 1 << 17), st.integers(1, 5_000))
def test_any_bytes_come_back(head: bytes, length: int, size: int) -> None:
    """Bytes that do not compress, too."""
    content = head + random.Random(length).randbytes(length)

    assert b"".join(unpacked(cut(b"".join(packed(cut(content, size))), size))) == content


def test_damage_is_told() -> None:
    """A flipped bit, a file that is cut, one with more bytes: an error, and never other bytes."""
    written = b"".join(packed([LONG]))
    rng = random.Random(1)
    for place in [*range(len(MAGIC), 40), *rng.choices(range(len(MAGIC), len(written)), k=200), len(written) - 1]:
        flipped = bytearray(written)
        flipped[place] ^= 1 << place % 8
        for damaged in (bytes(flipped), written[:place], written[:place] + bytes(len(written) - place), written + b"x"):
            if damaged != written:
                with pytest.raises(BadSnapshot):
                    b"".join(unpacked([damaged]))


def test_one_that_was_put_there_by_hand_is_read(tmp_path: Path) -> None:
    """Even a long one; the same sent again is equal, and a damaged one raises an error."""
    door = FilesystemDoor(tmp_path)
    store = door.store
    with store.begin() as writer:
        writer.write(b"whole")
        writer.seal(b"{}")
        writer.publish(ID)
    place = door.file(ID).with_name(ID.name + ".snar")
    place.write_bytes(LONG)

    store.keep_snapshot(ID, [LONG])
    with store.snapshot(ID) as reader:
        assert (b"".join(reader), reader.size_bytes) == (LONG, len(LONG))
    place.unlink()
    store.keep_snapshot(ID, [LONG])
    assert place.stat().st_size < len(LONG) / 3
    place.chmod(0o600)
    place.write_bytes(place.read_bytes()[:-9] + bytes(9))
    with store.snapshot(ID) as reader, pytest.raises(ArchiveCorrupt):
        b"".join(reader)
    store.close()
