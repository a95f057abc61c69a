"""
The keys of a bucket.

::

    PREFIX/tarkeep.json                                         the marker
    PREFIX/archives/<profile>/<TYPE>/<name>.tar.gz.json         side-car; its metadata tell the object with the bytes
    PREFIX/archives/<profile>/<TYPE>/<stem>!<receipt>.tar.gz    bytes whose name was known before they came
    PREFIX/arrived/<receipt>.tar.gz                             bytes whose name was learnt after them
    PREFIX/archives/<profile>/<TYPE>/<name>.tar.gz.snar         snapshot file
    PREFIX/archives/<profile>/<TYPE>/<name>.tar.gz.marks        marks
    PREFIX/archives/<profile>/<TYPE>/<name>.tar.gz              an archive that a person copied here, without side-car
    PREFIX/trash/<profile>/<TYPE>/                              the same for archives in the trash, and the notes
    PREFIX/quarantine/<profile>/<TYPE>/<name>.tar.gz.<receipt>  names the object with bytes that were replaced
    PREFIX/staging/<upload>/                                    the bytes of a resumable upload, see `staging.segments`
    PREFIX/probe/                                               what is tried at a start

The rule: an object with bytes has a receipt in its key, which is used once, so that nobody ever writes such a key
twice. ``!`` is no character of names.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum

from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.identity.invalid import InvalidName
from ...domain.identity.naming import ARCHIVE_SUFFIX, check_profile

MARKER = "tarkeep.json"
ARRIVED = "arrived/"
STAGING = "staging/"
PROBE = "probe/"

PLAIN = ""
SIDECAR = ".json"
SNAPSHOT = ".snar"
MARKS = ".marks"
NOTE = ".trashed.json"

TYPE_WORDS = tuple(sorted(type.value for type in BackupType))
_RECEIPT_MARK = "!"


class Place(Enum):
    """Where the names of archives are."""

    ARCHIVES = "archives/"
    TRASH = "trash/"
    QUARANTINE = "quarantine/"


def key_of(place: Place, id: ArchiveId, suffix: str) -> str:
    """The key below the prefix of what belongs to *id*; *suffix* is one of those above."""
    return folder_of(place, id.profile, id.type) + id.name + suffix


def folder_of(place: Place, profile: str, type: BackupType) -> str:
    """What the keys of all archives of one profile and type begin with."""
    return f"{place.value}{profile}/{type.value}/"


def object_key(receipt: str, id: ArchiveId | None = None) -> str:
    """The key for bytes that arrive under *receipt*; *id* is what they are expected to be called, None if unknown."""
    if id is None:
        return ARRIVED + receipt + ARCHIVE_SUFFIX
    stem = id.name.removesuffix(ARCHIVE_SUFFIX)
    return folder_of(Place.ARCHIVES, id.profile, id.type) + stem + _RECEIPT_MARK + receipt + ARCHIVE_SUFFIX


def receipt_of(key: str) -> str:
    """The receipt in the key of an object with bytes."""
    name = key.rpartition("/")[2].removesuffix(ARCHIVE_SUFFIX)
    return name.rpartition(_RECEIPT_MARK)[2]


def quarantine_key(id: ArchiveId, receipt: str) -> str:
    """The key of what names the replaced bytes of *id* that came under *receipt*."""
    return key_of(Place.QUARANTINE, id, "." + receipt)


def quarantined_in(key: str) -> ArchiveId | None:
    """The archive whose replaced bytes *key* names; None if there is none."""
    _, profile, word, name = (key.split("/") + [""] * 3)[:4]
    with suppress(ValueError, InvalidName):
        return named_in(name.rpartition(".")[0], profile, BackupType(word), PLAIN)
    return None


def named_in(key: str, profile: str, type: BackupType, suffix: str) -> ArchiveId | None:
    """The archive whose *suffix* is at *key*; None if there is none, also if the name breaks the rules."""
    name = key.rpartition("/")[2]
    if name.endswith(ARCHIVE_SUFFIX + suffix):
        with suppress(InvalidName):
            return ArchiveId(profile, type, name.removesuffix(suffix))
    return None


def is_profile(name: str) -> bool:
    """Whether *name* may be that of a profile."""
    with suppress(InvalidName):
        check_profile(name)
        return True
    return False
