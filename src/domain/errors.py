"""
Everything that can go wrong, as one tree.

Fields are data, the sentence is derived from them, and no error holds a path of the server's disk, an SQL text or a
secret: any of them may be shown to a client as it is. Adapters translate their libraries' errors into these with
``raise ... from error``; entrypoints hold one table each from class to status or exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from .text.counted import counted
from .text.paths import path_text

if TYPE_CHECKING:
    from datetime import datetime

    from .archives.archive import ArchiveId, BackupType
    from .trees.lack_counts import Counts


class TarkeepError(Exception):
    """Base of all errors of the domain; ``str(error)`` is the sentence for people."""


# -- what a client said ----------------------------------------------------------------------------------------------


@define
class InvalidName(TarkeepError):
    """A profile or archive name breaks a rule of `naming`. *what* is ``profile`` or ``archive``."""

    what: str
    value: str
    rule: str

    def __str__(self) -> str:
        shown = self.value if len(self.value) <= 80 else self.value[:80] + "..."
        return f"{self.what} name {shown!a} {self.rule}"


@define
class InvalidType(TarkeepError):
    """Not one of the three backup types."""

    value: str

    def __str__(self) -> str:
        return f"unknown backup type {self.value[:80]!a}, use FULL, INC or DIFF"


@define
class DigestInvalid(TarkeepError):
    """A declared digest is not readable as one."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.value[:160]!a} is not a {self.algorithm} digest"


@define
class DigestMismatch(TarkeepError):
    """The bytes received are not the bytes declared; digests in lower-case hex."""

    algorithm: str
    declared: str
    actual: str

    def __str__(self) -> str:
        return f"{self.algorithm} of the received bytes is {self.actual}, declared was {self.declared}; send it again"


@define
class DuplicateEntry(TarkeepError):
    """An inventory names an archive twice in one type. *side* is ``local`` or ``remote``."""

    side: str
    type: BackupType
    name: str

    def __str__(self) -> str:
        return f"the {self.side} inventory names {self.type.value}/{self.name} more than once"


# -- who comes in ----------------------------------------------------------------------------------------------------


@define
class NotLetIn(TarkeepError):
    """Somebody has no token, or none that is valid here and now."""

    why: str

    def __str__(self) -> str:
        return self.why


@define
class ScopeMissing(TarkeepError):
    """A token has not the right that is needed; *needed* are scopes, any of which would do."""

    needed: tuple[str, ...]

    def __str__(self) -> str:
        return f"this needs a token with the scope {' or '.join(self.needed)}"


@define
class TokenNotFound(TarkeepError):
    """There is no token with this id."""

    id: str

    def __str__(self) -> str:
        return f"no token {self.id[:80]!a}; tarkeep token list shows them"


# -- what the bytes turned out to be ---------------------------------------------------------------------------------


class RejectedContent(TarkeepError):
    """The received bytes are not a whole ``.tar.gz``; nothing was kept."""


class EmptyArchive(RejectedContent):
    """No byte was received."""

    def __str__(self) -> str:
        return "the archive is empty (0 bytes)"


@define
class NotAGzip(RejectedContent):
    """The bytes at *offset* (of the received bytes) do not begin a gzip member."""

    offset: int

    def __str__(self) -> str:
        return f"not gzip data at byte {self.offset}"


@define
class GzipDamaged(RejectedContent):
    """The gzip data cannot be inflated, is cut, or fails its own CRC or length. *offset* is of the received bytes."""

    offset: int
    reason: str

    def __str__(self) -> str:
        return f"gzip data damaged near byte {self.offset}: {self.reason}"


@define
class NotATar(RejectedContent):
    """The inflated bytes are not a whole tar. *offset* is of the inflated bytes; some *begins_as_one* all the same."""

    offset: int
    reason: str
    begins_as_one: bool = True

    def __str__(self) -> str:
        return f"not a whole tar at inflated byte {self.offset}: {self.reason}"


