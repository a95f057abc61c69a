"""
Reading inventories: one JSON document, or one archive per line, of any length, holding some hundred archives at once.

The document is split at its members and at the elements of its lists, by the brackets outside strings; msgspec checks
whether each part is JSON, and of the right shape. Parts are bounded, so that no client decides how much memory is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NoReturn, TypeVar

import msgspec

from ....domain.archives.inventory import InventoryEntry
from ....domain.identity.archive_id import BackupType
from ....domain.identity.digests import parse_digest
from ....domain.identity.invalid import InvalidDigest
from ..answers.problems import Problem

MAX_ARCHIVE_BYTES = 1 << 16
"""The longest description of one archive."""

MAX_MEMBER_BYTES = 1 << 20
"""The longest member of the document that is skipped."""

MAX_NAME_CHARACTERS = 1024


class SentArchive(msgspec.Struct):
    """One archive of a client's inventory."""

    name: str
    size: int | float | None = None  # JSON has one kind of number: 12.0 is 12
    md5: str | None = None
    sha256: str | None = None


class LocalArchiveLine(SentArchive, kw_only=True):
    """One line of an inventory sent as NDJSON."""

    type: str


class _Document(msgspec.Struct):
    """The required shape of a document, used for msgspec's error messages."""

    local_backups: dict[str, msgspec.Raw]
    profile: str | None = None


Decoded = TypeVar("Decoded")

_read_document = msgspec.json.Decoder(_Document)
_read_types = msgspec.json.Decoder(dict[str, msgspec.Raw])
_read_text = msgspec.json.Decoder(str)
_read_profile = msgspec.json.Decoder(str | None)
_read_anything = msgspec.json.Decoder(msgspec.Raw)
_read_archives = msgspec.json.Decoder(list[SentArchive])
_read_archive = msgspec.json.Decoder(SentArchive)
_read_line = msgspec.json.Decoder(LocalArchiveLine)

_PATH_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_BYTE = re.compile(r"\(byte (\d+)\)")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = rb'"(?>[^"\\]++|\\.)*+"'
_WHOLE_STRING = re.compile(_STRING, re.DOTALL)
_BRACKET = re.compile(_STRING + rb'|[\[\]{}"]', re.DOTALL)  # a lone quote begins a string whose end has not arrived
_SCALAR = re.compile(rb"[^ \t\r\n,:\[\]{}\"]*+")
# As many flat objects as possible, each with its comma: that is how archives are described.
_FLAT_OBJECTS = re.compile(rb'(?>[ \t\r\n]*+\{(?>[^{}"\[\]]++|' + _STRING + rb")*+\}[ \t\r\n]*+,)*+", re.DOTALL)


