"""
Signs that a machine was attacked, or lost its files: what a new archive is compared for with those before it.

A thief or a program that encrypts files does not come as an error: the nightly archive arrives as ever, whole and
restorable, of a tree that is not what it was. Retention would then carry on and remove the good points, one each night.
So each archive is compared with the one that it follows and with the last ones of its type. Each *sign* is a pure
function with a weight and a sentence; together they make an archive *suspicious* from `SUSPICIOUS` on, and the profile
keeps everything until somebody has looked.

The weights come from a simulation of ordinary and of attacked profiles, see `docs/retention.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise
from math import log2
from statistics import median

from attrs import frozen

from ..identity.archive_id import BackupType
from ..text.counted import counted
from .arrival import Arrival
from .name_changes import NameChanges

SUSPICIOUS = 2
"""An archive whose signs weigh this much is suspicious."""

FEW_FILES = 100
"""Changes of fewer files are no sign of anything."""

COMPARED = 20
"""An archive is compared with so many of its type."""

RECENT = 64
"""So many archives of its profile show what is usual: two months of nights."""

FLOOD = 8
"""Fewer archives within a day are never a flood."""

_DAY = timedelta(days=1)
_USUAL_AFTER = timedelta(days=7)  # what is usual is unknown before
_MOST = 0.4
_WORTH_COMPARING = 0.05
_CHEAP_BYTES = 64 << 10  # packed, a file
_MORE_THAN_EVER = 1.5
_MANY = 0.3
_ENOUGH_SIZES, _MANY_SIZES = 8, 30
_ENOUGH_FULLS = 4
_MAD_TO_SIGMA = 1.4826
_UNUSUAL, _GRAVE, _BY_FAR = 2.0, log2(50), 1.75  # in binary logarithms of the size
_PACKS_WORSE = 0.15
_LEAST_PACKED_BYTES = 1 << 20


def counted_changes(archive: Arrival, before: Arrival) -> NameChanges:
    """What numbers alone say of how *archive* differs from *before*: at least so many files are gone."""
    return NameChanges(before.files, archive.files, archive.carried, max(0, before.files - archive.files))


def is_worth_comparing(archive: Arrival, before: Arrival) -> bool:
    """
    Whether names may show more than numbers do: files that got other names are gone and new in the same number.

    Of an INC or DIFF they are compared where many files changed, of a FULL where that costs little beside receiving it.
    """
    if archive.listed is None or before.listed is None:
        return False
    if archive.type is BackupType.FULL:
        return archive.size_bytes >= _CHEAP_BYTES * archive.files
    return archive.carried >= max(FEW_FILES, _WORTH_COMPARING * archive.listed)


class Sign(Enum):
    """What is unusual about an archive."""

    CARRIES_MOST = "carries-most"
    GONE = "gone"
    SUFFIX = "suffix"
    FLOOD = "flood"
    INCOMPRESSIBLE = "incompressible"
    SIZE = "size"
    NO_FULL = "no-full"


@frozen
class Indication:
    """One sign, how much it weighs, and a sentence without its full stop."""

    sign: Sign
    weight: int
    text: str


@frozen
class Arrived:
    """
    A new archive, and what came before it, newest first: *alike* of its type, *recent* of its profile.

    *names* is how it differs from the archive that it builds on, or follows; None if that is unknown. *carried_before*
    is how many files the last DIFF on the same base carried.
    """

    archive: Arrival
    alike: Sequence[Arrival] = ()
    recent: Sequence[Arrival] = ()
    names: NameChanges | None = None
    carried_before: int = 0


@frozen
class Suspicion:
    """What was found when an archive arrived, at *judged_at*: at least one indication."""

    judged_at: datetime
    indications: tuple[Indication, ...]

    @property
    def weight(self) -> int:
        return sum(one.weight for one in self.indications)

    @property
    def is_enough(self) -> bool:
        """Whether the archive is suspicious."""
        return self.weight >= SUSPICIOUS

    def __str__(self) -> str:
        return "; ".join(one.text for one in self.indications)


def judge(arrived: Arrived) -> tuple[Indication, ...]:
    """All signs of *arrived*, in a fixed order."""
    return tuple(found for sign in SIGNS if (found := sign(arrived)) is not None)


def carries_most(arrived: Arrived) -> Indication | None:
    """An INC or DIFF has much of all files in it, and more than any that came lately: they changed at once."""
    names = arrived.names
    if arrived.archive.type is BackupType.FULL or names is None:
        return None
    changed = names.carried - arrived.carried_before
    usual = max((one.carried for one in arrived.recent if _are_alike(one, arrived)), default=0)
    if changed < FEW_FILES or changed < _MOST * names.now or names.carried < _MORE_THAN_EVER * usual:
        return None
    text = f"{_of(changed, names.now)} changed at once"
    return Indication(Sign.CARRIES_MOST, 2, text)


def gone(arrived: Arrived) -> Indication | None:
    """Much of all files is gone."""
    names = arrived.names
    if names is None or names.gone < FEW_FILES or names.gone < _MOST * names.before:
        return None
    return Indication(Sign.GONE, 2, f"at least {_of(names.gone, names.before)} are gone")


def suffix(arrived: Arrived) -> Indication | None:
    """Many new files have an ending that no file had before; it weighs double where as many others are gone."""
    names = arrived.names
    if names is None or names.suffixed < FEW_FILES or names.suffixed < _MANY * names.new:
        return None
    ending = names.suffix.decode(errors="backslashreplace")
    text = f"{counted(names.suffixed, 'new file')} end in {ending}, which no file did before"
    if 2 * names.gone < names.suffixed:
        return Indication(Sign.SUFFIX, 1, text)
    return Indication(Sign.SUFFIX, 2, f"{text}, and {counted(names.gone, 'file')} are gone")


def flood(arrived: Arrived) -> Indication | None:
    """Within a day many more archives came than usual, and than were waiting since the last ones came."""
    now = arrived.archive.received_at
    within = [one for one in arrived.recent if one.received_at > now - _DAY]
    before = [one for one in arrived.recent if one.received_at <= now - _DAY]
    count = len(within) + 1
    if count < FLOOD or not before:
        return None
    first, last = before[-1].received_at, before[0].received_at
    if now - first < _USUAL_AFTER:
        return None
    a_day = len(before) / max((last - first) / _DAY, 1.0)
    waited = (min(one.received_at for one in [*within, arrived.archive]) - last) / _DAY
    if count <= 4 * a_day or count <= 2 * a_day * (waited + 1):
        return None
    text = f"{count} archives came within a day, where {max(a_day, 0.1):.1f} a day are usual"
    return Indication(Sign.FLOOD, 2, text)


def incompressible(arrived: Arrived) -> Indication | None:
    """
    It compresses worse than others of its type, as encrypted files do.

    A FULL has the same files as the one before, so its weighs double; what an INC packs differs each night.
    """
    is_full = arrived.archive.type is BackupType.FULL
    ratio = _packing(arrived.archive)
    others = [one for one in map(_packing, arrived.alike) if one is not None]
    if ratio is None or len(others) < (_ENOUGH_FULLS if is_full else _ENOUGH_SIZES):
        return None
    middle = median(others)
    if ratio - middle <= max(_PACKS_WORSE, 5 * _spread(others, middle)):
        return None
    text = f"it compresses to {ratio:.0%} of its size, where {middle:.0%} is usual"
    return Indication(Sign.INCOMPRESSIBLE, 2 if is_full else 1, text)


def size(arrived: Arrived) -> Indication | None:
    """
    It is far larger or smaller than others of its type.

    It weighs double if it is many times as large as usual, and larger by far than any that came lately.
    """
    sizes = [log2(max(one.size_bytes, 1)) for one in arrived.alike]
    if len(sizes) < _ENOUGH_SIZES:
        return None
    middle, here = median(sizes), log2(max(arrived.archive.size_bytes, 1))
    lately = [log2(max(one.size_bytes, 1)) for one in arrived.recent if _are_alike(one, arrived)]
    is_grave = len(lately) >= _MANY_SIZES and here - middle > _GRAVE and here - max(lately) > _BY_FAR
    if not is_grave and abs(here - middle) <= max(_UNUSUAL, 5 * _spread(sizes, middle)):
        return None
    times = 2 ** abs(here - middle)
    text = f"it is {times:.0f} times as {'large' if here > middle else 'small'} as usual"
    return Indication(Sign.SIZE, 2 if is_grave else 1, text)


def no_full(arrived: Arrived) -> Indication | None:
    """No FULL came for more than twice as long as usual."""
    now = arrived.archive.placed_at
    fulls = sorted((one.placed_at for one in arrived.recent if one.type is BackupType.FULL), reverse=True)
    if arrived.archive.type is BackupType.FULL or len(fulls) < _ENOUGH_FULLS:
        return None
    usual = median((later - earlier) / _DAY for later, earlier in pairwise(fulls))
    waited = (now - fulls[0]) / _DAY
    if waited <= 2 * usual + 1:
        return None
    text = f"no FULL came for {counted(int(waited), 'day')}, where {max(usual, 0.1):.1f} are usual"
    return Indication(Sign.NO_FULL, 1, text)


SIGNS: tuple[Callable[[Arrived], Indication | None], ...] = (
    carries_most,
    gone,
    suffix,
    flood,
    incompressible,
    size,
    no_full,
)


def _are_alike(one: Arrival, arrived: Arrived) -> bool:
    return one.type is arrived.archive.type


def _of(part: int, whole: int) -> str:
    return f"{counted(part, 'file')} of {whole}"


def _spread(values: Sequence[float], middle: float) -> float:
    """The deviation from *middle* as robust estimate of a sigma."""
    return _MAD_TO_SIGMA * median(abs(value - middle) for value in values)


def _packing(archive: Arrival) -> float | None:
    """The packed size as a share of the unpacked one; None for what is too small to tell, or was not unpacked."""
    return archive.size_bytes / archive.unpacked_bytes if archive.unpacked_bytes >= _LEAST_PACKED_BYTES else None
