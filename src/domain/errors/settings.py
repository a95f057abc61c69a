"""What an operator has to mend before anything runs."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import counted


@define
class CatalogLacks(TarkeepError):
    """The catalog does not know *count* archives of the store, which is more than are entered in passing."""

    count: int
    limit: int

    def __str__(self) -> str:
        return (
            f"the store holds {counted(self.count, 'archive')} that the catalog does not know, as after it was lost; "
            f"more than {self.limit} (setting max_adopted_archives) are not entered at a start"
        )


class CatalogStaysDamaged(TarkeepError):
    """The catalog is damaged, also after it was made anew."""

    def __str__(self) -> str:
        return "the catalog was made anew and is still damaged"


@define
class DataDirectoryInUse(TarkeepError):
    """Another process owns the data directory. *owner* is its process id where known."""

    owner: str

    def __str__(self) -> str:
        by = f"process {self.owner}" if self.owner else "another process"
        return f"the data directory is in use by {by}"


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
class UsageError(TarkeepError):
    """A command cannot do what its line asks for. *what* is the word of the line, the reason says what would do."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"