class InventoryDocument:
    """
    An inventory as one JSON document, read from *blocks* while its `entries` are iterated over.

    *profile* is its member of that name, known after the iteration.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.profile: str | None = None
        self._text = _Text(blocks)

    def entries(self) -> Iterator[InventoryEntry]:
        """
        The archives in it, once.

        Raises:
            InvalidType: a type is not one of the three.
            Problem: ``invalid-json``, or ``validation-failed`` with JSON pointers to the places.
        """
        text = self._text
        if text.peek() != b"{":
            text.decoded(_read_document, MAX_MEMBER_BYTES, "the body")  # which it cannot be
            return
        found = False
        for name in text.members():
            if name == "local_backups":
                if found:
                    raise Problem(400, "invalid-json", "the body has local_backups twice")
                found = True
                yield from self._types()
            elif name == "profile":
                self.profile = text.decoded(_read_profile, MAX_ARCHIVE_BYTES, "the profile", "/profile")
            else:
                text.decoded(_read_anything, MAX_MEMBER_BYTES, f"the member {name[:100]!a}")
        if text.peek():
            text.refuse("something follows its end")
        if not found:
            raise _wrong_shape("Object missing required field `local_backups`", "")

    def _types(self) -> Iterator[InventoryEntry]:
        text = self._text
        if text.peek() != b"{":
            text.decoded(_read_types, MAX_MEMBER_BYTES, "the member local_backups", "/local_backups")
            return
        for word in text.members():
            type, pointer = BackupType.parse(word), f"/local_backups/{word}"
            if text.peek() == b"[":
                yield from self._archives(type, pointer)
            else:
                text.decoded(_read_archives, MAX_MEMBER_BYTES, f"the list {word}", pointer)

    def _archives(self, type: BackupType, pointer: str) -> Iterator[InventoryEntry]:
        text, index = self._text, 0
        for _ in text.elements():
            for local in text.several(_read_archives, pointer, index):
                yield entry_of(type, local, pointer, index)
                index += 1
            local = text.decoded(_read_archive, MAX_ARCHIVE_BYTES, "an archive", f"{pointer}/{index}")
            yield entry_of(type, local, pointer, index)
            index += 1


class _Text:
    """A JSON text in blocks, which holds no more than the current part."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._held = b""
        self._at = 0  # position in the held bytes
        self._dropped_bytes = 0
        self._has_guessed = False  # a guess where elements end, in the held bytes, was wrong

    def peek(self) -> bytes:
        """The next byte that is not white space, without consuming it; empty at the end."""
        while True:
            space = _SPACE.match(self._held, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._held) or not self._more():
                return self._held[self._at : self._at + 1]

    def members(self) -> Iterator[str]:
        """The names in the current object; the caller consumes the value after each."""
        self._take(b"{")
        if self._ends(b"}"):
            return
        while True:
            if self.peek() != b'"':
                self.refuse("the name of a member is missing")
            name = self.decoded(_read_text, MAX_ARCHIVE_BYTES, "the name of a member")
            self._take(b":")
            yield name
            if self._ends(b"}"):
                return
            self._take(b",")

    def elements(self) -> Iterator[None]:
        """Stop before each element of the current list; the caller consumes one, or all but the last."""
        self._take(b"[")
        if self._ends(b"]"):
            return
        while True:
            yield
            if self._ends(b"]"):
                return
            self._take(b",")

    def several(self, decoder: msgspec.json.Decoder[list[Decoded]], pointer: str, index: int) -> list[Decoded]:
        """Elements of a list from *index* on, each followed by a comma, as many as are visible; may be empty."""
        end = -1 if self._has_guessed else self._held.rfind(b"},", self._at)
        if end >= 0:
            # Most likely the last element ends there. If the bytes before parse as a list, one does; if not, it may be
            # inside a text or an object. Tried once per block, so that no text makes this slow.
            try:
                found = decoder.decode(b"[" + self._held[self._at : end + 1] + b"]")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._has_guessed = True
            else:
                self._at = end + 2
                return found
        run = _FLAT_OBJECTS.match(self._held, self._at)
        if run is None or run.end() == self._at:
            return []
        raw, at = self._held[self._at : run.end() - 1], self._dropped_bytes + self._at
        self._at = run.end()
        return decoded(decoder, b"[" + raw + b"]", "the body", pointer, at - 1, index)

    def decoded(self, decoder: msgspec.json.Decoder[Decoded], most_bytes: int, what: str, pointer: str = "") -> Decoded:
        """The current value, of at most *most_bytes*; *what* names it in messages."""
        raw = self.value(most_bytes, what)
        return decoded(decoder, raw, "the body", pointer, self._dropped_bytes + self._at - len(raw))

    def value(self, most_bytes: int, what: str) -> bytes:
        """
        The whole current value; its content may not be valid JSON.

        Raises:
            Problem: it has more than *most_bytes*.
        """
        first = self.peek()
        while True:
            end = self._end_of(first)
            if end is None and len(self._held) - self._at <= most_bytes and self._more():
                continue
            if end is None:
                end = len(self._held)
            if end - self._at > most_bytes:
                raise Problem(400, "invalid-json", f"{what} is longer than {most_bytes} bytes in the inventory")
            taken = self._held[self._at : end]
            self._at = end
            return taken

    def refuse(self, reason: str) -> NoReturn:
        """
        Raises:
            Problem: ``invalid-json``.
        """
        where = f"byte {self._dropped_bytes + self._at}"
        raise Problem(400, "invalid-json", f"the body is not readable as JSON: {reason} ({where})")

    def _end_of(self, first: bytes) -> int | None:
        """The position of the end of the value that begins with *first*; None if the held bytes do not show it."""
        if first == b'"':
            string = _WHOLE_STRING.match(self._held, self._at)
            return None if string is None else string.end()
        if first in (b"{", b"["):
            depth = 0
            for bracket in _BRACKET.finditer(self._held, self._at):
                token = bracket[0]
                if token in (b"{", b"["):
                    depth += 1
                elif token in (b"}", b"]"):
                    depth -= 1
                    if depth == 0:
                        return bracket.end()
                elif token == b'"':
                    return None
            return None
        scalar = _SCALAR.match(self._held, self._at)
        end = self._at if scalar is None else scalar.end()
        return None if end == len(self._held) else max(end, self._at + 1)

    def _take(self, expected: bytes) -> None:
        if self.peek() != expected:
            self.refuse(f"{expected.decode()} is missing" if self.peek() else "it is cut off")
        self._at += 1

    def _ends(self, bracket: bytes) -> bool:
        is_there = self.peek() == bracket
        self._at += is_there
        return is_there

    def _more(self) -> bool:
        """Read the next block; False at the end."""
        block = next(self._blocks, b"")
        if not block:
            return False
        self._dropped_bytes += self._at
        self._held = self._held[self._at :] + block
        self._at = 0
        self._has_guessed = False
        return True


