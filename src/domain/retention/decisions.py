"""What pruning decides for each archive of a profile, with all reasons, and whether it may be carried out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from attrs import field, frozen

from ..archives.archive import BackupArchive
from ..identity.archive_id import ArchiveId


class ReasonKind(Enum):
    """Why an archive stays or goes."""

    # it stays
    NO_POLICY = "no-policy"
    YOUNG = "young"
    RULE = "rule"
    MINIMUM = "minimum"
    HOLD = "hold"  # holds and locks
    IN_USE = "in-use"
    BROKEN = "broken"  # it does not restore, and that was noticed a short time ago
    FUTURE = "future"
    UNKNOWN = "unknown"  # whether it restores could not be found out
    NEEDED = "needed"  # by an archive that stays
    LINKS = "links"  # without it, what another builds on would be judged otherwise
    # it goes
    REPLACED = "replaced"  # its bucket is kept by another
    OUT_OF_REACH = "out-of-reach"  # no rule reaches back to it
    BROKEN_LONG = "broken-long"


@frozen
class Reason:
    """One reason, with a text that continues ``kept:`` or ``removed:``; *rule* is the setting of the rule, if any."""

    kind: ReasonKind
    text: str
    rule: str = field(default="", eq=False)


@frozen
class PruneDecision:
    """
    Whether one archive stays, and every reason.

    *restores* says that its point does. *only_for* is the rule, by its setting, for which it stays and for nothing
    else, be it that others which stay for that rule need it; else it is empty.
    """

    archive: BackupArchive
    is_kept: bool
    reasons: tuple[Reason, ...]
    restores: bool = field(default=True, eq=False)
    only_for: str = field(default="", eq=False)


class PruneVerdict(Enum):
    """Whether a plan may be carried out."""

    READY = "ready"
    NOTHING = "nothing"  # to be removed
    PAUSED = "paused"  # until a person decides


class PauseKind(Enum):
    """What keeps a plan from being carried out."""

    BRAKE = "brake"
    CLOCK = "clock"
    SHARE = "share"  # it removes much at once; an approval is enough


@frozen
class Pause:
    """Why a plan waits for a person; *reason* is a sentence without its full stop."""

    kind: PauseKind
    reason: str


@frozen
class PrunePlan:
    """
    One decision for each archive of a profile that is not in the trash, in the order in which they were received.

    *settings* states the policy, empty without one. *removed* are the archives to be removed, in the order of removal:
    what builds on another goes before it. *alone* is how many bytes stay for one rule, by its setting, and for nothing
    else. *digest* identifies policy and removals, not reasons.
    """

    profile: str
    settings: Mapping[str, object]
    decisions: tuple[PruneDecision, ...]
    removed: tuple[PruneDecision, ...]
    pauses: tuple[Pause, ...] = ()
    alone: Mapping[str, int] = field(factory=dict, eq=False)
    digest: str = field(init=False)

    @digest.default
    def _digest(self) -> str:
        gone = sorted(f"{decision.archive.id.label} {decision.archive.digests.sha256}" for decision in self.removed)
        text = json.dumps([self.profile, dict(self.settings), gone], ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def verdict(self) -> PruneVerdict:
        if not self.removed:
            return PruneVerdict.NOTHING
        return PruneVerdict.PAUSED if self.pauses else PruneVerdict.READY

    @property
    def removed_bytes(self) -> int:
        """The size of all archives to be removed."""
        return sum(decision.archive.size_bytes for decision in self.removed)

    @property
    def kept_points(self) -> int:
        """How many of the archives that stay have points that restore."""
        return sum(decision.is_kept and decision.restores for decision in self.decisions)

    def forbidding(self, *, is_approved: bool) -> tuple[Pause, ...]:
        """The pauses that still count; an approval lifts `PauseKind.SHARE` only."""
        return tuple(pause for pause in self.pauses if not (is_approved and pause.kind is PauseKind.SHARE))


def of_archives(decisions: Iterable[PruneDecision]) -> tuple[ArchiveId, ...]:
    """The identities of the archives of *decisions*."""
    return tuple(decision.archive.id for decision in decisions)


def kept_bytes(decisions: Sequence[PruneDecision]) -> int:
    """The size of all archives that stay."""
    return sum(decision.archive.size_bytes for decision in decisions if decision.is_kept)
