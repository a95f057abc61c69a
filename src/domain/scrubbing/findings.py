"""
What a scrub finds: which part of an archive is wrong, and how that shows.

The rule: nothing is found wrong by one read. What differs once and is right when it is read again is *unstable*, which
says something of the machine (its memory, a cable) and nothing of the archive.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from ..archives.archive import BackupArchive
from ..identity.archive_id import ArchiveId
from ..text.counted import counted


class ScrubbedPart(Enum):
    """What belongs to a stored archive and is checked."""

    BYTES = "bytes"
    SIDECAR = "side-car"
    ENTRY = "entry in the catalog"
    SNAPSHOT = "snapshot file"
    MARKS = "marks"


class Fault(Enum):
    """How it shows that a part is not as it was written."""

    MISSING = "missing"
    LENGTH = "length"
    DIGEST = "digest"  # other bytes than were received
    UNREADABLE = "unreadable"  # the medium cannot read them, or they make no sense


@frozen
class Damage:
    """How it shows that the bytes of an archive are damaged; *what* begins with them, in a few words."""

    fault: Fault
    what: str


MISSING = Damage(Fault.MISSING, "its file is missing")
UNREADABLE = Damage(Fault.UNREADABLE, "it cannot be read to its end")


def other_length(size_bytes: int, archive: BackupArchive) -> Damage:
    """*archive* has *size_bytes* in the store."""
    return Damage(Fault.LENGTH, f"it has {counted(size_bytes, 'byte')} instead of {archive.size_bytes}")


def other_bytes(sha256: str) -> Damage:
    """The bytes of an archive have *sha256*, which is not theirs."""
    return Damage(Fault.DIGEST, f"its bytes are not what was received, they have the SHA-256 {sha256}")


class ScrubVerdict(Enum):
    """What follows from a fault."""

    DAMAGED = "damaged"  # two reads found it
    MENDED = "mended"  # likewise, and it was made right from what is known besides
    UNSTABLE = "unstable"  # the second read found nothing


@frozen
class Finding:
    """One fault of one part of the archive *id*; *what* says how it shows and begins with the part, in a few words."""

    id: ArchiveId
    part: ScrubbedPart
    fault: Fault
    verdict: ScrubVerdict
    what: str
