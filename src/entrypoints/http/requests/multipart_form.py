"""
An upload as ``multipart/form-data``: one file, and fields that describe it, before or after it.

The file's bytes are passed on as they arrive; nothing is spooled. The library multipart parses; this module decides
what the form may contain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import define, field
from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from ....domain.access.tokens import Principal
from ....domain.archives.archive import Offer
from ....domain.errors.archives import ProfileNotFound
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.identity.digests import DeclaredDigests, parse_digest
from ....domain.identity.naming import check_archive_name, check_profile
from ....domain.profiles.capacity import check_size
from ..answers.problems import Problem
from .parameters import LINEAGE, check_lineage, checked_text, lineage, stated_time

MAX_PARTS = 16
MAX_FIELD_BYTES = 4096
FORM_BYTES = 500 << 20
"""The largest archive accepted in a form, if no general limit is set: that of the original."""

_HOW = "use curl -F file=@archive.tar.gz"
_FIELDS = frozenset({"type", "profile", "md5", "sha256", *LINEAGE})


def boundary_of(content_type: str) -> str:
    """
    The boundary in a request's Content-Type.

    Raises:
        Problem: it is not multipart/form-data, or has no usable boundary.
    """
    media_type, options = parse_options_header(content_type)
    if media_type != "multipart/form-data":
        raise Problem(
            400,
            "multipart-malformed",
            "send the archive as multipart/form-data: curl -F file=@archive.tar.gz -F type=FULL",
        )
    boundary: str = options.get("boundary", "")
    if not 1 <= len(boundary) <= 70 or not boundary.isascii() or not boundary.isprintable():
        raise Problem(400, "multipart-malformed", "the boundary in Content-Type is missing or not 1 to 70 characters")
    return boundary


@define
class MultipartUpload:
    """
    The form in *body*. First iterate `file_blocks` to its end, then ask for the `offer`.

    Names and types are checked as soon as they arrive, so that a wrong one is refused before the file is received.
    """

    boundary: str
    body: Iterable[bytes]
    principal: Principal
    limit_bytes: int = FORM_BYTES
    _fields: dict[str, str] = field(factory=dict, init=False)
    _filename: str | None = field(default=None, init=False)

    def file_blocks(self) -> Iterator[bytes]:
        """
        The bytes of the file.

        Raises:
            Problem: the form is malformed or has unexpected parts.
            InvalidName, InvalidType, InvalidDigest, ProfileNotFound: a field is not valid.
            TooLarge: the file is too large.
        """
        parser = PushMultipartParser(
            self.boundary, max_header_size=4096, max_header_count=8, max_segment_count=MAX_PARTS
        )
        part: MultipartSegment | None = None
        value = b""
        is_file = False
        size = 0
        try:
            for block in self.body:
                for event in parser.parse(block):
                    if isinstance(event, MultipartSegment):
                        part, value, is_file = event, b"", self._begins_file(event)
                    elif event is None:
                        if part is not None and not is_file:
                            self._take_field(part.name or "", value)
                    elif is_file:
                        size += len(event)
                        check_size(size, self.limit_bytes)
                        yield event
                    else:
                        value += event
                        if len(value) > MAX_FIELD_BYTES:
                            raise Problem(400, "multipart-parts", _too_large(part))
        except ParserLimitReached as error:
            raise Problem(400, "multipart-parts", f"the form has too many or too large parts: {error}") from error
        except MultipartError as error:
            if isinstance(error.__context__, UnicodeDecodeError):
                detail = "the filename, or another header within the form, is not valid UTF-8"
                raise Problem(400, "invalid-encoding", detail) from error
            raise Problem(400, "multipart-malformed", f"the form cannot be read: {error}") from error
        try:
            parser.close()
        except MultipartError as error:
            raise Problem(400, "multipart-incomplete", "the form ends before its closing boundary") from error
        if self._filename is None:
            raise Problem(400, "multipart-parts", f"the form has no part named file; {_HOW}")

    def offer(self) -> Offer:
        """
        The form's description of the file; after `file_blocks` has ended.

        Raises:
            ProfileNotFound: it is for a profile that the principal does not see.
        """
        return Offer(
            ArchiveId(
                self._seen(self._fields.get("profile", "default")),
                BackupType.parse(self._fields.get("type", "FULL")),
                self._filename or "",
            ),
            DeclaredDigests(
                md5=parse_digest("md5", self._fields["md5"]) if self._fields.get("md5") else None,
                sha256=parse_digest("sha256", self._fields["sha256"]) if self._fields.get("sha256") else None,
            ),
            stated_time(self._fields.get("taken_at")),
            lineage=lineage(self._fields),
        )

    def _seen(self, profile: str) -> str:
        if not self.principal.sees(profile):
            raise ProfileNotFound(profile)
        return profile

    def _begins_file(self, part: MultipartSegment) -> bool:
        if part.name != "file":
            return False
        if self._filename is not None:
            raise Problem(400, "multipart-parts", "the form has two parts named file; send one archive at a time")
        if part.filename is None:
            raise Problem(400, "multipart-parts", f"the part named file has no filename; {_HOW}")
        self._filename = check_archive_name(checked_text(part.filename, "the filename"))
        return True

    def _take_field(self, name: str, value: bytes) -> None:
        if name not in _FIELDS:
            return
        if name in self._fields:
            raise Problem(400, "multipart-parts", f"the form has the field {name} twice")
        try:
            text = checked_text(value.decode(), f"the field {name}").strip()
        except UnicodeDecodeError:
            raise Problem(400, "invalid-encoding", f"the field {name} is not valid UTF-8") from None
        if name == "type":
            BackupType.parse(text)
        elif name == "profile":
            self._seen(check_profile(text))
        elif name in LINEAGE:
            check_lineage(name, text)
        elif text:
            parse_digest(name, text)
        self._fields[name] = text


def _too_large(part: MultipartSegment | None) -> str:
    if part is not None and part.filename is not None:
        return f"the form has a file in a part named {(part.name or '')[:40]!a}; the archive's is named file: {_HOW}"
    return f"a form field is larger than {MAX_FIELD_BYTES} bytes"
