"""What the bytes turned out to be."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import counted


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
        return f"the archive goes on after byte {self.limit_bytes}, which is the last that is taken of one"


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

    is_transient = True

    def __str__(self) -> str:
        return f"the upload broke off after {counted(self.received_bytes, 'byte')}"


@define
class MemberUnreadable(TarkeepError):
    """The headers of a member of a stored archive cannot be understood. *at* is their place in the inflated tar."""

    at: int
    reason: str

    def __str__(self) -> str:
        return f"the member at inflated byte {self.at} cannot be read: {self.reason}"
