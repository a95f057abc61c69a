"""
Which archives are read again, and in which order.

The rule: what may be damaged comes first, then what was not known to be right for the longest time. An archive that was
never read again was known to be right when it was received. So a run that was cut off at any moment goes on where it
was, by this order alone. What is known to be damaged is not read again, unless somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from attrs import field, frozen

from ..archives.archive import ArchiveState, BackupArchive
from ..profiles.span import Span, Unit
from .findings import Fault


@frozen
class Unread:
    """
    An archive that may be read again. *verified_at* is when its stored bytes were last found right, None if never;
    *is_wanted* says that it may be damaged, or that somebody wants it to be read, *is_marked* that it had marks then.
    """

    archive: BackupArchive
    verified_at: datetime | None = None
    is_wanted: bool = False
    is_marked: bool = False

    @property
    def known_right_at(self) -> datetime:
        """When its bytes were last known to be those that were sent."""
        return self.archive.received_at if self.verified_at is None else self.verified_at

    def is_due(self, before: datetime) -> bool:
        """Whether it is to be read, if everything is that was last known to be right *before* that time."""
        return self.is_wanted or (self.archive.state is ArchiveState.STORED and self.known_right_at < before)


@frozen
class LastChecked:
    """
    When the stored bytes of an archive were last read and found right, None if never; and, of a damaged archive, how
    that showed. None: it is not damaged, or that is not known any more.
    """

    verified_at: datetime | None = None
    fault: Fault | None = None


@frozen
class FoundRight:
    """*archive* was found right at *verified_at*, and has marks or not; None if that is not known."""

    archive: BackupArchive
    verified_at: datetime
    is_marked: bool | None = None


def in_order(unread: Iterable[Unread]) -> list[Unread]:
    """*unread* in the order in which they are read."""
    return sorted(unread, key=_place)


def _place(unread: Unread) -> tuple[bool, datetime, str, str, str]:
    id = unread.archive.id
    return not unread.is_wanted, unread.known_right_at, id.profile, id.type.value, id.name


@frozen
class ScrubEvery:
    """How often every archive is read."""

    span: Span = field(factory=lambda: Span(30, Unit.DAY))

    def __attrs_post_init__(self) -> None:
        if self.span.count == 0:
            raise ValueError(f"{self.span} is no time between two reads; give at least 1h")

    def due_before(self, now: datetime) -> datetime:
        """What was last known to be right before this time is due."""
        return self.span.before(now)

    def behind_before(self, now: datetime) -> datetime:
        """What was last known to be right before this time should have been read long ago."""
        return self.span.before(self.span.before(now))
