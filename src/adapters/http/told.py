"""
A server's JSON answer, read member by member: each must have the expected type, or the error names the one that has
not.

Whatever answers at an address may not be a Tarkeep server, or one of another version, or an imitation. So every value
of an answer is checked here: a text in place of a number would otherwise fail much later, in code that knows nothing of
answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import define, field, frozen

_MOST = 2**63  # sizes, positions and counts are smaller
_MOST_EMPTY_PAGES = 1000


class NotUnderstood(ValueError):
    """A value has the wrong type; the message continues "the answer", and never includes the answer's content."""


@frozen
class Told:
    """
    The members of a JSON object; *place* is its path within the whole answer, and *url* the address of that answer.

    Every method but `has` raises `NotUnderstood`.
    """

    members: Mapping[str, Any] = field(repr=False)
    place: str = ""
    url: str = ""

    @classmethod
    def read(cls, content: bytes, url: str = "") -> Told:
        """The object in *content*, which came from *url*."""
        try:
            told = json.loads(content)
        except (ValueError, RecursionError):  # not JSON, or nested too deeply for any real answer
            raise NotUnderstood("is not JSON") from None
        if not isinstance(told, dict):
            raise NotUnderstood("is not a JSON object")
        return cls(told, "", url)

    def has(self, name: str) -> bool:
        """Whether *name* is present and not null."""
        return self.members.get(name) is not None

    def text(self, name: str) -> str:
        return self._text(self._member(name), name)

    def text_or_none(self, name: str) -> str | None:
        return None if self._member(name) is None else self.text(name)

    def count(self, name: str) -> int:
        """A count, which is not negative."""
        value = self._member(name)
        if type(value) is not int or not 0 <= value < _MOST:
            raise self._wrong(name, "is not a valid number")
        return value

    def count_or_none(self, name: str) -> int | None:
        return None if self._member(name) is None else self.count(name)

    def integer_or_none(self, name: str) -> int | None:
        """A number of any sign, such as tar stores for owners."""
        value = self._member(name)
        if value is not None and type(value) is not int:
            raise self._wrong(name, "is not a number")
        return value

    def number(self, name: str) -> float:
        """A number that is not negative."""
        value = self._member(name)
        if type(value) not in (int, float) or not 0 <= value < _MOST:
            raise self._wrong(name, "is not a valid number")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self._member(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "is neither true nor false")
        return value

    def time(self, name: str) -> datetime:
        """A time in UTC."""
        try:
            time = datetime.fromisoformat(self.text(name))
            in_utc = time.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self._wrong(name, "is not a time") from None
        if time.tzinfo is None:
            raise self._wrong(name, "is a time without a zone")
        return in_utc

    def object(self, name: str) -> Told:
        value = self._member(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "is not an object")
        return Told(value, self._at(name))

    def object_or_none(self, name: str) -> Told | None:
        return None if self._member(name) is None else self.object(name)

    def objects(self, name: str) -> list[Told]:
        return [
            Told(self._an_object(each, name), f"{self._at(name)}[{number}]")
            for number, each in enumerate(self._list(name))
        ]

    def length(self, name: str) -> int:
        """The number of elements of a list, of any type."""
        return len(self._list(name))

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._text(each, name) for each in self._list(name))

    def sentences(self, name: str) -> tuple[str, ...]:
        """Obstacles or doubts, each a text, or an object with an archive and a detail."""
        return tuple(
            self._text(each, name)
            if isinstance(each, str)
            else _sentence(Told(self._an_object(each, name), self._at(name)))
            for each in self._list(name)
        )

    def _an_object(self, value: Any, name: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(name, "holds something that is not an object")
        return value

    def _list(self, name: str) -> list[Any]:
        value = self._member(name)
        if not isinstance(value, list):
            raise self._wrong(name, "is not a list")
        return value

    def _text(self, value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise self._wrong(name, "is not a text")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise self._wrong(name, "is not a text") from None
        return value

    def _member(self, name: str) -> Any:
        try:
            return self.members[name]
        except KeyError:
            raise self._wrong(name, "is missing") from None

    def _at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def _wrong(self, name: str, what: str) -> NotUnderstood:
        return NotUnderstood(f"is wrong: {self._at(name)} {what}")


def _sentence(told: Told) -> str:
    archive = label(told.object("archive")) if told.has("archive") else None
    return f"{archive}: {told.text('detail')}" if archive else told.text("detail")


def label(told: Told) -> str:
    """``TYPE/NAME`` of the archive in *told*."""
    return f"{told.text('type')}/{told.text('name')}"


@define
class Pages:
    """
    Checks that paging ends: no cursor is repeated, and few pages are empty.
    """

    _seen: set[str] = field(factory=set)
    _empty: int = 0

    def next_cursor(self, page: Told, entries: int) -> str | None:
        """The cursor of the page after *page*, which has so many *entries*; None after the last page."""
        cursor = page.text_or_none("next_cursor") if page.has("next_cursor") else None
        if cursor is None:
            return None
        self._empty = 0 if entries else self._empty + 1
        if cursor in self._seen or self._empty > _MOST_EMPTY_PAGES:
            raise NotUnderstood("has pages without end")
        self._seen.add(cursor)
        return cursor


def whole_number(text: str) -> int:
    """The number in a header, which is not negative."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise NotUnderstood("has a header that is not a number")
    return int(text)
