"""
Ensuring that no member of an archive is written outside the directory it is restored into.

Members are checked in the order of extraction, over all archives of a plan, by the rule and the canonical names of
`footprints`: a path that one archive makes a link must not be a directory in the same or a later archive. tar has
protections of its own; they are the second line of defence.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from ...names.footprints import Ground, misspelt
from ...tar.dumpdirs import Rename
from ...tar.members import Member, MemberType
from ...tar.paths import canonical, split
from ...text.paths import path_text


@define
class MemberGuard:
    """Checks the members of the archives of one plan, one after the other. *links* exist in the directory already."""

    _links: Iterable[bytes] = ()
    _ground: Ground = field(init=False)
    # Directories of the current archive; needed only if earlier archives made links.
    _directories: set[bytes] | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._ground = Ground(set(map(canonical, self._links)))
        self.begin()

    def begin(self) -> None:
        """Begin the next archive: later members belong to it."""
        self._directories = set() if self._ground.links else None

    def objection(self, member: Member) -> str | None:
        """
        The reason why *member* must not be extracted after those before it; None if it may.

        Symbolic links may point anywhere, because creating one writes nothing to its target.
        """
        wrong = member.disputed or self._goes_wrong(member.path, is_directory=member.type is MemberType.DIRECTORY)
        if wrong:
            return f"{path_text(member.path)} {wrong}"
        wrong = self._named_wrong(member) or self._linked(member)
        return f"{path_text(member.path)} {wrong}" if wrong else None

    def _goes_wrong(self, place: bytes, *, is_directory: bool) -> str:
        """The reason not to write to *place*, which is spelt as in the archive; empty if it is safe."""
        wrong = misspelt(place)
        if wrong:
            return wrong
        path = canonical(place)
        crossed = self._ground.crossing(path)
        if crossed is not None:
            return f"leads through the link {path_text(crossed)}"
        if is_directory and path in self._ground.links:
            return "is a directory in the place of a link"
        directory = path if is_directory else split(path)[0]
        while self._directories is not None and directory not in self._directories:
            self._directories.add(directory)
            directory = split(directory)[0]
        return ""

    def _named_wrong(self, member: Member) -> str:
        """The reason not to use the other places that *member* names; empty if they are safe."""
        named = [(member.link, False)] if member.type is MemberType.HARD_LINK else []
        if member.listing is not None:
            named += ((temporary, True) for temporary in member.listing.temporaries)
        for place, is_directory in named:
            wrong = self._goes_wrong(place, is_directory=is_directory)
            if wrong:
                return f"names {path_text(place)}, which {wrong}"
        renames = member.listing.renames if member.listing is not None else ()
        return next(filter(None, map(self._renamed, renames)), "")

    def _renamed(self, rename: Rename) -> str:
        for place in (rename.old, rename.new):
            wrong = self._goes_wrong(place, is_directory=False)
            if wrong:
                return f"names {path_text(place)}, which {wrong}"
        try:
            moved = self._ground.rename(rename.old, rename.new)
        except ValueError as error:
            return str(error)
        if self._directories is not None and not self._directories.isdisjoint(moved):
            return f"renames a link to the place of a directory, {path_text(rename.new)}"
        return ""

    def _linked(self, member: Member) -> str:
        """Record *member* if it is a link. Returns an objection, or an empty text."""
        path = canonical(member.path)
        is_link = member.type is MemberType.SYMLINK
        if member.type is MemberType.HARD_LINK:
            is_link = canonical(member.link) in self._ground.links
        if is_link:
            if self._directories is not None and path in self._directories:
                return "is a link in the place of a directory"
            self._ground.links.add(path)
        return ""