# -- one archive a line ----------------------------------------------------------------------------------------------


def line_entries(blocks: Iterable[bytes]) -> Iterator[InventoryEntry]:
    """
    The entries of an inventory sent as NDJSON, one archive per line, in *blocks*.

    Raises:
        InvalidType: a type is not one of the three.
        Problem: as `InventoryDocument.entries`, with the number of the line.
    """
    for number, line in enumerate(_lines(blocks), 1):
        local = decoded(_read_line, line, f"line {number}", f"/{number - 1}")
        yield entry_of(BackupType.parse(local.type), local, "", number - 1)


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        if len(rest) > MAX_ARCHIVE_BYTES:
            detail = f"a line of the inventory is longer than {MAX_ARCHIVE_BYTES} bytes; send one archive a line"
            raise Problem(400, "invalid-json", detail)
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


# -- one archive -----------------------------------------------------------------------------------------------------


def entry_of(type: BackupType, local: SentArchive, pointer: str, index: int) -> InventoryEntry:
    """
    A client's description of an archive, at *index* below *pointer*, validated.

    Raises:
        Problem: ``validation-failed``: its name is too long, its size negative or a digest unreadable.
    """
    name, size, md5, sha256 = local.name, local.size, local.md5, local.sha256
    if len(name) > MAX_NAME_CHARACTERS:
        raise _wrong_shape(f"a name has at most {MAX_NAME_CHARACTERS} characters", f"{pointer}/{index}/name")
    if size is not None and not (isinstance(size, int) and size >= 0):
        size = _size(size, f"{pointer}/{index}")
    return InventoryEntry(
        type,
        name,
        size,
        _digest("md5", md5, pointer, index) if md5 else None,  # clients of the original send "" for a missing one
        _digest("sha256", sha256, pointer, index) if sha256 else None,
    )


def _size(value: float, pointer: str) -> int:
    if value < 0 or not float(value).is_integer():
        raise _wrong_shape("size must be a whole number and not negative", f"{pointer}/size")
    return int(value)


def _digest(algorithm: str, value: str, pointer: str, index: int) -> str:
    try:
        return parse_digest(algorithm, value)
    except InvalidDigest as error:
        raise _wrong_shape(str(error), f"{pointer}/{index}/{algorithm}") from error


def decoded(
    decoder: msgspec.json.Decoder[Decoded], raw: bytes, where: str, pointer: str = "", at: int = 0, index: int = 0
) -> Decoded:
    """
    *raw* decoded; *where* names its place in words, and *pointer* is the JSON pointer to it, both for error messages.

    It begins at byte *at* of the whole text, and, for a part of a list, at *index* of that list.

    Raises:
        Problem: ``invalid-json`` or ``validation-failed``.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at ")
        steps = _PATH_STEP.findall(path.strip("`"))
        for name, number in steps:
            pointer += f"/{name or (int(number) + index if number.isdigit() else number)}"
            index = 0
        raise _wrong_shape(detail, pointer) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = _BYTE.sub(lambda found: f"(byte {int(found[1]) + at})", str(error))
        raise Problem(400, "invalid-json", f"{where} is not readable as JSON: {reason}") from error


def _wrong_shape(detail: str, pointer: str) -> Problem:
    return Problem(422, "validation-failed", detail, extras={"errors": [{"pointer": pointer, "detail": detail}]})