@define
class TooLarge(TarkeepError):
    """More bytes than the limit, announced or found out while receiving."""

    limit_bytes: int

    def __str__(self) -> str:
        return (
            f"the archive goes on after byte {self.limit_bytes}, which is the last that is taken of one; "
            "raise max_upload_bytes on the server, or send less"
        )


@define
class ExpandsTooFar(TarkeepError):
    """Inflates to more bytes, or holds more members or longer names, than the limit. *setting* names the limit."""

    setting: str
    limit: int

    def __str__(self) -> str:
        return f"the archive exceeds {self.setting} = {self.limit} when unpacked"


@define
class UploadInterrupted(TarkeepError):
    """The sender went away or broke off before the end of the archive."""

    received_bytes: int

    def __str__(self) -> str:
        return f"the upload broke off after {counted(self.received_bytes, 'byte')}"


# -- resumable uploads -----------------------------------------------------------------------------------------------


@define
class UploadNotFound(TarkeepError):
    """No such upload, or none any more that anything is known of."""

    upload: str

    def __str__(self) -> str:
        return f"no upload {self.upload[:80]!a}; begin a new one"


@define
class UploadGone(TarkeepError):
    """The upload has ended without an archive; *why* says how."""

    upload: str
    why: str

    def __str__(self) -> str:
        return f"upload {self.upload} is over: {self.why}; begin a new one"


@define
class UploadLocked(TarkeepError):
    """Another request is writing to the upload and does not let go."""

    upload: str
    retry_after_seconds: int = 5

    def __str__(self) -> str:
        return (
            f"another request is sending bytes for upload {self.upload}; try again in {self.retry_after_seconds} s, "
            "when it has ended"
        )


@define
class OffsetMismatch(TarkeepError):
    """The bytes sent do not begin where the upload stands; both in bytes."""

    upload: str
    offset_bytes: int
    given_bytes: int

    def __str__(self) -> str:
        return f"upload {self.upload} stands at byte {self.offset_bytes}, not {self.given_bytes}; go on from there"


@define
class LengthMismatch(TarkeepError):
    """A length declared for an upload contradicts the one it has, or the bytes it holds; both in bytes."""

    known_bytes: int
    given_bytes: int

    def __str__(self) -> str:
        known = counted(self.known_bytes, "byte")
        return f"the upload has {known} already or was declared to have, not {self.given_bytes}"


@define
class BeyondLength(TarkeepError):
    """More bytes were sent than the upload was declared to have."""

    length_bytes: int

    def __str__(self) -> str:
        return f"the upload was declared to have {counted(self.length_bytes, 'byte')}, and more were sent"


@define
class NotAppendable(TarkeepError):
    """A final upload is made of its parts and takes no bytes of its own."""

    upload: str

    def __str__(self) -> str:
        return f"upload {self.upload} is the concatenation of others and takes no bytes"


@define
class PartsUnusable(TarkeepError):
    """Uploads named for a concatenation cannot be concatenated."""

    reason: str

    def __str__(self) -> str:
        return f"these uploads cannot be concatenated: {self.reason}"


@define
class ChecksumMismatch(TarkeepError):
    """A piece of an upload does not have the checksum it was sent with; the piece was dropped."""

    algorithm: str

    def __str__(self) -> str:
        return f"the {self.algorithm} of these bytes is not the one sent; they were dropped, send them again"


@define
class TooManyUploads(TarkeepError):
    """As many uploads are unfinished as are allowed, of one client or in total."""

    limit: int
    setting: str

    def __str__(self) -> str:
        uploads = f"{counted(self.limit, 'upload')} {'is' if self.limit == 1 else 'are'}"
        return f"{uploads} unfinished, which is the most ({self.setting}); finish or delete one first"


@define
class StagedBytesMissing(TarkeepError):
    """Staging holds fewer bytes of an upload than were acknowledged."""

    upload: str

    def __str__(self) -> str:
        return f"the bytes of upload {self.upload} are lost; begin a new one"


# -- what is stored already ------------------------------------------------------------------------------------------


