"""Failures that the client meets on its own machine or gets from a server."""

from __future__ import annotations

from enum import Enum

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import counted
from ..text.lack_counts import Counts


@define
class ServerUnreachable(TarkeepError):
    """
    The server cannot be reached, or the connection broke. *server* is its address without a password.

    *is_unreachable* means that no connection was ever established, now or before.
    """

    server: str
    reason: str
    is_unreachable: bool = False

    is_transient = True

    def __str__(self) -> str:
        return f"no answer from {self.server}: {self.reason}"


@define
class CertificateNotTrusted(TarkeepError):
    """The server's TLS certificate is not trusted."""

    server: str
    reason: str

    def __str__(self) -> str:
        return f"the certificate of {self.server} is not trusted: {self.reason}"


@define
class Unauthorized(TarkeepError):
    """The server requires a token, or a different one."""

    server: str
    detail: str

    def __str__(self) -> str:
        return f"{self.server} lets nobody in without the right token: {self.detail}"


@define
class Refused(TarkeepError):
    """
    The server refused the request. *detail* is its own sentence, *code* its error code, or empty.

    *pause_seconds* is how long the server asks the client to wait before the next try, if it asks.
    """

    code: str
    detail: str
    is_transient: bool = False
    pause_seconds: float | None = None

    def __str__(self) -> str:
        return self.detail


@define
class UploadMoved(TarkeepError):
    """The server holds more or fewer bytes of an unfinished upload than expected; the next try asks for the offset."""

    upload: str
    offset_bytes: int

    is_transient = True

    def __str__(self) -> str:
        return f"upload {self.upload} stands at byte {self.offset_bytes} there"


@define
class RemoteConflict(TarkeepError):
    """The server stores other bytes under the name of a local archive. *name* is ``TYPE/NAME``."""

    name: str

    def __str__(self) -> str:
        return f"other bytes are stored under this name ({self.name}) and stay"


@define
class LocalFileChanged(TarkeepError):
    """A local archive has changed since it was listed."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} changed while it was read"


@define
class NothingToSend(TarkeepError):
    """The backup folder holds no archive."""

    folder: str

    def __str__(self) -> str:
        return f"no .tar.gz in FULL, INC or DIFF below {self.folder}"


@define
class TooManyBytes(TarkeepError):
    """A server sends more bytes of something than it says it has; *server* is its address without a password."""

    server: str
    what: str
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.server} sends more of {self.what} than the {counted(self.size_bytes, 'byte')} there should be"


@define
class PulledBytesDiffer(TarkeepError):
    """A complete download does not have the SHA-256 that the server names; both in lower-case hex."""

    name: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return (
            f"{self.name} arrived with SHA-256 {self.actual}, the server says {self.expected}; nothing was kept, and "
            "the server was asked to read it again"
        )


@define
class LocalConflict(TarkeepError):
    """A local file under the archive's name has other bytes than the server's."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} has other bytes than the server"


@define
class LocalDiskFull(TarkeepError):
    """The local disk or the user's disk quota is used up; sizes in bytes, None if unknown."""

    folder: str
    needed_bytes: int | None = None
    free_bytes: int | None = None

    def __str__(self) -> str:
        if self.needed_bytes is None:
            sizes = ""
        else:
            sizes = f", which has {counted(self.free_bytes or 0, 'byte')} free and needs {self.needed_bytes}"
        return f"no space left in {self.folder}{sizes}"


@define
class FolderUnusable(TarkeepError):
    """A folder or file of this machine cannot be used for its purpose."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} cannot be used: {self.reason}"


class NoBackupFolder(FolderUnusable):
    """The folder of the local archives does not exist."""


class PrivateFolder(Enum):
    """What a folder is for that must be private to its user."""

    WORK = "work"  # the archives of a restore
    SPOOL = "spool"


@define
class FolderNotPrivate(FolderUnusable):
    """Another user could change what lies in a folder of this machine."""

    purpose: PrivateFolder


class TooManyArchivesOpen(FolderUnusable):
    """A restore needs more archives at a time than this process may open files."""


@define
class PullInProgress(TarkeepError):
    """Another process is pulling this archive to the same path."""

    path: str

    is_transient = True

    def __str__(self) -> str:
        return f"{self.path} is being pulled by another process"


@define
class RemoteNotFound(Refused):
    """The server does not have what was requested; the sentence is the server's."""


@define
class NotRestorable(TarkeepError):
    """
    The tree at a time cannot be restored from what is stored.

    *obstacles* are a sentence each; *nearest* are restorable points, ``TYPE/NAME`` with the time, nearest first.
    *lacks* counts the names that a restore with gaps would lack or could not vouch for; None if that is not possible.
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
    """The server expects this dump to continue from another archive; *expected* is ``TYPE/NAME``, if any."""

    detail: str
    expected: str | None

    def __str__(self) -> str:
        return f"{self.detail}; another backup of this profile was stored meanwhile"


@define
class TarUnusable(TarkeepError):
    """The tar of this machine is not GNU tar, which incremental archives need."""

    program: str
    found: str

    def __str__(self) -> str:
        return f"{self.program} is not GNU tar but {self.found}"


@define
class DumpFailed(TarkeepError):
    """tar failed; nothing of the dump is stored. *messages* are tar's messages, errors first."""

    status: int
    messages: tuple[str, ...] = ()

    def __str__(self) -> str:
        how = f"was killed by signal {-self.status}" if self.status < 0 else f"ended with {self.status}"
        said = f": {'; '.join(self.messages[:3])}" if self.messages else ""
        more = f"; and {len(self.messages) - 3} more" if len(self.messages) > 3 else ""
        return f"tar {how}{said}{more}; nothing of this dump was stored"


@define
class DumpTooLarge(TarkeepError):
    """A dump exceeds the server's limit, which *setting* names; nothing of it is stored."""

    limit_bytes: int
    setting: str

    def __str__(self) -> str:
        what = "before compression " if self.setting == "max_unpacked_bytes" else ""
        return (
            f"this dump goes on after byte {self.limit_bytes}, which {what}is the last that the server takes of one "
            "archive; nothing was stored"
        )


@define
class ExtractFailed(TarkeepError):
    """
    tar could not extract an archive; what it had extracted stays. *messages* are tar's messages; *is_merged* means
    that the input was not an archive but a tree merged by the server.
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

    *is_merged* means that the input is not an archive but a tree merged by the server; then *is_begun* means that
    a part of it was extracted before these members arrived.
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
    """The directory to restore into is not empty."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} is not empty"


@define
class SnapshotUnusable(TarkeepError):
    """The snapshot file of an archive is missing, or was replaced by another one."""

    archive: str
    reason: str

    def __str__(self) -> str:
        return f"the snapshot file of {self.archive} cannot be continued from: {self.reason}"


@define
class SandboxUnusable(TarkeepError):
    """Nothing on this machine keeps tar away from everything else; *tried* says for each way why not."""

    tried: tuple[str, ...]

    def __str__(self) -> str:
        return f"no drill was run: {'; '.join(self.tried)}"


@define
class DrillBlind(TarkeepError):
    """What this machine restores of a chain made for the purpose is not judged as it must be: *why*, a clause."""

    why: str

    def __str__(self) -> str:
        return f"no drill was run, since this machine cannot tell right from wrong: {self.why}"


@define
class DrillStopped(TarkeepError):
    """A restore in a drill came to no end that could be judged: *why*, a clause."""

    why: str

    def __str__(self) -> str:
        return self.why
