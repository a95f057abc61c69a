"""
Which profiles are braked, without reading all marks of all profiles for each answer.

The rule: whatever can brake a profile changes it, by a new archive or by one that goes or comes back; so a profile is
looked at when it changed. One that is braked is looked at every time, since somebody may have released it, and the
others by turns, since marks may have been damaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from attrs import define, field

from ...ports.store import ArchiveStore
from ...ports.system import Turns
from ...profiles.rules import Rules
from ...watching.figures import ProfileFigures
from ..retention.brake import stopping
from ..retention.protect import marks_in

_TURNS = 20
"""All profiles are looked at again in so many calls."""


@define(eq=False)
class KnownBrakes:
    """Which profiles are braked. No use case: it remembers what it saw. Any number of threads."""

    store: ArchiveStore
    rules: Rules
    turns: Turns
    _seen: dict[str, tuple[int, bool]] = field(factory=dict, init=False)  # version and verdict; seen last at the end

    def among(self, figures: Sequence[ProfileFigures]) -> frozenset[str]:
        """
        Those of *figures* whose pruning is stopped. A profile without a policy that brakes is never stopped.

        Cost: at first, three folders and all marks of each profile; later of those that changed, are braked, or have
        their turn.
        """
        with self.turns.take("brakes"):
            braking = [one for one in figures if self._may_brake(one.profile)]
            its_turn = set(islice(self._seen, -(-len(self._seen) // _TURNS)))
            for one in braking:
                version, was_braked = self._seen.get(one.profile, (None, False))
                if version != one.version or was_braked or one.profile in its_turn:
                    self._seen.pop(one.profile, None)
                    self._seen[one.profile] = one.version, bool(stopping(marks_in(one.profile, self.store)))
            return frozenset(one.profile for one in braking if self._seen[one.profile][1])

    def _may_brake(self, profile: str) -> bool:
        policy = self.rules.of(profile).retention
        return policy is not None and policy.brake
