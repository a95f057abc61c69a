"""Stored archives: missing, conflicting, damaged or ambiguous."""

from __future__ import annotations

from attrs import define

from ..identity.archive_id import ArchiveId, BackupType
from ..tarkeep_error import TarkeepError


@define
class DuplicateEntry(TarkeepError):
    """An inventory names an archive twice in one type. *side* is ``local`` or ``remote``."""

    side: str
    type: BackupType
    name: str

    def __str__(self) -> str:
        return f"the {self.side} inventory names {self.type.value}/{self.name} more than once"


@define
class NameConflict(TarkeepError):
    """
    Other bytes are stored under this identity, which is never overwritten.

    *existing_sha256* is None if the store holds the archive but the catalog does not know it. *was_removed*: they were
    removed, are in the trash or no more, and their name stays known for a while.
    """

    id: ArchiveId
    existing_sha256: str | None
    was_removed: bool = False

    def __str__(self) -> str:
        if self.existing_sha256 is None:
            return f"the store holds a {self.id} that the catalog does not know"
        if self.was_removed:
            return (
                f"{self.id} was removed, had other bytes (sha256 {self.existing_sha256}), and its name is not given to "
                "others for as long as it is known"
            )
        return (
            f"{self.id} is already stored with other bytes (sha256 {self.existing_sha256}) and archives are never "
            "overwritten"
        )


@define
class ReceiveInProgress(TarkeepError):
    """Another upload of the same identity is being received and did not end in time."""

    id: ArchiveId

    is_transient = True

    def __str__(self) -> str:
        return f"{self.id} is being received by another upload"


@define
class ClaimLost(TarkeepError):
    """A claim was not renewed in time, and another server took it over, or it was settled already."""

    id: ArchiveId

    is_transient = True

    def __str__(self) -> str:
        return f"{self.id} was not stored in time, and another server has settled its claim on the name"


@define
class ArchiveNotFound(TarkeepError):
    """No such archive. *name* is the part of the identity that the request gave."""

    name: str

    def __str__(self) -> str:
        return f"no archive {self.name}"


@define
class SnapshotNotFound(TarkeepError):
    """No snapshot file of tar is kept with an archive, or the one kept is damaged."""

    id: ArchiveId
    is_damaged: bool = False

    def __str__(self) -> str:
        if self.is_damaged:
            return f"the snapshot file kept with {self.id} is damaged or lost; ask anew what a dump continues from"
        return f"no snapshot file is kept with {self.id}"


@define
class ProfileNotFound(TarkeepError):
    """No archive of this profile is stored."""

    profile: str

    def __str__(self) -> str:
        return f"no profile {self.profile}"


@define
class AmbiguousName(TarkeepError):
    """Several profiles hold an archive of this type and name, and the request names no profile."""

    type: BackupType
    name: str
    profiles: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type.value}/{self.name} is stored for the profiles {', '.join(self.profiles)}"


@define
class ArchiveCorrupt(TarkeepError):
    """The stored bytes are known to differ from the bytes received; *fault* says how that showed, if it is known."""

    id: ArchiveId
    fault: str | None = None

    def __str__(self) -> str:
        return f"the stored bytes of {self.id} are damaged; sending the same archive again repairs it"


@define
class AlreadyPublished(TarkeepError):
    """The store holds an archive under this identity; publish never overwrites."""

    id: ArchiveId

    def __str__(self) -> str:
        return f"the store already holds {self.id}"


@define
class ArchiveProtected(TarkeepError):
    """Holds or a lock keep this archive. *protections* says what does, each in words, at least one."""

    id: ArchiveId
    protections: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.id} is kept: {'; '.join(self.protections)}"


@define
class InvalidSidecar(TarkeepError):
    """A side-car cannot be parsed."""

    reason: str

    def __str__(self) -> str:
        return f"side-car not readable: {self.reason}"


@define
class AmbiguousType(TarkeepError):
    """A profile holds archives of several types under one name, and no type was given."""

    name: str
    types: tuple[BackupType, ...]

    def __str__(self) -> str:
        places = ", ".join(f"{type.value}/{self.name}" for type in self.types)
        return f"several archives have this name: {places}; name one of them so"


@define
class SnapshotConflict(TarkeepError):
    """A different snapshot file of tar is already kept with this archive."""

    id: ArchiveId

    def __str__(self) -> str:
        return f"another snapshot file is kept with {self.id}, and nothing is ever replaced"


@define
class RecordsMissing(TarkeepError):
    """No member records are kept for an archive with this SHA-256; they can be made from the archive."""

    sha256: str

    def __str__(self) -> str:
        return f"no members are recorded of the archive with SHA-256 {self.sha256}"