@define
class NameConflict(TarkeepError):
    """
    Other bytes are stored under this identity, which is never overwritten.

    *existing_sha256* is None for an archive in the store that nothing describes.
    """

    id: ArchiveId
    existing_sha256: str | None

    def __str__(self) -> str:
        if self.existing_sha256 is None:
            return f"the store holds a {self.id} that the catalog does not know; run tarkeep rebuild on the server"
        return (
            f"{self.id} is already stored with other bytes (sha256 {self.existing_sha256}) and archives are never "
            "overwritten; send it under a new name, for example with the date in it, or set "
            'same_name = "keep-both" on the server to have the receive time put into the name'
        )


@define
class ReceiveInProgress(TarkeepError):
    """Another upload of this very name is being received and did not end in time."""

    id: ArchiveId
    retry_after_seconds: int = 5

    def __str__(self) -> str:
        return f"{self.id} is being received by another upload; try again in {self.retry_after_seconds} s"


@define
class ArchiveNotFound(TarkeepError):
    """No such archive. *name* is as much of the identity as was asked for."""

    name: str

    def __str__(self) -> str:
        return f"no archive {self.name}"


@define
class SnapshotNotFound(TarkeepError):
    """No snapshot file of tar is kept with an archive, or none that is what it was."""

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
    """Several profiles hold an archive of this type and name and none was chosen."""

    type: BackupType
    name: str
    profiles: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.type.value}/{self.name} is stored for the profiles {', '.join(self.profiles)}; "
            "choose one with ?profile="
        )


@define
class ArchiveCorrupt(TarkeepError):
    """The stored bytes are known not to be what was received."""

    id: ArchiveId

    def __str__(self) -> str:
        return f"the stored bytes of {self.id} are damaged; sending the same archive again repairs it"


@define
class AlreadyPublished(TarkeepError):
    """The store holds an archive under this identity; publish never overwrites."""

    id: ArchiveId

    def __str__(self) -> str:
        return f"the store already holds {self.id}"


@define
class CatalogLacks(TarkeepError):
    """The catalog does not know *count* archives of the store, which is more than are entered in passing."""

    count: int
    limit: int

    def __str__(self) -> str:
        return (
            f"the store holds {counted(self.count, 'archive')} that the catalog does not know, as after it was lost; "
            f"more than {self.limit} (setting max_adopted_archives) are not entered at a start: run tarkeep rebuild"
        )


@define
class SidecarInvalid(TarkeepError):
    """A side-car cannot be read as one."""

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
class ParentMismatch(TarkeepError):
    """An archive is said to build on one that is not stored, or not the one to build on. *expected* is, if there is."""

    stated: ArchiveId
    expected: ArchiveId | None
    is_stored: bool

    def __str__(self) -> str:
        why = "is not what this archive would continue from" if self.is_stored else "is not stored"
        advice = f"expected {self.expected}" if self.expected is not None else "make a FULL archive first"
        return f"the stated parent {self.stated} {why}; {advice}"


@define
class SnapshotConflict(TarkeepError):
    """Another snapshot file of tar is kept with an archive already."""

    id: ArchiveId

    def __str__(self) -> str:
        return f"another snapshot file is kept with {self.id}, and nothing is ever replaced"


@define
class PathNotFound(TarkeepError):
    """A tree has no such name. *path* is in bytes, as archives have it."""

    path: bytes

    def __str__(self) -> str:
        return f"there is no {path_text(self.path)} in the tree at that time"


@define
class MemberNotFound(TarkeepError):
    """An archive has no file of that name whose bytes stand in it by themselves."""

    id: ArchiveId
    path: bytes

    def __str__(self) -> str:
        return (
            f"{self.id} has no file {path_text(self.path)}, or a sparse one; "
            "what it holds is listed at .../members, and restore.tar?path= gives sparse files"
        )


@define
class PointNotFound(TarkeepError):
    """No restore point at or before a time, or for an archive. *earliest* is when the first one was taken, if any."""

    at: str
    earliest: datetime | None = None

    def __str__(self) -> str:
        hint = f"; the earliest was taken at {self.earliest.isoformat()}" if self.earliest is not None else ""
        return f"no restore point for {self.at}{hint}"


