"""Removing archives, bringing them back, and protecting them."""

from __future__ import annotations

from datetime import datetime

from attrs import define

from ..identity.archive_id import ArchiveId
from ..tarkeep_error import TarkeepError
from ..text.counted import counted
from ..text.times import minute, rfc3339
from .archives import ArchiveNotFound


@define
class ArchiveRemoved(ArchiveNotFound):
    """
    The archive was stored, and was removed by the policy of its profile. *sha256* is that of its bytes.

    It was removed at *removed_at* by *plan*, a digest, for these *reasons*; None and empty if that is not known. It is
    in the trash until *keep_until* at least, unless its bytes were removed for good at *purged_at*.
    """

    sha256: str
    removed_at: datetime | None = None
    plan: str = ""
    reasons: tuple[str, ...] = ()
    keep_until: datetime | None = None
    purged_at: datetime | None = None

    @property
    def is_in_trash(self) -> bool:
        """Whether it is known to be in the trash, and can be brought back."""
        return self.keep_until is not None and self.purged_at is None

    def __str__(self) -> str:
        told = f"the archive {self.name} was removed by the retention policy of its profile"
        if self.removed_at is not None:
            told += f" on {minute(self.removed_at)}"
        if self.plan:
            told += f", plan {self.plan[:12]}"
        if self.reasons:
            told += f": {'; '.join(self.reasons)}"
        if self.purged_at is not None:
            return f"{told}; its bytes were removed for good on {minute(self.purged_at)}"
        if self.keep_until is not None:
            return f"{told}; it is in the trash until {minute(self.keep_until)} at least"
        return told


@define
class PlanChanged(TarkeepError):
    """
    A prune plan is not the present one any more: an archive came, a mark or the policy changed.

    *removed* archives were in the trash by then.
    """

    profile: str
    stated: str
    present: str
    removed: int = 0

    def __str__(self) -> str:
        done = "nothing was removed"
        if self.removed:
            done = f"{counted(self.removed, 'archive')} had been moved to the trash by then"
        return (
            f"the plan {self.stated[:12]} of {self.profile} is out of date: what would be removed now has the plan "
            f"{self.present[:12]}; {done}"
        )


@define
class PruneCutOff(TarkeepError):
    """The server ended while it carried out the *plan* of a profile; nobody knows yet how far it came."""

    profile: str
    plan: str

    def __str__(self) -> str:
        return (
            f"the server ended while it carried out the plan {self.plan[:12]} of {self.profile}: each archive is "
            "either where it was, or in the trash as a whole; no archive that is kept is affected"
        )


@define
class PrunePaused(TarkeepError):
    """Pruning a profile waits for a person. *reasons* are sentences without their full stops."""

    profile: str
    reasons: tuple[str, ...]
    may_be_approved: bool

    def __str__(self) -> str:
        return f"pruning {self.profile} is paused: {'; '.join(self.reasons)}; nothing was removed"


@define
class NotInTrash(TarkeepError):
    """The trash does not hold this archive. *purged_at* is when its bytes were removed, None if it never was there."""

    id: ArchiveId
    purged_at: datetime | None = None

    def __str__(self) -> str:
        if self.purged_at is None:
            return f"{self.id} is not in the trash"
        return f"{self.id} is not in the trash any more: its bytes were removed at {rfc3339(self.purged_at)}"


@define
class HoldExists(TarkeepError):
    """The archive has another hold of that name, which nobody replaces by accident."""

    id: ArchiveId
    hold: str
    reason: str

    def __str__(self) -> str:
        return f"{self.id} has a hold {self.hold} already, for another reason or another time: {self.reason}"


@define
class NoRetentionPolicy(TarkeepError):
    """The profile has no policy."""

    profile: str

    def __str__(self) -> str:
        return f"the profile {self.profile} has no retention policy"


@define
class SimulationTooLong(TarkeepError):
    """So many days of a profile take too long to simulate; *possible* days do not."""

    profile: str
    days: int
    possible: int

    def __str__(self) -> str:
        return (
            f"so many archives of {self.profile} are expected that {self.days} days take too long to simulate; at most "
            f"{self.possible} can be"
        )


@define
class TimeIsOver(TarkeepError):
    """A hold or a lock would not protect anything: it would end before it begins."""

    id: ArchiveId
    until: datetime

    def __str__(self) -> str:
        return f"{self.id} cannot be kept until {rfc3339(self.until)}: that time is over"


@define
class HoldNotFound(TarkeepError):
    """The archive has no such hold."""

    id: ArchiveId
    hold: str

    def __str__(self) -> str:
        return f"{self.id} has no hold {self.hold}"


@define
class LockEarlier(TarkeepError):
    """A lock cannot be made shorter, by nobody."""

    id: ArchiveId
    locked_until: datetime

    def __str__(self) -> str:
        return f"{self.id} is locked until {rfc3339(self.locked_until)}; a lock can only be made longer"


@define
class MarksUnreadable(TarkeepError):
    """The file with the marks of an archive is damaged, so nothing can be added to it."""

    id: ArchiveId

    def __str__(self) -> str:
        return (
            f"the marks of {self.id} cannot be read; until their file is mended or removed they count as a hold "
            "and as suspicious"
        )
