"""Content that is damaged, too large, or not an archive."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import counted


class RejectedContent(TarkeepError):
    """The received bytes are not a complete ``.tar.gz``; nothing was kept."""


class EmptyArchive(RejectedContent):
    """The archive has no bytes."""

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
    """The gzip data cannot be inflated, is cut short, or fails its CRC or length. *offset* is in the received bytes."""

    offset: int
    reason: str

    def __str__(self) -> str:
        return f"gzip data damaged near byte {self.offset}: {self.reason}"


@define
class NotATar(RejectedContent):
    """The inflated bytes are not a complete tar. *offset* is in them; *begins_as_one* if they start like a tar."""

    offset: int
    reason: str
    begins_as_one: bool = True

    def __str__(self) -> str:
        return f"not a whole tar at inflated byte {self.offset}: {self.reason}"


@define
class TooLarge(TarkeepError):
    """The archive has more bytes than the limit, as declared or as found while receiving."""

    limit_bytes: int

    def __str__(self) -> str:
        return f"the archive goes on after byte {self.limit_bytes}, which is the last that is taken of one"


@define
class ExpandsTooFar(TarkeepError):
    """The archive inflates to more bytes, more members or longer names than *setting* allows."""

    setting: str
    limit: int

    def __str__(self) -> str:
        return f"the archive exceeds {self.setting} = {self.limit} when unpacked"


@define
class UploadInterrupted(TarkeepError):
    """The sender disconnected or stopped before the end of the archive."""

    received_bytes: int

    is_transient = True

    def __str__(self) -> str:
        return f"the upload broke off after {counted(self.received_bytes, 'byte')}"


@define
class MemberUnreadable(TarkeepError):
    """The headers of a member of a stored archive cannot be parsed. *at* is their offset in the inflated tar."""

    at: int
    reason: str

    def __str__(self) -> str:
        return f"the member at inflated byte {self.at} cannot be read: {self.reason}"
