"""Members and archives on paper, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve

from tarkeep.domain.members import Listing, Mark, Member, MemberType, Rename


def member(
    path: bytes, type: MemberType = MemberType.FILE, *, size: int = 1, mtime: int = 1, link: bytes = b""
) -> Member:
    return Member(path, type, 0o644, 0, 0, b"", b"", size, mtime, link, None, 0, 512, size, False, None)


def directory(path: bytes, names: str = "", *renames: tuple[bytes, bytes], mtime: int = 1) -> Member:
    """A directory with a listing; *names* such as ``"Ya Nb Dc"``."""
    marks = {name[1:].encode(): Mark(name[:1].encode()) for name in names.split()}
    listing = Listing(marks, tuple(Rename(*rename) for rename in renames))
    return Member(path, MemberType.DIRECTORY, 0o755, 0, 0, b"", b"", 0, mtime, b"", None, 0, 512, 0, False, listing)


def archive(*members: Member | bytes) -> Callable[[], Sequence[Member]]:
    """An archive of *members*, one after the other, as `merge` wants it. A name alone stands for a file of it."""
    placed = [
        evolve(one if isinstance(one, Member) else member(one), at=number * 1024) for number, one in enumerate(members)
    ]
    return lambda: placed
