"""Pages of names and members that are shown: bounded in number and in bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from attrs import frozen

from ...tar.members import Member

PAGE_BYTES = 1 << 20
"""Bytes of names, owners and link targets on one page: a few members may have more of them than fit into memory."""

Shown = TypeVar("Shown")


@frozen
class ShownPage(Generic[Shown]):
    """As many *entries* as were requested and fit into a page; *has_more* tells whether others follow."""

    entries: tuple[Shown, ...]
    has_more: bool


def shown_bytes(member: Member | None) -> int:
    """The bytes of the texts of *member* on a page."""
    return len(member.path) + len(member.link) + len(member.uname) + len(member.gname) if member is not None else 0


def filled(entries: Iterable[tuple[Shown, int]]) -> tuple[Shown, ...]:
    """The first of *entries*, given with their sizes, up to the one that fills the page."""
    page: list[Shown] = []
    total_bytes = 0
    for entry, size_bytes in entries:
        page.append(entry)
        total_bytes += size_bytes
        if total_bytes > PAGE_BYTES:
            break
    return tuple(page)
