"""
The audit log of several servers, in a table of their database.

::

    audit    a row for each line, as in `domain.access.audit`, with the hashes by which lines are found

The rule: all servers seal with one key, which is in no database: whoever can write the table must not be able to seal.
A server without a key makes one only if no line has a seal yet, and one whose key is another than that of the newest
line adds nothing. What proves the log is the lines alone; the other columns only find them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from sqlalchemy import bindparam, select

from ....domain.access.audit import (
    AuditEntry,
    AuditReport,
    check,
    entry_of,
    key_entry,
    line_of,
    seal_fits,
    told_about,
    told_as,
)
from ....domain.access.chain import line_digest
from ....domain.errors.capacity import BackendUnavailable
from ..rows import Query, Values
from ..schema import audit
from .chained_rows import ChainedRows, ChainEnd
from .containing import contains
from .exclusion import Exclusion
from .tables import SharedTables

_CHECKED_AT_ONCE = 2000
_READ_AT_ONCE = 250  # numbers of which the lines are read by one statement
_LINE_BYTES = 370  # most have, with the name of an archive
_SEARCHED_AT_ONCE = 20_000  # likewise, if only some of the lines are wanted

_NO_KEY = "the log in the catalog is sealed, and this server does not have its key; copy it from a server that has it"
_OTHER_KEY = "it is not the one that the log in the catalog is sealed with; copy that from a server that has it"


class _Key(Protocol):
    def read(self) -> bytes | None: ...

    def make(self, announce: Callable[[bytes], None]) -> bytes: ...

    def alone(self) -> AbstractContextManager[None]: ...

    def pending(self) -> bytes | None: ...

    def check_access(self) -> None: ...


class SqlAuditLog:
    """`AuditLog` in the database of *tables*, sealed with the *key* of this server's host."""

    def __init__(self, tables: SharedTables, key: _Key) -> None:
        self._rows = ChainedRows(tables, Exclusion.AUDIT, audit)
        self._key_file = key
        self._key: bytes | None = None

    def begin(self, at: datetime) -> None:
        """
        Make the key if there is none and no line is sealed; then the log begins with a line dated *at* that names it.

        Raises:
            BackendUnavailable: the key cannot be read or made, or is not that of the log.
        """
        self._key = self._settled_key(at, begins=True)

    def append(self, entry: AuditEntry) -> None:
        key = self._key_for(entry.at)

        def line_after(end: ChainEnd) -> tuple[bytes, Values]:
            line = line_of(entry, end.digest, key)
            return line, _columns(line)

        self._rows.append(line_after)

    def check(self, noted: str | None = None) -> AuditReport:
        return check(self._rows.lines(_CHECKED_AT_ONCE), noted, self._key_file.read())

    def has(self, result: str) -> bool:
        return any(told_as(result) in bytes(line) for (line,) in self._rows.all(_TOLD, {"of": _hash(result)}))

    def newest(self, what: str, beginnings: tuple[str, ...]) -> AuditEntry | None:
        wanted, below = told_about(what), self._rows.newest_number + 1
        while found := self._rows.all(_ABOUT, {"of": _hash(what), "below": below}):
            for line, number in found:
                entry = entry_of(bytes(line)) if wanted in bytes(line) else None
                if entry is not None and entry.result.startswith(beginnings):
                    return entry
                below = number
        return None

    def newest_first(
        self, below: str | None = None, containing: bytes = b"", *, most_bytes: int | None = None
    ) -> Iterator[bytes]:
        end = self._rows.newest_number + 1 if below is None else self._number_of(below)
        first = 1 if most_bytes is None else max(end - most_bytes // _LINE_BYTES - 1, 1)
        at_once = _SEARCHED_AT_ONCE if containing else _READ_AT_ONCE
        while end > first:
            start = max(first, end - at_once)
            values: Values = {"start": start, "end": end}
            found = self._rows.all(
                *((_CONTAINING, {**values, "bytes": containing}) if containing else (_LINES, values))
            )
            yield from (bytes(line) for (line,) in found)
            end = start
        while end > 1:  # line by line, up to the first that is not looked for
            start = max(1, end - _READ_AT_ONCE)
            for (line,) in self._rows.all(_LINES, {"start": start, "end": end}):
                yield bytes(line)
                if containing not in bytes(line):
                    return
            end = start

    @property
    def is_empty(self) -> bool:
        """Whether there is no line."""
        return self._rows.newest_number == 0

    def take_over(self, lines: Iterable[bytes]) -> bool:
        """
        Add *lines* of a file if the table has none; whether it has them all now, or had them before: then they are not
        needed elsewhere.
        """
        return self._rows.take_over(((line, _columns(line)) for line in lines), _HOLDS)

    def _number_of(self, digest: str) -> int:
        """The number of the line with *digest*, 0 if none has it."""
        for line, number in self._rows.all(_HOLDS, {"of": digest}):
            if line_digest(bytes(line)) == digest:
                return int(number)
        return 0

    def _key_for(self, at: datetime) -> bytes:
        if self._key is None:
            self._key = self._settled_key(at, begins=False)
        return self._key

    def _settled_key(self, at: datetime, *, begins: bool) -> bytes:
        file = self._key_file
        with file.alone():
            key = file.read()
            if key is None:
                self._check_unsealed()
                key = file.make(lambda key: self._go_on_with(key, at))
                file.check_access()
                return key
        file.check_access()
        newest = self._newest_line()
        if (newest is None and begins) or (newest is not None and seal_fits(newest, key) is not True):
            self._go_on_with(key, at)
        return key

    def _go_on_with(self, key: bytes, at: datetime) -> None:
        """Add the line behind which the log goes on with *key*, unless its newest has that seal. BackendUnavailable."""

        def go_on(end: ChainEnd) -> None:
            newest = self._newest_line()
            fits = None if newest is None else seal_fits(newest, key)
            if fits is False:
                raise BackendUnavailable("audit key", _OTHER_KEY)
            if fits is None:
                line = line_of(key_entry(key, at), end.digest, key)
                end.add(line, _columns(line))

        self._rows.look_at_end(go_on)

    def _check_unsealed(self) -> None:
        """Raise BackendUnavailable if a line has the seal of a key other than one whose making was cut off."""
        newest = self._newest_line()
        if newest is not None and seal_fits(newest, self._key_file.pending() or b"") is False:
            raise BackendUnavailable("audit key", _NO_KEY)

    def _newest_line(self) -> bytes | None:
        """The newest line that is not torn; whoever needs it to be the newest holds the lock."""
        return next((bytes(line) for (line,) in self._rows.all(_WHOLE, {})), None)


def _columns(line: bytes) -> Values:
    entry = entry_of(line)
    return {
        "digest": line_digest(line),
        "about": None if entry is None else _hash(entry.what),
        "told": None if entry is None else _hash(entry.result),
    }


def _hash(text: str) -> int:
    """What finds *text*, which may be long and may hold what a database does not take as text."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], signed=True)


_a = audit.c
_HOLDS = select(_a.line, _a.number).where(_a.digest == bindparam("of"))
_TOLD = select(_a.line).where(_a.told == bindparam("of"))
_ABOUT = (
    select(_a.line, _a.number)
    .where(_a.about == bindparam("of"), _a.number < bindparam("below"))
    .order_by(_a.number.desc())
    .limit(100)
)
_WHOLE = select(_a.line).where(_a.about.is_not(None)).order_by(_a.number.desc()).limit(1)
_LINES: Query = (
    select(_a.line).where(_a.number >= bindparam("start"), _a.number < bindparam("end")).order_by(_a.number.desc())
)
_CONTAINING = _LINES.where(contains(_a.line, "bytes"))
