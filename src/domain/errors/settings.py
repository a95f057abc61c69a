"""Settings and data directories that an operator must fix before anything runs."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import counted


@define
class CatalogLacks(TarkeepError):
    """The catalog lacks *count* archives of the store, more than the *limit* that a start enters by itself."""

    count: int
    limit: int

    def __str__(self) -> str:
        return (
            f"the store holds {counted(self.count, 'archive')} that the catalog does not know, as after it was lost; "
            f"more than {self.limit} (setting max_adopted_archives) are not entered at a start"
        )


class CatalogStaysDamaged(TarkeepError):
    """The catalog is damaged even after it was recreated."""

    def __str__(self) -> str:
        return "the catalog was made anew and is still damaged"


@define
class DataDirectoryInUse(TarkeepError):
    """Another process holds the lock of the data directory. *owner* is its process id, empty if unknown."""

    owner: str

    def __str__(self) -> str:
        by = f"process {self.owner}" if self.owner else "another process"
        return f"the data directory is in use by {by}"


@define
class HostServerEnded(TarkeepError):
    """The server of this host ended, or was stopped, after it was asked and before it answered."""

    def __str__(self) -> str:
        return "the server ended before it answered: what it was asked for may be done, in part, or not"


@define
class DataDirectoryUnsafe(TarkeepError):
    """
    Another user owns the data directory or may write to it, and so could replace its files.

    *owner* is the user id of that owner; None if this user, or root, owns it.
    """

    reason: str
    owner: int | None = None

    def __str__(self) -> str:
        return self.reason


@define
class FormatUnknown(TarkeepError):
    """This version does not know the format of the data directory or catalog."""

    found: str
    hint: str = "use the version of Tarkeep that wrote it, or a newer one"

    def __str__(self) -> str:
        return f"{self.found}; {self.hint}"


@define
class CatalogOlder(FormatUnknown):
    """The catalog is of an older version, and not this server's alone: somebody has to say when it changes."""

    hint: str = "upgrade it; servers of the version before go on meanwhile"


@define
class InvalidSetting(TarkeepError):
    """A setting has an invalid value."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"setting {self.name}: {self.reason}"


@define
class UsageError(TarkeepError):
    """The command line asks for something impossible. *what* is the offending word, *reason* says what would work."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


class NotARegularFile(UsageError):
    """The command line asks for the content of a name that is a folder, a link or another thing."""
