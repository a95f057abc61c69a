"""Bytes with an expected digest: the last of them come only if it is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import frozen

from ...errors.archives import ArchiveCorrupt
from ...ports.inspection import Hasher
from ...ports.store import ArchiveReader
from ...uploads import ChecksumAlgorithm


@frozen
class HashedReader:
    """
    An `ArchiveReader` around *reader*.

    Each block is given when the next one is read; the last block only if the SHA-256 of all bytes is *sha256*, in
    lower-case hex, and after *right* was called. Otherwise, or if not all bytes can be read, the error from *wrong* is
    raised in its place, so that the client gets fewer bytes than announced.
    """

    reader: ArchiveReader
    sha256: str
    hasher: Hasher
    wrong: Callable[[], Exception]
    right: Callable[[], None] = lambda: None

    @property
    def size_bytes(self) -> int:
        return self.reader.size_bytes

    def __iter__(self) -> Iterator[bytes]:
        digest = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        held = None
        try:
            for block in self.reader:
                digest.update(block)
                if held is not None:
                    yield held
                held = block
        except ArchiveCorrupt as error:
            raise self.wrong() from error
        if digest.digest().hex() != self.sha256:
            raise self.wrong()
        self.right()
        if held is not None:
            yield held

    def __enter__(self) -> HashedReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self.reader.__exit__(None, None, None)
