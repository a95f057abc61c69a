"""The sums of blocks by which any part of an archive is checked."""

from __future__ import annotations

from typing import Protocol

from ..archives.block_sums import BlockSums


class ArchiveSums(Protocol):
    """
    Sums of the blocks of archives, by the SHA-256 of the archive in lower-case hex. A cache, like `MemberRecords`: it
    may lose what it holds, and none of its methods raises for what the medium does.
    """

    def get(self, sha256: str) -> BlockSums | None:
        """The sums of that archive, exactly as they were put; None where there are none."""

    def put(self, sha256: str, sums: BlockSums) -> None:
        """Keep *sums*, if that is possible."""
