"""
What lies under the name of an archive: among the stored ones, or in the trash.

The rule: the side-car makes the archive, since its metadata tell the object with the bytes; what lies beside it means
nothing alone. A plain object of that name without a side-car is an archive that a person copied there.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, unquote

from attrs import frozen

from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.ports.store import StoredArchive
from .bucket.objects import RECEIPT, Listed, ObjectBucket, SeenObject
from .keys import (
    MARKS,
    PLAIN,
    SIDECAR,
    SNAPSHOT,
    TYPE_WORDS,
    Place,
    folder_of,
    is_profile,
    key_of,
    named_in,
    receipt_of,
)

_OBJECT = "object"
_LOOKS = 5
"""How often a name is looked at anew because the archive changed meanwhile."""


@frozen
class Found:
    """An archive: where its bytes are, how they were seen, and its side-car, None for a plain object without one."""

    id: ArchiveId
    key: str
    seen: SeenObject
    sidecar: bytes | None

    @property
    def is_plain(self) -> bool:
        """Whether the object lies under the name itself, with or without a side-car."""
        return self.key.endswith("/" + self.id.name)

    def is_same(self, other: Found) -> bool:
        """Whether both have the same bytes: one object, or a copy of a plain one."""
        return self.key == other.key or (self.is_plain and other.is_plain and self.seen.etag == other.seen.etag)


def naming(key: str) -> dict[str, str]:
    """The metadata of a side-car of the bytes at *key*."""
    return {_OBJECT: quote(key), RECEIPT: receipt_of(key)}


def named_by(metadata: dict[str, str]) -> str | None:
    """The key of the bytes that a side-car with *metadata* names."""
    return unquote(metadata[_OBJECT]) if _OBJECT in metadata else None


@frozen
class Names:
    """The names in one *place*."""

    bucket: ObjectBucket
    place: Place

    def key(self, id: ArchiveId, suffix: str) -> str:
        """The key of what lies beside *id* with that *suffix*."""
        return key_of(self.place, id, suffix)

    def beside(self, id: ArchiveId) -> list[str]:
        """The keys of what lies here under the name of *id*, the side-car and a plain object included."""
        names = {self.key(id, suffix) for suffix in (PLAIN, SIDECAR, SNAPSHOT, MARKS)}
        return [one.key for one in self.bucket.listed(self.key(id, PLAIN)) if one.key in names]

    def look(self, id: ArchiveId) -> Found | None:
        """The archive that lies here as *id*, with the side-car of those very bytes; None if no archive does."""
        for _ in range(_LOOKS):
            sidecar = self.bucket.get_small(self.key(id, SIDECAR))
            named = None if sidecar is None else named_by(dict(sidecar.metadata))
            key = named or self.key(id, PLAIN)
            seen = self.bucket.head(key)
            if seen is not None:
                return Found(id, key, seen, None if sidecar is None else sidecar.content)
            if sidecar is None or sidecar == self.bucket.get_small(self.key(id, SIDECAR)):
                return None
        return None

    def marks(self, id: ArchiveId) -> bytes | None:
        """The marks beside *id*; None without any."""
        found = self.bucket.get_small(self.key(id, MARKS))
        return None if found is None else found.content

    def has_snapshot(self, id: ArchiveId) -> bool:
        """Whether a snapshot file lies beside *id*."""
        return self.bucket.head(self.key(id, SNAPSHOT)) is not None

    def stored(self, found: Found) -> StoredArchive:
        """What was found, as the port tells it."""
        return StoredArchive(found.id, found.seen.size_bytes, found.sidecar, self.has_snapshot(found.id))

    def remove_beside(self, id: ArchiveId) -> None:
        """Remove what lies beside *id*, but not its side-car."""
        self.bucket.delete(self.key(id, SNAPSHOT), self.key(id, MARKS))

    def remove(self, id: ArchiveId) -> None:
        """Remove the names of *id*, the side-car first; the object with the bytes stays unless it is a plain one."""
        self.bucket.delete(self.key(id, SIDECAR), self.key(id, PLAIN))
        self.remove_beside(id)

    def copy_to(self, target: Names, found: Found, *, anew: bool) -> None:
        """
        Give the archive that was *found* here the same names in *target*, the one that makes the archive last.

        What lies beside it there gives way if *anew*, and stays else.
        """
        for suffix in (SNAPSHOT, MARKS):
            source, goal = self.key(found.id, suffix), target.key(found.id, suffix)
            if self.bucket.head(source) is None:
                if anew:
                    self.bucket.delete(goal)
            elif anew or self.bucket.head(goal) is None:
                self.bucket.copy(source, goal)
        if found.is_plain:
            self.bucket.copy(found.key, target.key(found.id, PLAIN))
        if found.sidecar is not None:
            metadata = naming(found.key)
            if found.is_plain:
                metadata = naming(target.key(found.id, PLAIN))
            self.bucket.put(target.key(found.id, SIDECAR), found.sidecar, metadata)

    def folders(self, profile: str | None = None) -> Iterator[tuple[str, BackupType]]:
        """Every profile and type that may have a folder here, in order; only those of *profile*, if one is given."""
        profiles = self.bucket.folders(self.place.value) if profile is None else [profile]
        for name in filter(is_profile, profiles):
            for word in TYPE_WORDS:
                yield name, BackupType(word)

    def inside(self, profile: str, type: BackupType) -> list[Listed]:
        """What lies in one folder."""
        return self.bucket.listed(folder_of(self.place, profile, type))

    def ids(self, *suffixes: str, profile: str | None = None) -> Iterator[ArchiveId]:
        """The archives of which something with one of *suffixes* lies here, in order."""
        for whose, type in self.folders(profile):
            listed = self.inside(whose, type)
            yield from sorted(ids_among(listed, whose, type, *suffixes))


def ids_among(listed: list[Listed], profile: str, type: BackupType, *suffixes: str) -> set[ArchiveId]:
    """The archives of which something with one of *suffixes* is *listed*."""
    named = (named_in(one.key, profile, type, suffix) for one in listed for suffix in suffixes)
    return {id for id in named if id is not None}
