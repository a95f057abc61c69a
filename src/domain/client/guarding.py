"""
No member of an archive is to be written outside the directory it is restored into.

Members are looked at in the order in which they will be extracted, over all archives of a plan: what an earlier one
made a symbolic link, a later one may not write through. tar has protections of its own; they are the second wall.
"""

from __future__ import annotations

from attrs import define, field

from ..members import Member, MemberType
from ..path_text import path_text


@define
class MemberGuard:
    """Watches the members of the archives of one plan, one after the other."""

    _links: set[bytes] = field(factory=set, init=False)

    def objection(self, member: Member) -> str | None:
        """
        Why *member* must not be extracted after those before it, None where it may.

        Symbolic links may point anywhere, since restoring one writes nothing there.
        """
        places = [member.path]
        if member.type is MemberType.HARD_LINK:
            places.append(member.link)
        for rename in member.listing.renames if member.listing is not None else ():
            places += (rename.old, rename.new)
        for place in places:
            reason = self._reason(place)
            if reason is not None:
                about = "" if place is member.path else f" names {path_text(place)}, which"
                return f"{path_text(member.path)}{about} {reason}"
        is_link = member.type is MemberType.SYMLINK
        if member.type is MemberType.HARD_LINK:
            is_link = member.link in self._links
        if is_link:
            self._links.add(member.path)
        else:
            self._links.discard(member.path)
        return None

    def _reason(self, path: bytes) -> str | None:
        """Why nothing may be written to *path*."""
        if path.startswith(b"/"):
            return "is absolute"
        parts = path.split(b"/")
        if b".." in parts:
            return "leads upwards"
        for end in range(1, len(parts)):
            above = b"/".join(parts[:end])
            if above in self._links:
                return f"leads through the link {path_text(above)}"
        return None