@define
class PointNotRestorable(TarkeepError):
    """
    The tree at this point cannot be restored from what is stored.

    *reasons* is one readable line per obstacle, *nearest* are points that restore, the nearest in time first. *lacks*
    counts the names that it would be given without, or not for certain, where it can be given without some.
    """

    id: ArchiveId
    reasons: tuple[str, ...]
    nearest: tuple[ArchiveId, ...] = ()
    lacks: Counts | None = None

    def __str__(self) -> str:
        hint = f"the nearest that can is {self.nearest[0]}" if self.nearest else "no other point can"
        return f"the tree as of {self.id} cannot be restored: {'; '.join(self.reasons)}; {hint}"


@define
class MemberUnreadable(TarkeepError):
    """The headers of a member of a stored archive cannot be understood. *at* is their place in the inflated tar."""

    at: int
    reason: str

    def __str__(self) -> str:
        return f"the member at inflated byte {self.at} cannot be read: {self.reason}"


@define
class TreeTooLarge(TarkeepError):
    """The names of a tree, or of an archive that is compared, take more memory than the server has for them."""

    limit_bytes: int

    def __str__(self) -> str:
        return (
            f"its names and the paths of its directories have more than {self.limit_bytes} bytes "
            "(setting max_tree_bytes), or a directory lies deeper than any tar could extract it; "
            "its plan restores it with tar"
        )


@define
class RecordsMissing(TarkeepError):
    """No records of the members of an archive with this SHA-256 are kept; they can be made from the archive."""

    sha256: str

    def __str__(self) -> str:
        return f"no members are recorded of the archive with SHA-256 {self.sha256}"


# -- what the server cannot do now -----------------------------------------------------------------------------------


@define
class InsufficientStorage(TarkeepError):
    """The disk, its inodes or its quota are used up; bytes where known."""

    needed_bytes: int | None = None
    free_bytes: int | None = None

    def __str__(self) -> str:
        if self.needed_bytes is None or self.free_bytes is None:
            return "the server has no space left for this archive; free some and send it again"
        return f"the server needs {counted(self.needed_bytes, 'byte')} for this archive and has {self.free_bytes} free"


@define
class QuotaExceeded(TarkeepError):
    """
    A profile holds as much as its rules allow. *what* is ``bytes`` or ``archives``, all numbers are of these.

    *setting* names the rule, *needed* is how many more this archive is, *unfinished* how many of those held are in
    uploads under way.
    """

    profile: str
    what: str
    setting: str
    limit: int
    held: int
    needed: int
    unfinished: int = 0

    @property
    def free(self) -> int:
        """How many more there may be."""
        return max(0, self.limit - self.held)

    def __str__(self) -> str:
        unfinished = f" beside {self.unfinished} of unfinished uploads" if self.unfinished else ""
        return (
            f"profile {self.profile} may hold {self.limit} {self.what} (rule {self.setting}), {self.free} of them are "
            f"free{unfinished}, and this archive needs {self.needed}"
        )


class ReadOnly(TarkeepError):
    """The store or catalog can be read but not written."""

    def __str__(self) -> str:
        return "the server's storage is read-only at the moment"


class CatalogBusy(TarkeepError):
    """The catalog did not become free in time."""

    def __str__(self) -> str:
        return "the catalog is busy; try again"


@define
class BackendUnavailable(TarkeepError):
    """A store or catalog failed or cannot be reached. *what* is ``store`` or ``catalog``."""

    what: str
    reason: str = ""

    def __str__(self) -> str:
        return f"the {self.what} is not available" + (f": {self.reason}" if self.reason else "")


# -- what an operator should know ------------------------------------------------------------------------------------


@define
class DataDirectoryInUse(TarkeepError):
    """Another process owns the data directory. *owner* is its process id where known."""

    owner: str

    def __str__(self) -> str:
        by = f"process {self.owner}" if self.owner else "another process"
        return f"the data directory is in use by {by}; stop it first, or give this one another directory"


