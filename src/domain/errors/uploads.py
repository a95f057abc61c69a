"""Resumable uploads that cannot continue."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import counted


@define
class UploadNotFound(TarkeepError):
    """No such upload, or one that the server has forgotten."""

    upload: str

    def __str__(self) -> str:
        return f"no upload {self.upload[:80]!a}; begin a new one"


@define
class UploadGone(TarkeepError):
    """The upload ended without an archive; *why* says how."""

    upload: str
    why: str

    def __str__(self) -> str:
        return f"upload {self.upload} is over: {self.why}; begin a new one"


@define
class UploadLocked(TarkeepError):
    """Another request is writing to the upload and does not end in time."""

    upload: str

    is_transient = True

    def __str__(self) -> str:
        return f"another request is sending bytes for upload {self.upload}"


@define
class OffsetMismatch(TarkeepError):
    """The bytes sent do not begin at the upload's offset; both in bytes."""

    upload: str
    offset_bytes: int
    given_bytes: int

    def __str__(self) -> str:
        return f"upload {self.upload} stands at byte {self.offset_bytes}, not {self.given_bytes}; go on from there"


@define
class LengthMismatch(TarkeepError):
    """A declared length contradicts the upload's earlier length or the bytes it holds; both in bytes."""

    known_bytes: int
    given_bytes: int

    def __str__(self) -> str:
        known = counted(self.known_bytes, "byte")
        return f"the upload has {known} already or was declared to have, not {self.given_bytes}"


@define
class BeyondLength(TarkeepError):
    """The client sent more bytes than the declared length of the upload."""

    length_bytes: int

    def __str__(self) -> str:
        return f"the upload was declared to have {counted(self.length_bytes, 'byte')}, and more were sent"


@define
class NotAppendable(TarkeepError):
    """A final upload is the concatenation of its parts and accepts no bytes of its own."""

    upload: str

    def __str__(self) -> str:
        return f"upload {self.upload} is the concatenation of others and takes no bytes"


@define
class PartsUnusable(TarkeepError):
    """The uploads named as parts cannot be concatenated."""

    reason: str

    def __str__(self) -> str:
        return f"these uploads cannot be concatenated: {self.reason}"


@define
class ChecksumMismatch(TarkeepError):
    """The bytes of a request do not have the checksum sent with them; they were dropped."""

    algorithm: str

    def __str__(self) -> str:
        return f"the {self.algorithm} of these bytes is not the one sent; they were dropped, send them again"


@define
class TooManyUploads(TarkeepError):
    """The limit of unfinished uploads is reached, for one client or in total."""

    limit: int
    setting: str

    is_transient = True

    def __str__(self) -> str:
        uploads = f"{counted(self.limit, 'upload')} {'is' if self.limit == 1 else 'are'}"
        return f"{uploads} unfinished, which is the most ({self.setting}); finish or delete one first"


@define
class StagedBytesMissing(TarkeepError):
    """Staging holds fewer bytes of an upload than the server acknowledged."""

    upload: str

    def __str__(self) -> str:
        return f"the bytes of upload {self.upload} are lost; begin a new one"
