"""Check sums of blocks, by which any part of an archive can be checked."""

from __future__ import annotations

from typing import Protocol

from ..archives.block_sums import BlockSums


class ArchiveSums(Protocol):
    """
    Sums of the blocks of archives, by the SHA-256 of the archive in lower-case hex. A cache, like `MemberRecords`: it
    may lose what it holds, and no method raises for failures of the medium.
    """

    def get(self, sha256: str) -> BlockSums | None:
        """The sums of that archive, exactly as they were put, or None."""

    def put(self, sha256: str, sums: BlockSums) -> None:
        """Keep *sums*, if possible."""
