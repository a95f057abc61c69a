"""What an archive is called: profile, type and name."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from attrs import field, frozen

from .invalid import InvalidType
from .naming import check_archive_name, check_profile


class BackupType(Enum):
    """What an archive is said to hold relative to earlier ones."""

    FULL = "FULL"
    INC = "INC"
    DIFF = "DIFF"

    @classmethod
    def parse(cls, text: str) -> BackupType:
        """
        The type named by *text*, in any case.

        Raises:
            InvalidType: *text* names no type.
        """
        if not text.isascii():  # upper() would fold the ligature in "di\ufb00" into an F
            raise InvalidType(text)
        try:
            return cls(text.upper())
        except ValueError:
            raise InvalidType(text) from None


def _names(rule: Callable[[str], str]) -> Callable[[object, object, str], None]:
    def check(_instance: object, _attribute: object, value: str) -> None:
        rule(value)

    return check


def _word(type: BackupType) -> str:
    return type.value


@frozen(order=True, cache_hash=True)
class ArchiveId:
    """The identity of an archive: profile, type and name. Ordered by these, the type by its word."""

    profile: str = field(validator=_names(check_profile))
    type: BackupType = field(order=_word)
    name: str = field(validator=_names(check_archive_name))

    @property
    def label(self) -> str:
        """``TYPE/NAME``: how requests, answers and people name an archive within its profile."""
        return f"{self.type.value}/{self.name}"

    def __str__(self) -> str:
        return f"{self.profile}/{self.label}"
