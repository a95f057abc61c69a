"""Resumable uploads that cannot go on."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import counted


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

    is_transient = True

    def __str__(self) -> str:
        return f"another request is sending bytes for upload {self.upload}"


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

    is_transient = True

    def __str__(self) -> str:
        uploads = f"{counted(self.limit, 'upload')} {'is' if self.limit == 1 else 'are'}"
        return f"{uploads} unfinished, which is the most ({self.setting}); finish or delete one first"


@define
class StagedBytesMissing(TarkeepError):
    """Staging holds fewer bytes of an upload than were acknowledged."""

    upload: str

    def __str__(self) -> str:
        return f"the bytes of upload {self.upload} are lost; begin a new one"
