"""The server lacks space, quota or a working backend."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import counted


@define
class InsufficientStorage(TarkeepError):
    """
    The disk, its inodes or its quota are used up; sizes in bytes, None if unknown.

    *doing* says what there is no room for, such as ``moving an archive to the trash``; empty for an archive.
    """

    needed_bytes: int | None = None
    free_bytes: int | None = None
    doing: str = ""

    def __str__(self) -> str:
        if self.doing:
            return f"the server's disk is full, even for {self.doing}: remove something else from it and try again"
        if self.needed_bytes is None or self.free_bytes is None:
            return "the server has no space left for this archive; free some and send it again"
        return f"the server needs {counted(self.needed_bytes, 'byte')} for this archive and has {self.free_bytes} free"


@define
class QuotaExceeded(TarkeepError):
    """
    The archive would exceed a quota of its profile. *what* is ``bytes`` or ``archives``, the unit of all numbers.

    *setting* names the rule, *needed* is what this archive adds, *unfinished* the part of *held* that belongs to
    unfinished uploads.
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
        """How much the quota still allows."""
        return max(0, self.limit - self.held)

    def __str__(self) -> str:
        unfinished = f" beside {self.unfinished} of unfinished uploads" if self.unfinished else ""
        return (
            f"profile {self.profile} may hold {self.limit} {self.what} (rule {self.setting}), {self.free} of them are "
            f"free{unfinished}, and this archive needs {self.needed}"
        )


class ReadOnly(TarkeepError):
    """The store or catalog can be read but not written."""

    is_transient = True

    def __str__(self) -> str:
        return "the server's storage is read-only at the moment"


class CatalogBusy(TarkeepError):
    """The catalog did not become free in time."""

    is_transient = True

    def __str__(self) -> str:
        return "the catalog is busy"


class TurnLost(CatalogBusy):
    """This server stood still for so long that another one may do what it was doing."""

    def __str__(self) -> str:
        return "this server was too slow, and another one may go on instead; what it had done so far is settled"


@define
class BackendUnavailable(TarkeepError):
    """A store or catalog failed or cannot be reached. *what* is ``store`` or ``catalog``."""

    what: str
    reason: str = ""

    is_transient = True

    def __str__(self) -> str:
        return f"the {self.what} is not available" + (f": {self.reason}" if self.reason else "")


@define
class CatalogDamaged(BackendUnavailable):
    """The database of the catalog is damaged, and has to be rebuilt from the store."""

    what: str = "catalog"
    reason: str = "it is damaged"
