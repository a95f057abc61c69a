"""Showing the rules that a profile has."""

from __future__ import annotations

from attrs import frozen

from ...profiles.rules import ProfileRules, Rules


@frozen
class ShowRules:
    """Show the rules of a profile, whether it has archives or not."""

    rules: Rules

    def __call__(self, profile: str) -> tuple[str | None, ProfileRules]:
        """The pattern whose rules *profile* has, None if none matches, and the rules."""
        return self.rules.pattern_of(profile), self.rules.of(profile)