@define
class DataDirectoryUnsafe(TarkeepError):
    """Somebody else owns the data directory or may write to it, and so replace what is kept there."""

    reason: str
    hint: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.hint}"


@define
class FormatUnknown(TarkeepError):
    """The data directory or catalog is not one that this version knows."""

    found: str
    hint: str = "use the version of Tarkeep that wrote it, or a newer one"

    def __str__(self) -> str:
        return f"{self.found}; {self.hint}"


@define
class InvalidSetting(TarkeepError):
    """A setting has a value that cannot be used."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"setting {self.name}: {self.reason}"


@define
class WrongUse(TarkeepError):
    """A command cannot do what its line asks for. *what* is the word of the line, the reason says what would do."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


# -- what a client meets ---------------------------------------------------------------------------------------------


@define
class NoAnswer(TarkeepError):
    """
    The server cannot be reached, or the connection broke. *server* is its address without a password.

    It *is_unreachable* where no connection came about at all, now or before.
    """

    server: str
    reason: str
    is_unreachable: bool = False

    def __str__(self) -> str:
        return f"no answer from {self.server}: {self.reason}"


@define
class CertificateNotTrusted(TarkeepError):
    """The server cannot prove that it is who it says."""

    server: str
    reason: str

    def __str__(self) -> str:
        return (
            f"the certificate of {self.server} is not trusted: {self.reason}; "
            "--cacert names a file with the authority that signed it, --fingerprint the certificate itself"
        )


@define
class Unauthorized(TarkeepError):
    """The server wants a token, or another one."""

    server: str
    detail: str

    def __str__(self) -> str:
        return f"{self.server} lets nobody in without the right token: {self.detail}"


@define
class Refused(TarkeepError):
    """The server's refusal, in its own words. *retry_after_seconds* where trying again may help."""

    status: int
    code: str
    detail: str
    retry_after_seconds: float | None = None

    def __str__(self) -> str:
        return self.detail


@define
class StoredDiffers(TarkeepError):
    """The server stores other bytes under the name of a local archive. *name* is ``TYPE/NAME``."""

    name: str

    def __str__(self) -> str:
        return f"other bytes are stored under this name ({self.name}) and stay; rename the file and push it again"


@define
class LocalFileChanged(TarkeepError):
    """A local archive is not what it was when it was listed."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} changed while it was read; run this again when whatever writes it is done"


@define
class NothingToSend(TarkeepError):
    """There is no local archive at all."""

    folder: str

    def __str__(self) -> str:
        return f"no .tar.gz in FULL, INC or DIFF below {self.folder}; name files, or set BACKUP_DIR"


@define
class PulledBytesDiffer(TarkeepError):
    """What arrived, whole, does not have the SHA-256 that the server names; both in lower-case hex."""

    name: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return (
            f"{self.name} arrived with SHA-256 {self.actual}, the server says {self.expected}; nothing was kept, and "
            "the server was asked to read it again: pull it again, or see what tarkeep list says of it"
        )


@define
class LocalConflict(TarkeepError):
    """Other bytes lie here under the name of an archive."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} has other bytes than the server; move it away, or replace it with --force"


@define
class LocalDiskFull(TarkeepError):
    """The disk, or somebody's share of it, is used up; bytes where known."""

    folder: str
    needed_bytes: int | None = None
    free_bytes: int | None = None

    def __str__(self) -> str:
        if self.needed_bytes is None:
            sizes = ""
        else:
            sizes = f", which has {counted(self.free_bytes or 0, 'byte')} free and needs {self.needed_bytes}"
        return f"no space left in {self.folder}{sizes}; free some and run the same command again, it goes on from here"


@define
class FolderUnusable(TarkeepError):
    """A folder or file of this machine cannot be used as it must be."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} cannot be used: {self.reason}"


@define
class PullInProgress(TarkeepError):
    """Another process pulls this archive to the same place."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} is being pulled by another process"


# -- what a client meets in making and restoring dumps ---------------------------------------------------------------


