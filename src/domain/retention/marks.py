"""
Marks of an archive: holds, which someone makes and releases, a lock, which ends by itself and never earlier, and what
was suspicious about it when it arrived.

Marks are kept as JSON beside the archive, so that they survive the loss of a catalog. Marks that cannot be read protect
the archive all the same: what protected it is unknown, not gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve, field, frozen
from attrs.validators import optional

from ..archives.summed import is_as_summed, summed
from ..text.times import rfc3339
from .suspicion import Indication, Sign, Suspicion

FORMAT = 1
MAX_REASON_CHARACTERS = 200
MAX_HOLDS = 100
MAX_HOLD_ID_CHARACTERS = 64


def _reason(_instance: object, _attribute: object, text: str) -> None:
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or len(text) > MAX_REASON_CHARACTERS:
        raise ValueError(
            f"the reason for a hold is a line of 1 to {MAX_REASON_CHARACTERS} printable characters, not "
            f"{str(text)[:80]!a}"
        )


def check_hold_id(id: str) -> None:
    """
    Check the name of a hold.

    Raises:
        ValueError: it is not a word of letters, digits and hyphens, or too long.
    """
    is_word = isinstance(id, str) and id.isascii() and id.replace("-", "").isalnum()
    if not is_word or len(id) > MAX_HOLD_ID_CHARACTERS:
        raise ValueError(
            f"a hold is named by 1 to {MAX_HOLD_ID_CHARACTERS} letters, digits and hyphens, not {str(id)[:80]!a}"
        )


def _hold_id(_instance: object, _attribute: object, id: str) -> None:
    check_hold_id(id)


def _aware_utc(_instance: object, _attribute: object, moment: datetime) -> None:
    if moment.utcoffset() != timedelta(0):
        raise ValueError(f"a mark's time must be aware and in UTC, got {moment!r}")


@frozen
class Hold:
    """What keeps an archive until someone releases it, or until a time: *id* names it among the archive's holds."""

    id: str = field(validator=_hold_id)
    reason: str = field(validator=_reason)
    made_at: datetime = field(validator=_aware_utc)
    until: datetime | None = field(default=None, validator=optional(_aware_utc))

    def counts(self, now: datetime) -> bool:
        """Whether it still keeps the archive."""
        return self.until is None or self.until > now


@frozen
class Marks:
    """
    The holds of an archive by their order of making, and the end of its lock, None without one.

    *suspicion* is what was suspicious about it, until somebody has looked; it stops pruning, and protects nothing by
    itself. *is_unreadable*: there are marks, and they cannot be read. *of* names the archive, so that marks in a wrong
    place are noticed; it is empty where nobody said it.
    """

    holds: tuple[Hold, ...] = ()
    locked_until: datetime | None = field(default=None, validator=optional(_aware_utc))
    is_unreadable: bool = False
    suspicion: Suspicion | None = None
    of: str = field(default="", eq=False)

    def hold(self, id: str) -> Hold | None:
        """The hold with that id."""
        return next((hold for hold in self.holds if hold.id == id), None)

    def is_locked(self, now: datetime) -> bool:
        """Whether a lock still counts."""
        return self.locked_until is not None and self.locked_until > now

    def protection(self, now: datetime) -> tuple[str, ...]:
        """What protects the archive, each in words; empty if nothing does."""
        if self.is_unreadable:
            return ("hold: its marks cannot be read, and count as a hold",)
        found = [_in_words(hold) for hold in self.holds if hold.counts(now)]
        if self.locked_until is not None and self.is_locked(now):
            found.append(f"locked until {rfc3339(self.locked_until)}")
        return tuple(found)

    def held(self, hold: Hold) -> Marks:
        """
        With *hold* in addition; one of the same id is replaced.

        Raises:
            ValueError: there are too many holds.
        """
        others = tuple(one for one in self.holds if one.id != hold.id)
        if len(others) >= MAX_HOLDS:
            raise ValueError(f"an archive has at most {MAX_HOLDS} holds")
        return evolve(self, holds=(*others, hold))

    def released(self, id: str) -> Marks:
        """Without the hold of that id."""
        return evolve(self, holds=tuple(hold for hold in self.holds if hold.id != id))

    def locked(self, until: datetime) -> Marks:
        """Locked until then, or as long as before if that is later: a lock never becomes shorter."""
        return (
            self if self.locked_until is not None and self.locked_until >= until else evolve(self, locked_until=until)
        )


UNMARKED = Marks()
UNREADABLE = Marks(is_unreadable=True)


def encode(marks: Marks) -> bytes:
    """*marks* as UTF-8 JSON, indented for people, with a sum, ending in a newline."""
    members: dict[str, object] = {
        "format": FORMAT,
        "holds": [
            {
                "id": hold.id,
                "reason": hold.reason,
                "made_at": rfc3339(hold.made_at),
                "until": hold.until and rfc3339(hold.until),
            }
            for hold in marks.holds
        ],
        "locked_until": marks.locked_until and rfc3339(marks.locked_until),
    }
    if marks.suspicion is not None:
        members["suspicion"] = {
            "judged_at": rfc3339(marks.suspicion.judged_at),
            "signs": [
                {"sign": one.sign.value, "weight": one.weight, "text": one.text} for one in marks.suspicion.indications
            ],
        }
    if marks.of:
        members["archive"] = marks.of
    return summed(members)


_BY_HAND = {"format", "holds", "locked_until", "suspicion", "archive"}


def decode(raw: bytes | None) -> Marks:
    """
    The marks that `encode` wrote, or that a person wrote, without a sum; `UNMARKED` for None, `UNREADABLE` for anything
    else.
    """
    if raw is None:
        return UNMARKED
    try:
        members = json.loads(raw)
        if members["format"] != FORMAT or not (is_as_summed(raw) or members.keys() <= _BY_HAND):
            return UNREADABLE
        holds = tuple(_hold(hold) for hold in members["holds"])
        locked_until = members["locked_until"] and _parse(members["locked_until"])
        of = str(members.get("archive", ""))
        return Marks(holds, locked_until, suspicion=_suspicion(members.get("suspicion")), of=of)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return UNREADABLE


def _hold(members: Mapping[str, Any]) -> Hold:
    until = members["until"]
    return Hold(members["id"], members["reason"], _parse(members["made_at"]), None if until is None else _parse(until))


def _suspicion(members: Mapping[str, Any] | None) -> Suspicion | None:
    if members is None:
        return None
    indications = tuple(Indication(Sign(one["sign"]), int(one["weight"]), str(one["text"])) for one in members["signs"])
    return Suspicion(_parse(members["judged_at"]), indications)


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _in_words(hold: Hold) -> str:
    until = "" if hold.until is None else f" until {rfc3339(hold.until)}"
    return f"hold {hold.id}{until}: {hold.reason}"