@define
class NotThere(Refused):
    """The server has no such thing, in its own words."""


@define
class NotRestorable(TarkeepError):
    """
    The tree at a time cannot be restored from what is stored.

    *obstacles* are a sentence each; *nearest* are points that can be, ``TYPE/NAME`` with the time, nearest first.
    *lacks* counts the names that it would be given without, or not for certain, where it can be given without some.
    """

    at: str
    obstacles: tuple[str, ...]
    nearest: tuple[str, ...] = ()
    lacks: Counts | None = None

    def __str__(self) -> str:
        why = "; ".join(self.obstacles) or "the server does not say why"
        return f"the tree as of {self.at} cannot be restored: {why}"


@define
class ParentMoved(TarkeepError):
    """The server would continue from another archive than this dump does; *expected* is ``TYPE/NAME``, if any."""

    detail: str
    expected: str | None

    def __str__(self) -> str:
        return f"{self.detail}; another backup of this profile was stored meanwhile, run the same command again"


@define
class TarUnusable(TarkeepError):
    """The tar of this machine is not one that makes and reads incremental archives."""

    program: str
    found: str

    def __str__(self) -> str:
        return f"{self.program} is not GNU tar but {self.found}; install GNU tar, or name it with --tar"


@define
class DumpFailed(TarkeepError):
    """tar did not come to a good end; nothing of the dump is stored. *messages* are what it said, errors first."""

    status: int
    messages: tuple[str, ...] = ()

    def __str__(self) -> str:
        how = f"was killed by signal {-self.status}" if self.status < 0 else f"ended with {self.status}"
        said = f": {'; '.join(self.messages[:3])}" if self.messages else ""
        more = f"; and {len(self.messages) - 3} more" if len(self.messages) > 3 else ""
        return f"tar {how}{said}{more}; nothing of this dump was stored"


@define
class DumpTooLarge(TarkeepError):
    """A dump has more bytes than the server takes, by its *setting*; nothing of it is stored."""

    limit_bytes: int
    setting: str

    def __str__(self) -> str:
        what = "before compression " if self.setting == "max_unpacked_bytes" else ""
        return (
            f"this dump goes on after byte {self.limit_bytes}, which {what}is the last that the server takes of one "
            f"archive; raise {self.setting} there, or leave something out with --exclude; nothing was stored"
        )


@define
class ExtractFailed(TarkeepError):
    """
    tar could not extract an archive; what was extracted before stays. *messages* are what it said; *is_merged* tells
    that it was none, but a tree which the server put together.
    """

    what: str
    status: int
    messages: tuple[str, ...] = ()
    is_merged: bool = False

    def __str__(self) -> str:
        how = f"killed by signal {-self.status}" if self.status < 0 else f"ended with {self.status}"
        said = f": {'; '.join(self.messages[-3:])}" if self.messages else ""
        return f"tar {how} at {self.what}{said}; the directory holds a part of the tree only"


@define
class UnsafeMembers(TarkeepError):
    """
    Members of an archive would be written outside the directory it is restored into; none of them was extracted.

    *is_merged* tells that it is none, but a tree which the server puts together; then *is_begun* that a part of it was
    extracted before these members came.
    """

    archive: str
    members: tuple[str, ...]
    is_merged: bool = False
    is_begun: bool = False

    def __str__(self) -> str:
        what = f"{self.archive} holds what would be written outside the directory ({'; '.join(self.members)})"
        return what if self.is_begun else f"{what}; nothing was extracted"


@define
class TargetNotEmpty(TarkeepError):
    """The directory to restore into holds something already."""

    path: str

    def __str__(self) -> str:
        return (
            f"{self.path} is not empty; restore into a new directory, or say --overwrite, which replaces and removes "
            "what the archives say"
        )


@define
class SnapshotUnusable(TarkeepError):
    """The snapshot file of an archive is not there any more, or another one came."""

    archive: str
    reason: str

    def __str__(self) -> str:
        return f"the snapshot file of {self.archive} cannot be continued from: {self.reason}"
